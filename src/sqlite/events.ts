import type { Scope } from '../core/scope.ts'
import type { EventQuery, EventRecord } from '../store/events.ts'
import { eventOf } from '../store/codes.ts'
import type { Database } from './database.ts'
import type { Row, SqlValue } from './driver.ts'
import { RUN_FIRST, RUN_LAST, RUN_POSITION } from './event-lists.ts'
import { idFromBytes, idToBytes } from './ids.ts'
import { nullableText, scopedRow } from '../store/columns.ts'
import { isId } from '../store/ids.ts'

// From the events to their jobs, never the other way round: a reader wants what follows a position, in its order.
// Of a job that is gone its last event is told.
const IN_ROWS =
  'SELECT e.position, e.seq, e.code, e.at, e.attempt, e.detail, ifnull(j.id, d.id) AS id, ifnull(j.type, d.type) AS type, ' +
  'ifnull(j.tenant, d.tenant) AS tenant, iif(j.n IS NULL, d.owner, j.owner) AS owner FROM millrace_events AS e ' +
  'LEFT JOIN millrace_jobs AS j ON j.n = e.job LEFT JOIN millrace_deleted_jobs AS d ON d.position = e.position'
const IS_KNOWN = '(j.n IS NOT NULL OR d.position IS NOT NULL)'
const ROWS_AFTER = `${IN_ROWS} WHERE e.position > ? AND ${IS_KNOWN}`
const JOB =
  'ifnull((SELECT n FROM millrace_jobs WHERE id = ?1), (SELECT max(job) FROM millrace_deleted_jobs WHERE id = ?1))'
const ROWS_OF_JOB = `${IN_ROWS} WHERE e.job = ${JOB} AND e.position > ?2 AND ${IS_KNOWN}`

const POSITION = `${RUN_POSITION} + j.n - (${RUN_FIRST})`
const IN_LISTS = `SELECT ${POSITION} AS position, list.seq, list.code, list.at, list.attempt, NULL AS detail, j.id, j.type, j.tenant, j.owner`
// Both ways of reading go by what a job's row says, so that they can't differ.
const NAMES_IT = 'list.position IN (j.created_in, j.started_in, j.completed_in)'
/** The first key of a run whose event lies behind a position. */
const FIRST_AFTER = `max(${RUN_FIRST}, ${RUN_FIRST} + ?1 + 1 - (${RUN_POSITION}))`
// List by list, run by run, job by job: that is the order of their positions. The list that a position lies in begins at or before it.
const LISTS_AFTER =
  `${IN_LISTS} FROM millrace_event_lists AS list CROSS JOIN json_each(list.jobs) AS r ` +
  `CROSS JOIN millrace_jobs AS j ON j.n BETWEEN ${FIRST_AFTER} AND ${RUN_LAST} ` +
  'WHERE list.position >= ifnull((SELECT max(position) FROM millrace_event_lists WHERE position <= ?1 + 1), 0) ' +
  `AND list.position + list.events > ?1 + 1 AND ${NAMES_IT}`
// Three at the most, in the order in which they are named.
const LISTS_OF_JOB =
  `${IN_LISTS} FROM millrace_jobs AS j CROSS JOIN json_each(json_array(j.created_in, j.started_in, j.completed_in)) AS t ` +
  'CROSS JOIN millrace_event_lists AS list ON list.position = t.value CROSS JOIN json_each(list.jobs) AS r ' +
  `WHERE j.id = ?1 AND j.n BETWEEN ${RUN_FIRST} AND ${RUN_LAST} AND ${POSITION} > ?2`

const ROWS_WHOSE: Whose = { tenant: 'ifnull(j.tenant, d.tenant)', owner: 'iif(j.n IS NULL, d.owner, j.owner)' }
const LISTS_WHOSE: Whose = { tenant: 'j.tenant', owner: 'j.owner' }

export function readEvents(db: Database, { scope, after, limit, jobId }: EventQuery): readonly EventRecord[] {
  if (jobId !== null && !isId(jobId)) return []
  const ask = (asked: string, whose: Whose, order: string): readonly Row[] => {
    const { sql, values } = scopeCondition(scope, whose)
    const from = jobId === null ? [after] : [idToBytes(jobId), after]
    return db.all(`${asked}${sql} ${order} LIMIT ?`, ...from, ...values, limit)
  }
  const [rows, lists] = jobId === null ? [ROWS_AFTER, LISTS_AFTER] : [ROWS_OF_JOB, LISTS_OF_JOB]
  const inRows = ask(rows, ROWS_WHOSE, jobId === null ? 'ORDER BY e.position' : 'ORDER BY e.seq')
  const inLists = ask(lists, LISTS_WHOSE, jobId === null ? 'ORDER BY list.position, r.id, j.n' : '')
  return inOrder(inRows, inLists)
    .slice(0, limit)
    .map((row) => ({
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

/** A job's events are in the order of their positions too. */
function inOrder(inRows: readonly Row[], inLists: readonly Row[]): readonly Row[] {
  if (inLists.length === 0) return inRows
  if (inRows.length === 0) return inLists
  return [...inRows, ...inLists].toSorted((one, other) => Number(one['position']) - Number(other['position']))
}

/** Where a statement has what a scope asks for. */
interface Whose {
  readonly tenant: string
  readonly owner: string
}

function scopeCondition(
  scope: Scope,
  { tenant, owner }: Whose,
): { readonly sql: string; readonly values: readonly SqlValue[] } {
  if (scope.role === 'operator') return { sql: '', values: [] }
  if (scope.role === 'admin') return { sql: ` AND ${tenant} = ?`, values: [scope.tenant] }
  return { sql: ` AND ${tenant} = ? AND ${owner} = ?`, values: [scope.tenant, scope.user] }
}

// Of the latest that was ever written: events of deleted jobs may be gone.
const LATEST_POSITION = "SELECT seq AS position FROM sqlite_sequence WHERE name = 'millrace_events'"

export function latestPosition(db: Database): number {
  return Number(db.get(LATEST_POSITION)?.['position'] ?? 0)
}
