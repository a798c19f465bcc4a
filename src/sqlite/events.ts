import type { Scope } from '../core/scope.ts'
import type { EventQuery, EventRecord } from '../store/events.ts'
import { eventOf } from '../store/codes.ts'
import type { Database } from './database.ts'
import type { SqlValue } from './driver.ts'
import { idFromBytes, idToBytes } from './ids.ts'
import { nullableText, scopedRow } from '../store/columns.ts'
import { isId } from '../store/ids.ts'

// From the events to their jobs, never the other way round: a reader wants what follows a position, in its order.
const COLUMNS =
  'SELECT e.position, e.seq, e.code, e.at, e.attempt, e.detail, j.id, j.type, j.tenant, j.owner FROM millrace_events AS e ' +
  'CROSS JOIN millrace_jobs AS j ON j.n = e.job'

const EVENTS_AFTER = `${COLUMNS} WHERE e.position > ?`
const EVENTS_OF_JOB = `${COLUMNS} WHERE e.job = (SELECT n FROM millrace_jobs WHERE id = ?) AND e.position > ?`

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
  if (scope.role === 'admin') return { sql: ' AND j.tenant = ?', values: [scope.tenant] }
  return { sql: ' AND j.tenant = ? AND j.owner = ?', values: [scope.tenant, scope.user] }
}

const LATEST_POSITION = 'SELECT max(position) AS position FROM millrace_events'

export function latestPosition(db: Database): number {
  return Number(db.get(LATEST_POSITION)?.['position'] ?? 0)
}
