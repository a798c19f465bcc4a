/** Deleting what is over, batch by batch, each in a transaction of its own that is over in a few milliseconds. */
import { EVENT_CODES, STATE_CODES } from '../store/codes.ts'
import { isId } from '../store/ids.ts'
import type { FinishedPage, FinishedQuery, Purged, SweepUp, SweptUp } from '../store/retention.ts'
import type { Database } from './database.ts'
import type { Row, SqlValue } from './driver.ts'
import { RUN_FIRST, RUN_LAST } from './event-lists.ts'
import { idFromBytes, idToBytes } from './ids.ts'

// By insertion, through the index of finished jobs. The clock does not run back, so no job that was made later can have ended earlier.
const FINISHED =
  'SELECT n, id, finished_at, event_seq, created_at FROM millrace_jobs INDEXED BY millrace_jobs_finished ' +
  'WHERE state = ? AND type = (SELECT n FROM millrace_types WHERE name = ?) AND finished_at IS NOT NULL AND n'
const FROM_OLDEST = `${FINISHED} > ? ORDER BY n LIMIT ?`
const FROM_NEWEST = `${FINISHED} < ? ORDER BY n DESC LIMIT ?`

export function finishedJobs(db: Database, query: FinishedQuery): FinishedPage {
  const { type, state, from, until, limit, after } = query
  const start = from === 'oldest' ? 0 : Number.MAX_SAFE_INTEGER
  const sql = from === 'oldest' ? FROM_OLDEST : FROM_NEWEST
  const rows = db.all(sql, STATE_CODES[state], type, after === null ? start : Number(after), limit)
  const last = rows.at(-1)
  const isOver = rows.length < limit || (until !== null && rows.every((row) => Number(row['created_at']) > until))
  return {
    jobs: rows.map((row) => ({
      id: idFromBytes(row['id']),
      finishedAt: Number(row['finished_at']),
      eventSeq: Number(row['event_seq']),
    })),
    next: isOver || last === undefined ? null : `${Number(last['n'])}`,
  }
}

/** A job that was retried meanwhile is not over, or ended at another time. Here a delivery that is pending will hold a job back. */
const DOOMED =
  'SELECT j.n, j.id, j.type, j.tenant, j.owner, j.idempotency_key, j.event_seq, j.attempt, j.created_in, j.started_in, j.completed_in FROM json_each(?) AS s ' +
  "CROSS JOIN millrace_jobs AS j ON j.id = unhex(s.value ->> 0, '-') WHERE j.finished_at = s.value ->> 1"

const LIST = 'IN (SELECT value FROM json_each(?))'
const CHILDREN = ['bodies', 'labels', 'phases', 'attempts', 'events', 'entities'].map(
  (table) => `DELETE FROM millrace_${table} WHERE job ${LIST}`,
)
const ARTIFACTS = `DELETE FROM millrace_artifacts WHERE job ${LIST} RETURNING path`
const JOBS = `DELETE FROM millrace_jobs WHERE n ${LIST}`
/** A list is there for as long as one of its jobs is. */
const LISTS =
  `DELETE FROM millrace_event_lists AS list WHERE list.position ${LIST} AND NOT EXISTS (SELECT 1 FROM json_each(list.jobs) AS r ` +
  `CROSS JOIN millrace_jobs AS j ON j.n BETWEEN ${RUN_FIRST} AND ${RUN_LAST})`
const TELL = 'INSERT INTO millrace_events (job, seq, code, at, attempt, detail) VALUES (?, ?, ?, ?, ?, ?)'
const REMEMBER =
  'INSERT INTO millrace_deleted_jobs (position, job, id, type, tenant, owner, idempotency_key, deleted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
const FREE_KEY = 'DELETE FROM millrace_keys WHERE tenant = ? AND type = ? AND key = ? AND job = ? AND held_until <= ?'

export function purgeJobs(db: Database, jobs: readonly { readonly id: string; readonly finishedAt: number }[]): Purged {
  const asked = jobs.filter(({ id }) => isId(id)).map(({ id, finishedAt }) => [id, finishedAt])
  const rows = db.all(DOOMED, JSON.stringify(asked))
  if (rows.length === 0) return { jobs: [], paths: [] }
  const list = JSON.stringify(rows.map((row) => row['n']))
  for (const sql of CHILDREN) db.run(sql, list)
  const paths = db.all(ARTIFACTS, list).map((row) => String(row['path']))
  db.run(JOBS, list)
  const lists = rows.flatMap((row) => [row['created_in'], row['started_in'], row['completed_in']])
  db.run(LISTS, JSON.stringify([...new Set(lists)].filter((position) => position !== null)))
  for (const row of rows) leaveTrace(db, row)
  return { jobs: rows.map((row) => idFromBytes(row['id'])), paths }
}

function leaveTrace(db: Database, row: Row): void {
  const column = (name: string): SqlValue => row[name] ?? null
  const detail = JSON.stringify({ deletedJobId: idFromBytes(row['id']) })
  const seq = Number(row['event_seq']) + 1
  const position = db.insert(TELL, column('n'), seq, EVENT_CODES['job:deleted'], db.now, column('attempt'), detail)
  const whose = [column('type'), column('tenant'), column('owner'), column('idempotency_key')]
  db.run(REMEMBER, position, column('n'), column('id'), ...whose, db.now)
  freeKey(db, row)
}

function freeKey(db: Database, row: Row): void {
  const { tenant = null, type = null, idempotency_key: key = null, id = null } = row
  if (key !== null) db.run(FREE_KEY, tenant, type, key, id, db.now)
}

const EXPIRED_ARTIFACTS =
  'DELETE FROM millrace_artifacts WHERE n IN (SELECT n FROM millrace_artifacts WHERE expires_at IS NOT NULL AND expires_at <= ? ' +
  'ORDER BY expires_at LIMIT ?) RETURNING path'
/** In the order in which they were deleted. */
const TRACES =
  'SELECT position, id, type, tenant, idempotency_key, deleted_at FROM millrace_deleted_jobs WHERE position > 0 ORDER BY position LIMIT ?'
const DROP_EVENT = 'DELETE FROM millrace_events WHERE position = ?'
const DROP_TRACE = 'DELETE FROM millrace_deleted_jobs WHERE position = ?'

export function sweepUp(db: Database, { eventsMs, sessionsMs, limit }: SweepUp): SweptUp {
  const paths = db.all(EXPIRED_ARTIFACTS, db.now, limit).map((row) => String(row['path']))
  const traces = db.all(TRACES, limit).filter((row) => Number(row['deleted_at']) <= db.now - eventsMs)
  for (const row of traces) {
    db.run(DROP_EVENT, row['position'] ?? null)
    db.run(DROP_TRACE, row['position'] ?? null)
    freeKey(db, row)
  }
  const sessions = db.run(DROP_SESSIONS, db.now - sessionsMs, oldestJobAt(db), limit)
  return { deletedEvents: traces.length, sessions, artifacts: paths.length, paths }
}

/**
 * A job or an attempt can only show a session that was open when the job was there. So one that ended before the oldest job was made is shown
 * by none, which spares a look at all of them.
 */
const OLDEST_JOB = 'SELECT created_at FROM millrace_jobs WHERE n > 0 ORDER BY n LIMIT 1'
const DROP_SESSIONS =
  'DELETE FROM millrace_sessions WHERE n IN (SELECT n FROM millrace_sessions WHERE ended_at <= ? AND ended_at < ? ORDER BY n LIMIT ?)'

function oldestJobAt(db: Database): number {
  return Number(db.get(OLDEST_JOB)?.['created_at'] ?? Number.MAX_SAFE_INTEGER)
}

const ARTIFACT_PATH = 'SELECT path FROM millrace_artifacts WHERE id = ?'

export function artifactPaths(db: Database, ids: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    ids.flatMap((id): readonly [string, string][] => {
      const row = isId(id) ? db.get(ARTIFACT_PATH, idToBytes(id)) : undefined
      return row === undefined ? [] : [[id, String(row['path'])]]
    }),
  )
}
