/**
 * Bundles: what many jobs that are added together have in common for a claim (lane, priority, run-at), once, with the places of their rows. A
 * claim that takes a bundle locks one row instead of hundreds, and goes to the jobs without an index.
 *
 * The job's row stays the truth. A bundle says where to look; what is taken has to be ready still, bundled, and one of those that the list of its
 * commit names. A job that leaves the queue in another way, or comes back into it, is bundled no more, and its place in the bundle leads to
 * nothing. What is ready and was not found at its place stands alone from then on.
 */

/**
 * Where jobs are taken from: bundles or one by one, as their order has it; those that stand alone; bundles, whatever stands before them; one by one
 * from among the jobs in bundles; or, when all else has been looked through, those that stand alone, wherever.
 */
export const SOURCES = { all: 0, alone: 1, bundles: 2, bundled: 3, rest: 4 } as const
export type Source = (typeof SOURCES)[keyof typeof SOURCES]

/** A ready job that a claim may take one by one. */
export const IS_OF_SOURCE = `j.state = 2 AND j.bundled = ($10 = ${SOURCES.bundled})`
export const MAY_OPEN = `$10 IN (${SOURCES.all}, ${SOURCES.bundles})`
const edge = (column: string, last: string): string =>
  `coalesce((SELECT ${column} FROM fronts WHERE before = 0), ${last})`
/** What stands alone is taken up to the first bundle. */
export const IS_BEFORE_BUNDLES = `(j.priority, j.run_at, j.n) < (${edge('priority', '2147483647')}, ${edge('run_at', '9223372036854775807')}, ${edge('n', '9223372036854775807')})`

/** Jobs of a bundle at the most: a claim takes no more at once than one or two of them. */
const MOST = 500
/** Fewer that are added together are not worth one. */
const LEAST = 16

/** Bundles that a claim looks at in each lane. Unless they are small, one or two hold what it asks for. */
const FRONTS = 64

/**
 * The first of each lane, where `condition` holds, each with how many jobs those before it hold. `n` is that of the first job that is left, or a
 * little less.
 */
export function frontsSql(condition: string): string {
  return (
    `SELECT x.*, sum(x.remaining) OVER (${IN_ORDER} ROWS UNBOUNDED PRECEDING) - x.remaining AS before FROM lanes CROSS JOIN LATERAL ` +
    '(SELECT b.ctid AS place, b.created_in, b.start, b.priority, b.run_at, b.n + b.taken AS n, b.size - b.taken AS remaining FROM millrace.bundles AS b WHERE b.lane = lanes.lane ' +
    `ORDER BY b.priority, b.run_at, b.n LIMIT ${FRONTS}) AS x WHERE ${condition}`
  )
}

const IN_ORDER = 'ORDER BY x.priority, x.run_at, x.n, x.created_in, x.start'

/**
 * Opens as many of `fronts` as hold what is asked for, of those that nobody else has in hand, and that come before the `first` that stands by
 * itself. What is used of each goes from it. One that has been changed since the statement began is left to the next look.
 */
export function openSql(condition: string): string {
  return (
    'locked AS MATERIALIZED (SELECT f.priority, f.run_at, f.n, b.* FROM facts, (SELECT * FROM fronts AS x WHERE NOT EXISTS ' +
    `(SELECT 1 FROM first AS a WHERE $10 = ${SOURCES.all} AND (a.priority, a.run_at, a.n) < (x.priority, x.run_at, x.n)) ${IN_ORDER}) AS f ` +
    'CROSS JOIN LATERAL (SELECT i.ctid AS place, i.lane, i.created_in, i.start, i.size, i.taken, i.size - i.taken AS remaining, i.places ' +
    `FROM millrace.bundles AS i WHERE i.ctid = f.place FOR UPDATE SKIP LOCKED) AS b WHERE b.place = f.place AND ${condition} ` +
    'LIMIT (SELECT count(*) FROM fronts WHERE before < $4)), ' +
    'opened AS MATERIALIZED (SELECT * FROM (SELECT x.*, least(x.remaining, $4 - (sum(x.remaining) ' +
    `OVER (${IN_ORDER} ROWS UNBOUNDED PRECEDING) - x.remaining))::integer AS used FROM locked AS x) AS o WHERE o.used > 0), ` +
    'emptied AS (DELETE FROM millrace.bundles AS b USING opened AS o WHERE b.ctid = o.place AND o.used = o.remaining), ' +
    'begun AS (UPDATE millrace.bundles AS b SET taken = b.taken + o.used FROM opened AS o WHERE b.ctid = o.place AND o.used < o.remaining)'
  )
}

export const NOTHING_OPENED =
  'opened AS MATERIALIZED (SELECT NULL::integer AS lane, NULL::bigint AS created_in, 0 AS start, 0 AS size, 0 AS taken, 0 AS used, NULL::tid[] AS places WHERE false)'
export const OPENED_PLACES = 'SELECT unnest(o.places[o.taken + 1 : o.taken + o.used]) FROM opened AS o'
/** Looked up each by itself: joined, the planner may go through all commits. */
const LIST_OF_O = '(SELECT l.jobs FROM millrace.commits AS l WHERE l.n = o.created_in OFFSET 0)'
/** Whatever lies at a place by now. */
export const IS_OF_OPENED = `j.bundled AND (j.id IN (SELECT unnest(c.jobs[o.start + o.taken + 1 : o.start + o.taken + o.used]) FROM opened AS o CROSS JOIN LATERAL ${LIST_OF_O} AS c)) IS TRUE`

/** As the answer of a claim tells of a bundle that it has opened. */
export interface OpenedBundle {
  readonly lane: number
  readonly created_in: number
  /** Its first job's place in the commit's list, from 0 on. */
  readonly start: number
  readonly size: number
  /** How many had been taken of it before. */
  readonly taken: number
  readonly used: number
}
export const OPENED =
  "(SELECT json_agg(json_build_object('lane', lane, 'created_in', created_in, 'start', start, 'size', size, 'taken', taken, 'used', used)) FROM opened)"

/** Whether so many jobs are worth a bundle. */
export function manySql(count: string): string {
  return `${count} >= ${LEAST}`
}

/** From `added`: the new rows in the order of the list that tells of them, `ctid` and `n`. Their numbers may have gaps: then a bundle stands a little too far in front. */
export function bundleSql({ lane, priority, runAt, createdIn, condition }: BundleColumns): string {
  return (
    'bundles AS (INSERT INTO millrace.bundles (lane, priority, run_at, n, created_in, start, size, places) ' +
    `SELECT ${lane}, ${priority}, ${runAt}, a.n + i, ${createdIn}, i, cardinality(a.places[i + 1 : i + ${MOST}]), a.places[i + 1 : i + ${MOST}] ` +
    `FROM (SELECT array_agg(ctid) AS places, min(n) AS n FROM added) AS a CROSS JOIN LATERAL generate_series(0, cardinality(a.places) - 1, ${MOST}) AS i WHERE ${condition})`
  )
}

interface BundleColumns {
  readonly lane: string
  readonly priority: string
  readonly runAt: string
  readonly createdIn: string
  readonly condition: string
}

/**
 * Those that are ready, and named in lists (`$1` commits, `$2` from which place on, from 0, `$3` how many), stand alone from now on. Answers how
 * many these are.
 */
export const UNBUNDLE =
  'WITH alone AS (UPDATE millrace.jobs AS j SET bundled = false WHERE j.id = ANY(ARRAY(SELECT unnest(c.jobs[o.start + 1 : o.start + o.used]) ' +
  `FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS o (created_in, start, used) CROSS JOIN LATERAL ${LIST_OF_O} AS c)) ` +
  'AND j.bundled AND j.state + 0 = 2 RETURNING 1) SELECT count(*) AS jobs FROM alone'

/** `$1` commits, `$2` from which place on. */
export const DROP_BUNDLES =
  'DELETE FROM millrace.bundles WHERE ctid = ANY(ARRAY(SELECT b.place FROM unnest($1::bigint[], $2::integer[]) AS o (created_in, start) ' +
  'CROSS JOIN LATERAL (SELECT i.ctid AS place FROM millrace.bundles AS i WHERE i.created_in = o.created_in AND i.start = o.start OFFSET 0) AS b))'

/** Bundles looked at by one `CLEAR`. */
const CLEARED_AT_ONCE = 100
/** The first of the lanes (`$1`) of which no job is left in the queue: whoever cancels a great many leaves as many bundles. */
export const CLEAR =
  'DELETE FROM millrace.bundles AS b USING (SELECT o.* FROM unnest($1::integer[]) AS l (lane) CROSS JOIN LATERAL (SELECT i.ctid AS place, i.created_in, i.start, i.size, i.taken ' +
  `FROM millrace.bundles AS i WHERE i.lane = l.lane ORDER BY i.priority, i.run_at, i.n LIMIT ${CLEARED_AT_ONCE} FOR UPDATE SKIP LOCKED) AS o ` +
  `WHERE NOT EXISTS (SELECT 1 FROM millrace.jobs AS j WHERE j.id = ANY((SELECT c.jobs[o.start + o.taken + 1 : o.start + o.size] FROM ${LIST_OF_O} AS c)::uuid[]) ` +
  'AND j.bundled AND j.state + 0 = 2 LIMIT 1)) AS d WHERE b.ctid = d.place'
