/**
 * Reading the log.
 *
 * A transaction takes its number (`commits.n`) when it writes, and transactions become visible in another order: whoever went by these
 * numbers would pass over one that is committed late. So places in the log are given afterwards, to commits that are visible, by one reader
 * at a time; a commit that becomes visible later is placed later. Numbering commits instead of events keeps it out of the writers' way.
 */
import type { Scope } from '../core/scope.ts'
import { eventOf } from '../store/codes.ts'
import type { EventQuery, EventRecord } from '../store/events.ts'
import type { Database, Transaction } from './database.ts'
import type { PgValue } from './driver.ts'
import { nullableText } from '../store/columns.ts'
import { isId } from './rows.ts'

const ANY_UNPLACED = 'SELECT 1 FROM millrace.commits WHERE first IS NULL LIMIT 1'

const LOCK_HEAD = 'SELECT position FROM millrace.log_head FOR UPDATE'

/** In the order of their numbers, which of two commits on one job is the order of its events. */
const PLACE =
  'WITH unplaced AS MATERIALIZED (SELECT ctid AS place, n, events FROM millrace.commits WHERE first IS NULL ORDER BY n LIMIT $2), ' +
  'placed AS (UPDATE millrace.commits AS c SET first = p.first FROM (SELECT place, $1 + 1 + (sum(events) OVER (ORDER BY n)) - events AS first FROM unplaced) AS p ' +
  'WHERE c.ctid = p.place RETURNING c.events) ' +
  'UPDATE millrace.log_head SET position = $1 + (SELECT coalesce(sum(events), 0) FROM placed) RETURNING (SELECT count(*) FROM placed) AS commits'

const PLACED_AT_ONCE = 5_000

/** Every commit that is visible now has its place afterwards. */
async function placeCommits(db: Database): Promise<void> {
  for (;;) {
    if ((await db.ask(ANY_UNPLACED)).length === 0) return
    const placed = await db.write(placeThem, { forRead: true })
    if (placed < PLACED_AT_ONCE) return
  }
}

async function placeThem(tx: Transaction): Promise<number> {
  const [head] = await tx.rows(LOCK_HEAD)
  const [row] = await tx.rows(PLACE, Number(head?.['position']), PLACED_AT_ONCE)
  return Number(row?.['commits'])
}

const COLUMNS = 'SELECT c.first + e.idx AS position, e.seq, e.code, e.at, e.attempt, e.detail, e.job, t.name AS type'
const TYPE = 'JOIN millrace.types AS t ON t.n = j.type'

/**
 * From a position on, commit by commit. The planner can't know how much lies behind the position, takes it for a third of the log, and would
 * rather go through all jobs of a tenant. Each OFFSET 0 keeps it to the order of the log, a look-up for each event.
 */
const LOG =
  `${COLUMNS} FROM (SELECT a.n, a.first FROM millrace.commits AS a WHERE a.first IS NOT NULL ` +
  // The commit that a position lies in begins at or before it.
  'AND a.first >= coalesce((SELECT max(b.first) FROM millrace.commits AS b WHERE b.first IS NOT NULL AND b.first <= $1 + 1), 1) ' +
  'ORDER BY a.first OFFSET 0) AS c CROSS JOIN LATERAL ' +
  '(SELECT * FROM millrace.events AS o WHERE o.commit = c.n AND c.first + o.idx > $1 ORDER BY o.idx OFFSET 0) AS e CROSS JOIN LATERAL ' +
  `(SELECT i.type, i.tenant, i.owner FROM millrace.jobs AS i WHERE i.id = e.job OFFSET 0) AS j ${TYPE}`
const OF_JOB =
  `${COLUMNS} FROM millrace.events AS e CROSS JOIN LATERAL (SELECT a.first FROM millrace.commits AS a WHERE a.n = e.commit OFFSET 0) AS c ` +
  `JOIN millrace.jobs AS j ON j.id = e.job ${TYPE}`

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
    }))
  })
}

function eventsOfJob(
  tx: Transaction,
  jobId: string,
  { scope, after, limit }: EventQuery,
): ReturnType<Transaction['rows']> {
  const { sql, values } = scopeCondition(scope, 4)
  const where = `e.job = $1 AND c.first IS NOT NULL AND c.first + e.idx > $2${sql}`
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
