/**
 * Reading the log.
 *
 * A transaction takes its number (`commits.n`) when it writes, and transactions become visible in another order: whoever went by these
 * numbers would pass over one that is committed late. So places in the log are given afterwards, to commits that are visible, by one reader
 * at a time; a commit that becomes visible later is placed later. Numbering commits instead of events keeps it out of the writers' way.
 */
import type { Scope } from '../core/scope.ts'
import { EVENT_CODES, eventOf } from '../store/codes.ts'
import type { EventQuery, EventRecord } from '../store/events.ts'
import type { Database, Transaction } from './database.ts'
import type { PgValue } from './driver.ts'
import { nullableText, scopedRow } from '../store/columns.ts'
import { isId } from '../store/ids.ts'

/** How far the log is numbered, if there is something to number. */
const UNPLACED =
  'SELECT position FROM millrace.log_head WHERE EXISTS (SELECT 1 FROM millrace.commits WHERE first IS NULL)'

/**
 * Goes on from `$1`, in the order of the commits' numbers, which of two commits on one job is the order of its events. Nothing is placed if
 * somebody else has gone on from there: what this statement sees is then out of date. It is one statement, so that nobody who falls silent
 * keeps others from reading.
 */
const PLACE =
  'WITH head AS MATERIALIZED (SELECT position FROM millrace.log_head WHERE position = $1 FOR UPDATE), ' +
  'unplaced AS MATERIALIZED (SELECT c.ctid AS place, c.n, c.events FROM head, millrace.commits AS c WHERE c.first IS NULL ORDER BY c.n LIMIT $2), ' +
  'placed AS (UPDATE millrace.commits AS c SET first = p.first FROM (SELECT place, $1 + 1 + (sum(events) OVER (ORDER BY n)) - events AS first FROM unplaced) AS p ' +
  'WHERE c.ctid = p.place RETURNING c.events), counted AS (SELECT count(*) AS commits, sum(events) AS events FROM placed) ' +
  'UPDATE millrace.log_head SET position = $1 + counted.events FROM head, counted WHERE counted.commits > 0 RETURNING counted.commits'

const PLACED_AT_ONCE = 5_000
/** Of two others who were faster, one after the other, the second has seen all that was there when this began. */
const FASTER_OTHERS = 2

/** Every commit that is visible now has its place afterwards. */
export async function placeCommits(db: Database): Promise<void> {
  for (let faster = 0; faster < FASTER_OTHERS;) {
    const [head] = await db.ask(UNPLACED)
    if (head === undefined) return
    const placed = await placeFrom(db, Number(head['position']))
    if (placed > 0 && placed < PLACED_AT_ONCE) return
    faster = placed === 0 ? faster + 1 : 0
  }
}

async function placeFrom(db: Database, position: number): Promise<number> {
  const [row] = db.mayAutocommit
    ? await db.rows(PLACE, position, PLACED_AT_ONCE)
    : await db.write((tx) => tx.rows(PLACE, position, PLACED_AT_ONCE), { forRead: true })
  return Number(row?.['commits'] ?? 0)
}

const COLUMNS =
  'SELECT c.first + e.idx AS position, e.seq, e.code, e.at, e.attempt, e.detail, e.job, j.tenant, j.owner, t.name AS type'
/** Whose a job is, or was: of one that is gone its last event is told. */
const WHOSE =
  'SELECT i.type, i.tenant, i.owner FROM millrace.jobs AS i WHERE i.id = e.job ' +
  // Both ways of reading go by what a job's row says, so that they can't differ.
  'AND (NOT e.is_listed OR e.commit IN (i.created_in, i.started_in, i.completed_in)) ' +
  `UNION ALL SELECT d.type, d.tenant, d.owner FROM millrace.deleted_jobs AS d WHERE d.id = e.job AND e.code = ${EVENT_CODES['job:deleted']}`
const TYPE = 'JOIN millrace.types AS t ON t.n = j.type'

/** The events of a commit `c` that a list tells of. */
const LISTED =
  'SELECT c.n AS commit, (u.item - 1)::integer AS idx, u.job, c.seq::integer AS seq, c.code, c.at, c.attempt::integer AS attempt, NULL AS detail, true AS is_listed ' +
  'FROM unnest(c.jobs) WITH ORDINALITY AS u (job, item)'
const IN_ROWS =
  'SELECT o.commit, o.idx, o.job, o.seq, o.code, o.at, o.attempt, o.detail, false AS is_listed FROM millrace.events AS o'

/**
 * From a position on, commit by commit. The planner can't know how much lies behind the position, takes it for a third of the log, and would
 * rather go through all jobs of a tenant. Each OFFSET 0 keeps it to the order of the log, a look-up for each event.
 */
const LOG =
  `${COLUMNS} FROM (SELECT a.* FROM millrace.commits AS a WHERE a.first IS NOT NULL ` +
  // The commit that a position lies in begins at or before it.
  'AND a.first >= coalesce((SELECT max(b.first) FROM millrace.commits AS b WHERE b.first IS NOT NULL AND b.first <= $1 + 1), 1) ' +
  'ORDER BY a.first OFFSET 0) AS c CROSS JOIN LATERAL ' +
  `(${IN_ROWS} WHERE o.commit = c.n AND c.first + o.idx > $1 UNION ALL ` +
  `${LISTED} WHERE u.job IS NOT NULL AND c.first + u.item - 1 > $1 ORDER BY idx OFFSET 0) AS e CROSS JOIN LATERAL ` +
  `(${WHOSE} OFFSET 0) AS j ${TYPE}`
/** Its own row says which lists a job is in. */
const OF_JOB =
  `${COLUMNS} FROM (${IN_ROWS} WHERE o.job = $1 UNION ALL SELECT l.* FROM (SELECT t.commit FROM millrace.jobs AS i CROSS JOIN LATERAL ` +
  '(VALUES (i.created_in), (i.started_in), (i.completed_in)) AS t (commit) WHERE i.id = $1 OFFSET 0) AS i ' +
  'CROSS JOIN LATERAL (SELECT * FROM millrace.commits AS a WHERE a.n = i.commit OFFSET 0) AS c ' +
  `CROSS JOIN LATERAL (${LISTED} WHERE u.job = $1) AS l) AS e ` +
  'CROSS JOIN LATERAL (SELECT a.first FROM millrace.commits AS a WHERE a.n = e.commit OFFSET 0) AS c ' +
  `CROSS JOIN LATERAL (${WHOSE} OFFSET 0) AS j ${TYPE}`

export async function readEvents(db: Database, query: EventQuery): Promise<readonly EventRecord[]> {
  const { scope, after, limit, jobId } = query
  if (jobId !== null && !isId(jobId)) return []
  await placeCommits(db)
  const { sql, values } = scopeCondition(scope, 3)
  return db.read(async (tx) => {
    const rows =
      jobId === null
        ? await tx.rows(`${LOG} WHERE true${sql} ORDER BY c.first, e.idx LIMIT $2`, after, limit, ...values)
        : await eventsOfJob(tx, jobId, query)
    return rows.map((row) => ({
      position: Number(row['position']),
      jobId: String(row['job']),
      type: String(row['type']),
      seq: Number(row['seq']),
      name: eventOf(row['code']),
      at: Number(row['at']),
      attempt: Number(row['attempt']),
      detail: nullableText(row['detail']),
      ...scopedRow(row),
    }))
  })
}

function eventsOfJob(
  tx: Transaction,
  jobId: string,
  { scope, after, limit }: EventQuery,
): ReturnType<Transaction['rows']> {
  const { sql, values } = scopeCondition(scope, 4)
  const where = `c.first IS NOT NULL AND c.first + e.idx > $2${sql}`
  return tx.rows(`${OF_JOB} WHERE ${where} ORDER BY e.seq LIMIT $3`, jobId, after, limit, ...values)
}

function scopeCondition(scope: Scope, next: number): { readonly sql: string; readonly values: readonly PgValue[] } {
  if (scope.role === 'operator') return { sql: '', values: [] }
  if (scope.role === 'admin') return { sql: ` AND j.tenant = $${next}`, values: [scope.tenant] }
  return { sql: ` AND j.tenant = $${next} AND j.owner = $${next + 1}`, values: [scope.tenant, scope.user] }
}

const LATEST = 'SELECT position FROM millrace.log_head'

export async function latestPosition(db: Database): Promise<number> {
  await placeCommits(db)
  const [row] = await db.ask(LATEST)
  return Number(row?.['position'] ?? 0)
}
