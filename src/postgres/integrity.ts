/** What is sound in the store and what is not. Everything is read in pages; each repair looks again in its own transaction. */
import { repairJob } from '../core/repair.ts'
import type { JobRepair } from '../core/repair.ts'
import { hiddenFrom } from '../core/scope.ts'
import type { Scope } from '../core/scope.ts'
import { forgiveDisorder } from '../core/validation.ts'
import type { IssueCode } from '../core/validation.ts'
import { auditedJob } from '../store/audited-job.ts'
import { EVENT_CODES, OUTCOME_CODES, STATE_CODES } from '../store/codes.ts'
import { FIRST_ID, isId } from '../store/ids.ts'
import type { ArtifactPage, AuditPage, AuditedJob, Belonging, Page, StrayPage } from '../store/integrity.ts'
import { NOW } from './database.ts'
import type { Transaction } from './database.ts'
import type { Row, RunRows } from './driver.ts'
import { writeEvents } from './history.ts'
import { ROW_COLUMNS } from './rows.ts'

const FINAL_CODES = [EVENT_CODES['job:completed'], EVENT_CODES['job:failed'], EVENT_CODES['job:cancelled']].join(', ')
const BESIDE =
  `SELECT ${ROW_COLUMNS}, (t.n IS NOT NULL)::integer AS has_type, (l.n IS NOT NULL)::integer AS has_lane, (q.n IS NOT NULL)::integer AS has_queue, ` +
  '(p.n IS NOT NULL)::integer AS has_phase_list, (j.input IS NOT NULL)::integer AS has_input, (SELECT count(*) FROM millrace.phases AS r WHERE r.job = j.id) AS results, ' +
  'e.events + coalesce(k.events, 0) AS events, greatest(e.last_seq, k.last_seq) AS last_seq, e.finals + coalesce(k.finals, 0) AS finals FROM'
const TOLD = `count(DISTINCT o.seq) AS events, coalesce(max(o.seq), 0) AS last_seq, count(*) FILTER (WHERE o.code IN (${FINAL_CODES})) AS finals`
/** Only what stands in the very lists that a job's row names counts for it. The jobs of a page share most of theirs. */
const LISTED =
  'told AS MATERIALIZED (SELECT i.id, c.commit FROM page AS i CROSS JOIN LATERAL (VALUES (i.created_in), (i.started_in), (i.completed_in)) AS c (commit) ' +
  'WHERE c.commit IS NOT NULL), ' +
  'lists AS MATERIALIZED (SELECT c.n, c.seq, c.code, u.job FROM (SELECT DISTINCT commit FROM told) AS t CROSS JOIN LATERAL ' +
  '(SELECT * FROM millrace.commits AS a WHERE a.n = t.commit OFFSET 0) AS c CROSS JOIN LATERAL unnest(c.jobs) AS u (job)), ' +
  `listed AS MATERIALIZED (SELECT o.job, ${TOLD} FROM told AS t JOIN lists AS o ON o.job = t.id AND o.n = t.commit GROUP BY o.job)`
const JOINED =
  'page AS j LEFT JOIN millrace.types AS t ON t.n = j.type LEFT JOIN millrace.lanes AS l ON l.n = j.lane LEFT JOIN millrace.queues AS q ON q.n = l.queue ' +
  'LEFT JOIN millrace.phase_lists AS p ON p.n = j.phase_list LEFT JOIN listed AS k ON k.job = j.id ' +
  `CROSS JOIN LATERAL (SELECT ${TOLD} FROM (SELECT * FROM millrace.events AS i WHERE i.job = j.id OFFSET 0) AS o) AS e`
const AUDIT_PAGE = `WITH page AS MATERIALIZED (SELECT * FROM millrace.jobs AS i WHERE i.id > $1 ORDER BY i.id LIMIT $2), ${LISTED} ${BESIDE} ${JOINED} ORDER BY j.id`
const AUDIT_ONE = `WITH page AS MATERIALIZED (SELECT * FROM millrace.jobs AS i WHERE i.id = $1), ${LISTED} ${BESIDE} ${JOINED}`

/** No transaction of ours waits longer between its beginning and its first look. */
const CLOCK_SLACK_MS = 20_000

function audited(row: Row): AuditedJob {
  return forgiveDisorder(auditedJob(row, { id: String(row['id']), suspect: row['suspect'] === true }), CLOCK_SLACK_MS)
}

export async function auditJobs(run: RunRows, { after, limit }: Page): Promise<AuditPage> {
  const rows = await run(AUDIT_PAGE, after ?? FIRST_ID, limit)
  return { jobs: rows.map(audited), next: rows.length < limit ? null : String(rows.at(-1)?.['id']) }
}

export async function auditJob(
  run: RunRows,
  id: string,
  scope: Scope,
): Promise<AuditedJob | 'not-found' | 'forbidden'> {
  const [row] = isId(id) ? await run(AUDIT_ONE, id) : []
  if (row === undefined) return 'not-found'
  const job = audited(row)
  return hiddenFrom(scope, job) ?? job
}

const LOCK = 'SELECT 1 FROM millrace.jobs WHERE id = $1 FOR UPDATE'
const PUT_RIGHT =
  'UPDATE millrace.jobs SET bundled = false, state = $2, progress = $3, holder = $4, fence = $5, deadline_at = $6, finished_at = $7, cancel_requested_at = $8, ' +
  'cancelled_by = $9, cancel_reason = $10, event_seq = $11, updated_at = $12 WHERE id = $1'
const END_ATTEMPT =
  'INSERT INTO millrace.attempts (job, attempt, generation, outcome, phase, progress, session, started_at, ended_at) ' +
  "SELECT j.id, j.attempt, j.generation, $2, coalesce((SELECT p.names::json ->> least(j.phase, j.phase_count - 1)::integer FROM millrace.phase_lists AS p WHERE p.n = j.phase_list), ''), " +
  'j.progress, j.session, j.started_at, $3 FROM millrace.jobs AS j WHERE j.id = $1 AND j.started_at IS NOT NULL ON CONFLICT DO NOTHING'

export async function repairStoredJob(tx: Transaction, id: string): Promise<readonly IssueCode[]> {
  if (!isId(id)) return []
  await tx.rows(LOCK, id)
  const [row] = await tx.rows(AUDIT_ONE, id)
  const repair = row === undefined ? null : repairJob(audited(row), tx.now)
  if (repair === null || repair.fixed.length === 0) return []
  if (repair.endsAttempt) await tx.rows(END_ATTEMPT, id, OUTCOME_CODES.lost, tx.now)
  await putRight(tx, id, repair)
  return repair.fixed
}

async function putRight(tx: Transaction, id: string, { row, event }: JobRepair): Promise<void> {
  const { state, progress, holder, fence, deadlineAt, finishedAt, eventSeq: seq, attempt } = row
  const { cancelRequestedAt, cancelledBy, cancelReason } = row
  const ends = [deadlineAt, finishedAt, cancelRequestedAt, cancelledBy, cancelReason]
  await tx.rows(PUT_RIGHT, id, STATE_CODES[state], progress, holder, fence, ...ends, seq, tx.now)
  if (event === null) return
  const detail = event === 'job:queued' ? { cause: 'repair' } : { cancelledBy, reason: cancelReason }
  await writeEvents(tx, [{ job: id, seq, event, attempt, detail: JSON.stringify(detail) }])
}

const TABLES: Readonly<Record<Exclude<Belonging, 'key' | 'body'>, string>> = {
  label: 'millrace.labels',
  phase: 'millrace.phases',
  attempt: 'millrace.attempts',
  event: 'millrace.events',
  artifact: 'millrace.artifacts',
  entity: 'millrace.entities',
}

/** The event that tells of a deletion outlives its job. */
function isLost(belonging: Belonging): string {
  const gone = '(SELECT j.id FROM millrace.jobs AS j WHERE j.id = s.job) IS NULL'
  const isTold = 'code = ' + EVENT_CODES['job:deleted']
  if (belonging !== 'event') return gone
  return `${gone} AND NOT (s.${isTold} AND (SELECT d.id FROM millrace.deleted_jobs AS d WHERE d.id = s.job) IS NOT NULL)`
}

const KEYS =
  `SELECT k.tenant, k.type, k.key, k.held_until <= ${NOW} AND (SELECT j.id FROM millrace.jobs AS j WHERE j.id = k.job) IS NULL AS lost ` +
  'FROM millrace.keys AS k WHERE (k.tenant, k.type, k.key) > ($2, $3, $4) ORDER BY k.tenant, k.type, k.key LIMIT $5'

export interface Reader {
  readonly run: RunRows
  /** A virtual clock's time; null: the database's. */
  readonly now: number | null
}

export async function findStrays(reader: Reader, belonging: Belonging, { after, limit }: Page): Promise<StrayPage> {
  if (belonging === 'key') return strayKeys(reader, { after, limit })
  // Long texts stand on the job's own row.
  if (belonging === 'body') return { strays: [], next: null }
  const table = TABLES[belonging]
  const jobs = await reader.run(
    `SELECT DISTINCT job FROM ${table} WHERE job > $1 ORDER BY job LIMIT $2`,
    after ?? FIRST_ID,
    limit,
  )
  const ids = jobs.map((row) => String(row['job']))
  const lost = await reader.run(
    `SELECT DISTINCT s.job FROM ${table} AS s WHERE s.job = ANY($1::uuid[]) AND ${isLost(belonging)} ORDER BY s.job`,
    ids,
  )
  return { strays: lost.map((row) => String(row['job'])), next: ids.length < limit ? null : (ids.at(-1) ?? null) }
}

async function strayKeys({ run, now }: Reader, { after, limit }: Page): Promise<StrayPage> {
  const [tenant, type, key] = (after === null ? ['', 0, ''] : JSON.parse(after)) as [string, number, string]
  const rows = await run(KEYS, now, tenant, type, key, limit)
  const nameOf = (row: Row): string => JSON.stringify([row['tenant'], Number(row['type']), row['key']])
  const last = rows.at(-1)
  return {
    strays: rows.filter((row) => row['lost'] === true).map(nameOf),
    next: rows.length < limit || last === undefined ? null : nameOf(last),
  }
}

const DROP_KEY =
  'DELETE FROM millrace.keys AS k WHERE k.tenant = $2 AND k.type = $3 AND k.key = $4 AND k.held_until <= $1 ' +
  'AND (SELECT j.id FROM millrace.jobs AS j WHERE j.id = k.job) IS NULL RETURNING 1'

export async function dropStrays(tx: Transaction, belonging: Belonging, strays: readonly string[]): Promise<number> {
  let dropped = 0
  if (belonging === 'body') return dropped
  for (const stray of belonging === 'key' ? strays : []) {
    const [tenant, type, key] = JSON.parse(stray) as [string, number, string]
    dropped += (await tx.rows(DROP_KEY, tx.now, tenant, type, key)).length
  }
  if (belonging === 'key') return dropped
  const sql = `DELETE FROM ${TABLES[belonging]} AS s WHERE s.job = ANY($1::uuid[]) AND ${isLost(belonging)} RETURNING 1`
  return (await tx.rows(sql, strays)).length
}

const ARTIFACTS =
  "SELECT a.n, a.id, a.path, a.size_bytes, encode(a.sha256, 'hex') AS sha256, a.job " +
  'FROM (SELECT * FROM millrace.artifacts AS i WHERE i.n > $2 ORDER BY i.n LIMIT $3) AS a ' +
  `WHERE (SELECT j.id FROM millrace.jobs AS j WHERE j.id = a.job) IS NOT NULL AND (a.expires_at IS NULL OR a.expires_at > ${NOW}) ORDER BY a.n`
const LAST_OF_PAGE =
  'SELECT max(n) AS n, count(*) AS rows FROM (SELECT n FROM millrace.artifacts WHERE n > $1 ORDER BY n LIMIT $2) AS a'

export async function keptArtifacts({ run, now }: Reader, { after, limit }: Page): Promise<ArtifactPage> {
  const from = Number(after ?? 0)
  const [page] = await run(LAST_OF_PAGE, from, limit)
  const rows = await run(ARTIFACTS, now, from, limit)
  return {
    artifacts: rows.map((row) => ({
      id: String(row['id']),
      jobId: String(row['job']),
      path: String(row['path']),
      sizeBytes: Number(row['size_bytes']),
      sha256: String(row['sha256']),
    })),
    next: Number(page?.['rows']) < limit ? null : `${Number(page?.['n'])}`,
  }
}
