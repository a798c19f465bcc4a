/** Deleting what is over, batch by batch, each in a transaction of its own. One deletes at a time; whoever else would gives way at once. */
import { EVENT_CODES, STATE_CODES } from '../store/codes.ts'
import { FIRST_ID, isId } from '../store/ids.ts'
import type { FinishedPage, FinishedQuery, Purged, SweepUp, SweptUp } from '../store/retention.ts'
import type { Transaction } from './database.ts'
import type { Row, RunRows } from './driver.ts'
import { writeEvents } from './history.ts'

// In the order of their ends, through its index; the id tells two of one moment apart.
const FINISHED =
  'SELECT id, finished_at, event_seq FROM millrace.jobs WHERE state = $1 AND type = (SELECT n FROM millrace.types WHERE name = $2) ' +
  'AND finished_at IS NOT NULL AND finished_at <= $3'
const FROM_OLDEST = `${FINISHED} AND finished_at >= $4 AND (finished_at > $4 OR id > $5::uuid) ORDER BY finished_at, id LIMIT $6`
const FROM_NEWEST = `${FINISHED} AND (finished_at < $3 OR id < $4::uuid) ORDER BY finished_at DESC, id DESC LIMIT $5`

const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

export async function finishedJobs(run: RunRows, query: FinishedQuery): Promise<FinishedPage> {
  const { type, state, from, until, limit, after } = query
  const [at, id] = after?.split(' ') ?? []
  const those = [STATE_CODES[state], type]
  const rows =
    from === 'oldest'
      ? await run(FROM_OLDEST, ...those, until ?? Number.MAX_SAFE_INTEGER, Number(at ?? 0), id ?? FIRST_ID, limit)
      : await run(FROM_NEWEST, ...those, Number(at ?? Number.MAX_SAFE_INTEGER), id ?? LAST_ID, limit)
  const jobs = rows.map((row) => ({
    id: String(row['id']),
    finishedAt: Number(row['finished_at']),
    eventSeq: Number(row['event_seq']),
  }))
  const last = jobs.at(-1)
  return { jobs, next: rows.length < limit || last === undefined ? null : `${last.finishedAt} ${last.id}` }
}

const MAY_PURGE = "SELECT pg_try_advisory_xact_lock(hashtextextended('millrace purge ' || 'millrace.jobs', 0)) AS mine"

/** A job that was retried meanwhile is not over, or ended at another time. Here a delivery that is pending will hold a job back. */
const DOOMED =
  'SELECT id, type, tenant, owner, idempotency_key, event_seq, attempt, finished_at, created_in, started_in, completed_in FROM millrace.jobs ' +
  'WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL ORDER BY id FOR UPDATE SKIP LOCKED'

const OF_JOBS = 'WHERE job = ANY($1::uuid[])'
const CHILDREN = ['labels', 'phases', 'attempts', 'entities'].map((table) => `DELETE FROM millrace.${table} ${OF_JOBS}`)
const ARTIFACTS = `DELETE FROM millrace.artifacts ${OF_JOBS} RETURNING path`
const EVENTS = `DELETE FROM millrace.events ${OF_JOBS} RETURNING commit`
const JOBS = 'DELETE FROM millrace.jobs WHERE id = ANY($1::uuid[])'
const REMEMBER =
  'INSERT INTO millrace.deleted_jobs (id, type, tenant, owner, idempotency_key, deleted_at) ' +
  'SELECT id, type, tenant, owner, idempotency_key, $2 FROM millrace.jobs WHERE id = ANY($1::uuid[]) ORDER BY id ' +
  'ON CONFLICT (id) DO UPDATE SET type = excluded.type, tenant = excluded.tenant, owner = excluded.owner, ' +
  'idempotency_key = excluded.idempotency_key, deleted_at = excluded.deleted_at'

export async function purgeJobs(
  tx: Transaction,
  jobs: readonly { readonly id: string; readonly finishedAt: number }[],
): Promise<Purged> {
  const [turn] = await tx.rows(MAY_PURGE)
  if (turn?.['mine'] !== true) return { jobs: [], paths: [] }
  const ends = new Map(jobs.filter(({ id }) => isId(id)).map(({ id, finishedAt }) => [id, finishedAt]))
  const found = await tx.rows(DOOMED, [...ends.keys()])
  const rows = found.filter((row) => ends.get(String(row['id'])) === Number(row['finished_at']))
  if (rows.length === 0) return { jobs: [], paths: [] }
  const ids = rows.map((row) => String(row['id']))
  for (const sql of CHILDREN) await tx.rows(sql, ids)
  const artifacts = await tx.rows(ARTIFACTS, ids)
  const events = await tx.rows(EVENTS, ids)
  await tx.rows(REMEMBER, ids, tx.now)
  await tx.rows(JOBS, ids)
  await freeKeys(tx, rows)
  await leaveLists(tx, rows.flatMap(listsOf))
  await dropCommits(tx, [...commitsOf(events), ...rows.flatMap(listsOf)])
  await writeEvents(
    tx,
    rows.map((row) => ({
      job: String(row['id']),
      seq: Number(row['event_seq']) + 1,
      event: 'job:deleted',
      attempt: Number(row['attempt']),
      detail: JSON.stringify({ deletedJobId: String(row['id']) }),
    })),
  )
  return { jobs: ids, paths: artifacts.map((row) => String(row['path'])) }
}

// Looked up one by one: to join them, the planner may go through all keys. One that is somebody else's by now has another place.
const FREE_KEYS =
  'DELETE FROM millrace.keys WHERE ctid = ANY(ARRAY(SELECT k.place FROM unnest($2::text[], $3::integer[], $4::text[], $5::uuid[]) AS v (tenant, type, key, job) ' +
  'CROSS JOIN LATERAL (SELECT i.ctid AS place, i.job, i.held_until FROM millrace.keys AS i WHERE i.tenant = v.tenant AND i.type = v.type ' +
  'AND i.key = v.key OFFSET 0) AS k WHERE k.job = v.job AND k.held_until <= $1))'

/** Those of jobs that are gone, if their time is over. */
async function freeKeys(tx: Transaction, rows: readonly Row[]): Promise<void> {
  const keyed = rows.filter((row) => row['idempotency_key'] !== null)
  if (keyed.length === 0) return
  await tx.rows(
    FREE_KEYS,
    tx.now,
    keyed.map((row) => String(row['tenant'])),
    keyed.map((row) => Number(row['type'])),
    keyed.map((row) => String(row['idempotency_key'])),
    keyed.map((row) => String(row['id'])),
  )
}

/** How many of its jobs have left each list. */
const LEAVE =
  'UPDATE millrace.commits AS c SET living = c.living - (SELECT v.jobs FROM unnest($1::bigint[], $2::integer[]) AS v (n, jobs) WHERE v.n = c.n) ' +
  'WHERE c.n = ANY($1::bigint[])'
// One by one: whether a commit has events left is asked of their index.
const DROP_COMMITS =
  'DELETE FROM millrace.commits AS c WHERE c.n = ANY($1::bigint[]) AND c.first IS NOT NULL AND c.living = 0 ' +
  'AND (SELECT e.commit FROM millrace.events AS e WHERE e.commit = c.n LIMIT 1) IS NULL'
const DROP_BUNDLES =
  'DELETE FROM millrace.bundles AS b WHERE b.created_in = ANY($1::bigint[]) AND (SELECT c.n FROM millrace.commits AS c WHERE c.n = b.created_in) IS NULL'
/** Each list half as long as before, so that the work is in proportion to the jobs that have left, not to those that stay. */
const SHORTEN =
  'UPDATE millrace.commits AS c SET listed = c.living, jobs = ARRAY(SELECT (SELECT j.id FROM millrace.jobs AS j WHERE j.id = u.job) ' +
  'FROM unnest(c.jobs) WITH ORDINALITY AS u (job, item) ORDER BY u.item) WHERE c.n = ANY($1::bigint[]) AND c.living > 0 AND c.living * 2 <= c.listed'

function commitsOf(events: readonly Row[]): readonly number[] {
  return events.map((row) => Number(row['commit']))
}

function listsOf(row: Row): readonly number[] {
  return [row['created_in'], row['started_in'], row['completed_in']].filter((commit) => typeof commit === 'number')
}

async function leaveLists(tx: Transaction, lists: readonly number[]): Promise<void> {
  const counts = [...Map.groupBy(lists, (n) => n)].map(([n, left]) => [n, left.length] as const)
  if (counts.length === 0) return
  counts.sort(([one], [other]) => one - other)
  const commits = counts.map(([n]) => n)
  await tx.rows(
    LEAVE,
    commits,
    counts.map(([, left]) => left),
  )
  await tx.rows(SHORTEN, commits)
}

/** What has no events any more needs no place in the log: the places of the others stay. */
async function dropCommits(tx: Transaction, told: readonly number[]): Promise<void> {
  const commits = [...new Set(told)].toSorted((left, right) => left - right)
  if (commits.length === 0) return
  await tx.rows(DROP_COMMITS, commits)
  // Of jobs that nobody has worked on.
  await tx.rows(DROP_BUNDLES, commits)
}

const EXPIRED_ARTIFACTS =
  'DELETE FROM millrace.artifacts WHERE n = ANY(ARRAY(SELECT n FROM millrace.artifacts WHERE expires_at IS NOT NULL AND expires_at <= $1 ' +
  'ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING path'
const TRACES =
  'DELETE FROM millrace.deleted_jobs WHERE id = ANY(ARRAY(SELECT id FROM millrace.deleted_jobs WHERE deleted_at <= $1 ORDER BY deleted_at ' +
  'LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING id, type, tenant, idempotency_key'
const DROP_EVENTS = `DELETE FROM millrace.events ${OF_JOBS} AND code = ${EVENT_CODES['job:deleted']} RETURNING commit`

/**
 * A job or an attempt can only show a session that was open when the job was there. So one that ended before the oldest job was made is shown
 * by none. Ids are made in the order of time, by clocks that may differ; a day is more than they do.
 */
const OLDEST_JOB = `SELECT created_at FROM millrace.jobs WHERE id > '${FIRST_ID}' ORDER BY id LIMIT 1`
const CLOCKS_DIFFER_MS = 86_400_000
const DROP_SESSIONS =
  'DELETE FROM millrace.sessions WHERE n = ANY(ARRAY(SELECT n FROM millrace.sessions WHERE ended_at <= $1 AND ended_at < $2::bigint ' +
  'ORDER BY n LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING 1'

export async function sweepUp(tx: Transaction, { eventsMs, sessionsMs, limit }: SweepUp): Promise<SweptUp> {
  const artifacts = await tx.rows(EXPIRED_ARTIFACTS, tx.now, limit)
  const traces = await tx.rows(TRACES, tx.now - eventsMs, limit)
  if (traces.length > 0) {
    const ids = traces.map((row) => String(row['id']))
    await dropCommits(tx, commitsOf(await tx.rows(DROP_EVENTS, ids)))
    await freeKeys(tx, traces)
  }
  const [oldest] = await tx.rows(OLDEST_JOB)
  const before = Number(oldest?.['created_at'] ?? Number.MAX_SAFE_INTEGER) - CLOCKS_DIFFER_MS
  const sessions = await tx.rows(DROP_SESSIONS, tx.now - sessionsMs, before, limit)
  return {
    deletedEvents: traces.length,
    sessions: sessions.length,
    artifacts: artifacts.length,
    paths: artifacts.map((row) => String(row['path'])),
  }
}

const ARTIFACT_PATHS = 'SELECT id, path FROM millrace.artifacts WHERE id = ANY($1::uuid[])'

export async function artifactPaths(run: RunRows, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const known = ids.filter(isId)
  const rows = known.length === 0 ? [] : await run(ARTIFACT_PATHS, known)
  return new Map(rows.map((row) => [String(row['id']), String(row['path'])]))
}
