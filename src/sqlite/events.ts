import type { Scope } from '../core/scope.ts'
import type { EventQuery, EventRecord } from '../store/events.ts'
import { eventOf } from '../store/codes.ts'
import type { Database } from './database.ts'
import type { SqlValue } from './driver.ts'
import { idFromBytes, idToBytes } from './ids.ts'
import { nullableText, scopedRow } from '../store/columns.ts'
import { isId } from '../store/ids.ts'

// From the events to their jobs, never the other way round: a reader wants what follows a position, in its order.
// Of a job that is gone its last event is told.
const COLUMNS =
  'SELECT e.position, e.seq, e.code, e.at, e.attempt, e.detail, ifnull(j.id, d.id) AS id, ifnull(j.type, d.type) AS type, ' +
  'ifnull(j.tenant, d.tenant) AS tenant, iif(j.n IS NULL, d.owner, j.owner) AS owner FROM millrace_events AS e ' +
  'LEFT JOIN millrace_jobs AS j ON j.n = e.job LEFT JOIN millrace_deleted_jobs AS d ON d.position = e.position'
const TENANT = 'ifnull(j.tenant, d.tenant)'
const OWNER = 'iif(j.n IS NULL, d.owner, j.owner)'
const IS_KNOWN = '(j.n IS NOT NULL OR d.position IS NOT NULL)'

const EVENTS_AFTER = `${COLUMNS} WHERE e.position > ? AND ${IS_KNOWN}`
const JOB =
  'ifnull((SELECT n FROM millrace_jobs WHERE id = ?1), (SELECT max(job) FROM millrace_deleted_jobs WHERE id = ?1))'
const EVENTS_OF_JOB = `${COLUMNS} WHERE e.job = ${JOB} AND e.position > ?2 AND ${IS_KNOWN}`

export function readEvents(db: Database, { scope, after, limit, jobId }: EventQuery): readonly EventRecord[] {
  if (jobId !== null && !isId(jobId)) return []
  const { sql, values } = scopeCondition(scope)
  const rows =
    jobId === null
      ? db.all(`${EVENTS_AFTER}${sql} ORDER BY e.position LIMIT ?`, after, ...values, limit)
      : db.all(`${EVENTS_OF_JOB}${sql} ORDER BY e.seq LIMIT ?`, idToBytes(jobId), after, ...values, limit)
  return rows.map((row) => ({
    position: Number(row['position']),
    jobId: idFromBytes(row['id']),
    type: db.typeName(Number(row['type'])),
    seq: Number(row['seq']),
    name: eventOf(row['code']),
    at: Number(row['at']),
    attempt: Number(row['attempt']),
    detail: nullableText(row['detail']),
    ...scopedRow(row),
  }))
}

function scopeCondition(scope: Scope): { readonly sql: string; readonly values: readonly SqlValue[] } {
  if (scope.role === 'operator') return { sql: '', values: [] }
  if (scope.role === 'admin') return { sql: ` AND ${TENANT} = ?`, values: [scope.tenant] }
  return { sql: ` AND ${TENANT} = ? AND ${OWNER} = ?`, values: [scope.tenant, scope.user] }
}

// Of the latest that was ever written: events of deleted jobs may be gone.
const LATEST_POSITION = "SELECT seq AS position FROM sqlite_sequence WHERE name = 'millrace_events'"

export function latestPosition(db: Database): number {
  return Number(db.get(LATEST_POSITION)?.['position'] ?? 0)
}
