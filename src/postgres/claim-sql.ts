/** The statement that takes jobs, put together of its parts. */
import { EVENT_CODES } from '../store/codes.ts'
import { CLAIM } from '../core/plans.ts'
import { changesSql } from './compile.ts'
import { TRANSACTION_NOW } from './database.ts'
import { STARTED } from '../store/event-lists.ts'
import {
  IS_BEFORE_BUNDLES,
  IS_OF_OPENED,
  IS_OF_SOURCE,
  MAY_OPEN,
  NOTHING_OPENED,
  OPENED,
  OPENED_PLACES,
  frontsSql,
  openSql,
} from './bundle-sql.ts'
import type { OpenedBundle } from './bundle-sql.ts'
import { COMMIT, NEXT_COMMIT } from './tell-sql.ts'

/**
 * `$1` now, `$2` holder, `$3` types, `$4` limit, `$5` whether what has come due may wait, `$6` to `$9` cursors: lane, priority, run-at, n;
 * `$10` one of `SOURCES`.
 */
export const LANES =
  'me AS MATERIALIZED (SELECT n, service, epoch FROM millrace.sessions WHERE holder = $2 AND ended_at IS NULL AND expires_at > $1), ' +
  'lanes AS MATERIALIZED (SELECT l.n AS lane, t.n AS type, t.timeout_ms, t.revision, coalesce(k.priority, -2147483648) AS p, ' +
  'coalesce(k.run_at, -9223372036854775808) AS r, coalesce(k.n, 0) AS c FROM me CROSS JOIN unnest($3::text[]) AS w (name) JOIN millrace.types AS t ON t.name = w.name ' +
  'JOIN millrace.lanes AS l ON l.type = t.n JOIN millrace.queues AS q ON q.n = l.queue ' +
  'LEFT JOIN unnest($6::integer[], $7::integer[], $8::bigint[], $9::bigint[]) AS k (lane, priority, run_at, n) ON k.lane = l.n ' +
  'WHERE q.paused_at IS NULL AND (t.service IS NULL OR t.service = me.service) AND t.epoch <= me.epoch)'

const FACTS =
  'facts AS MATERIALIZED (SELECT clock_timestamp() AS at, EXISTS (SELECT 1 FROM millrace.jobs WHERE state IN (1, 4) AND run_at >= 0 AND run_at <= $1) AS due, ' +
  'EXISTS (SELECT 1 FROM lanes CROSS JOIN LATERAL (SELECT 1 FROM millrace.jobs AS s WHERE s.lane = lanes.lane AND s.state = 2 AND s.suspect LIMIT 1) AS x) AS suspects, ' +
  '(SELECT min(x.run_at) - $1 FROM unnest($3::text[]) AS w (name) JOIN millrace.types AS t ON t.name = w.name CROSS JOIN LATERAL (SELECT j.run_at ' +
  'FROM millrace.jobs AS j WHERE j.type = t.n AND j.state IN (1, 4) ORDER BY j.run_at LIMIT 1) AS x) AS next_due_ms)'

// What is more urgent than the cursor, and what lies behind it; without a cursor the first is nothing and the second all.
const IS_URGENT = `${IS_OF_SOURCE} AND j.priority < lanes.p`
const IS_BEHIND = `${IS_OF_SOURCE} AND (j.priority, j.run_at, j.n) >= (lanes.p, lanes.r, lanes.c)`
const IN_LANE_ORDER = 'ORDER BY j.priority, j.run_at, j.n'

/** The best of a lane, as `x`. */
function headsSql(limit: string, bound = ''): string {
  const heads = (condition: string): string =>
    `(SELECT j.priority, j.run_at, j.n FROM millrace.jobs AS j WHERE j.lane = lanes.lane AND ${condition}${bound} ${IN_LANE_ORDER} LIMIT ${limit})`
  return `(${heads(IS_URGENT)} UNION ALL ${heads(IS_BEHIND)}) AS x`
}

/** Nothing is taken where something is to be done first. */
const MAY_TAKE = '(NOT facts.due OR $5::boolean) AND NOT facts.suspects'

// Where there are no bundles, nobody looks for what might come before them.
const FIRST =
  `fronts AS MATERIALIZED (${frontsSql(MAY_OPEN)}), ` +
  `first AS MATERIALIZED (SELECT x.* FROM lanes CROSS JOIN LATERAL ${headsSql('1')} WHERE EXISTS (SELECT 1 FROM fronts) ORDER BY x.priority, x.run_at, x.n LIMIT 1)`

// How many of the best are each lane's; one lane has them all.
const SHARES =
  `shares AS MATERIALIZED (SELECT h.lane, count(*) AS jobs FROM (SELECT lanes.lane FROM lanes CROSS JOIN LATERAL ${headsSql('$4', ` AND ${IS_BEFORE_BUNDLES}`)} ` +
  'ORDER BY x.priority, x.run_at, x.n LIMIT $4) AS h WHERE (SELECT count(*) FROM lanes) > 1 GROUP BY h.lane ' +
  'UNION ALL SELECT lane, $4::bigint FROM lanes WHERE (SELECT count(*) FROM lanes) = 1)'

function pickSql(condition: string, limit: string): string {
  return (
    'FROM facts, shares JOIN lanes ON lanes.lane = shares.lane CROSS JOIN LATERAL ' +
    `(SELECT j.ctid AS place FROM millrace.jobs AS j WHERE j.lane = shares.lane AND ${condition} AND ${IS_BEFORE_BUNDLES} ${IN_LANE_ORDER} LIMIT ${limit} FOR UPDATE SKIP LOCKED) AS x ` +
    `WHERE ${MAY_TAKE} AND NOT EXISTS (SELECT 1 FROM opened)`
  )
}

const PICKED =
  `urgent AS MATERIALIZED (SELECT x.place, shares.lane ${pickSql(IS_URGENT, 'shares.jobs')}), picked AS MATERIALIZED (SELECT place FROM urgent ` +
  `UNION ALL SELECT x.place ${pickSql(IS_BEHIND, 'shares.jobs - (SELECT count(*) FROM urgent AS u WHERE u.lane = shares.lane)')})`

// The number of the commit is taken once the rows are locked: so the commits of one job have numbers in the order of its events. Those of a
// bundle are locked as they are changed, and have had no event but the first, or they are passed over.
const NEXT_LOCKED = `next AS MATERIALIZED (SELECT ${NEXT_COMMIT} AS n FROM (SELECT (SELECT count(*) FROM picked) + (SELECT count(*) FROM opened) AS found) AS p WHERE p.found > 0)`
// A job of several phases is told with the name of the one it begins with, which no list has room for.
const IS_PLAIN = `j.event_seq = ${STARTED.seq - 1} AND j.attempt = ${STARTED.attempt - 1} AND j.phase_count = 1`
const NOTE_LIST = `${STARTED.column} = CASE WHEN ${IS_PLAIN} THEN ${COMMIT} ELSE j.${STARTED.column} END`
const TIMEOUT =
  '(CASE WHEN (SELECT count(*) FROM lanes) = 1 THEN (SELECT max(timeout_ms) FROM lanes) ELSE (SELECT l.timeout_ms FROM lanes AS l WHERE l.lane = j.lane) END)'
const CLAIM_VALUES: Readonly<Record<string, string>> = {
  holder: '$2::bigint',
  session: '(SELECT n FROM me)',
  timeout_ms: TIMEOUT,
}
const CHANGES = changesSql(CLAIM, (name) => CLAIM_VALUES[name] ?? `v.${name}`)
// Asked for the bare state, the planner may go through all jobs that are ready instead of looking up those that were picked.
const TAKE =
  `taken AS (UPDATE millrace.jobs AS j SET ${CHANGES}, bundled = false, ${NOTE_LIST} WHERE j.ctid = ANY(ARRAY(SELECT place FROM picked UNION ALL ${OPENED_PLACES})) ` +
  `AND j.state + 0 = 2 AND (NOT EXISTS (SELECT 1 FROM opened) OR ${IS_OF_OPENED}) ` +
  'RETURNING j.id, j.ctid AS place, j.n, j.lane, j.phase_list, j.fence, j.tenant, j.owner, j.input, j.attempt, j.generation, j.failures, j.phase, j.phase_count, ' +
  `j.progress, j.created_at, j.run_at, j.priority, j.event_seq, j.${STARTED.column})`

const STARTED_CODE = EVENT_CODES['job:started']
const IS_LISTED = `m.${STARTED.column} IS NOT DISTINCT FROM ${COMMIT}`
const DETAIL =
  "CASE WHEN m.phase_count > 1 AND m.phase < m.phase_count THEN (SELECT '{\"phase\":' || to_json(p.names::json ->> m.phase::integer)::text || '}' " +
  'FROM millrace.phase_lists AS p WHERE p.n = m.phase_list) END'
/** Of the list if there is one. */
function ifListed(value: string | number): string {
  return `CASE WHEN any_listed THEN ${value} END`
}

// Each start has its place in the commit's order, in the list or in a row: that in which `taken` was filled, by the places of the rows. Nothing is
// sorted for it; both read `taken` from its first row on.
const TELL =
  `listed AS MATERIALIZED (SELECT count(*) AS events, count(*) FILTER (WHERE ${IS_LISTED}) AS jobs_listed, bool_or(${IS_LISTED}) AS any_listed, bool_and(${IS_LISTED}) AS all_listed, ` +
  `array_agg(CASE WHEN ${IS_LISTED} THEN m.id END) AS jobs FROM taken AS m), ` +
  'numbered AS (INSERT INTO millrace.commits (n, at, events, listed, living, code, seq, attempt, jobs) ' +
  `SELECT ${COMMIT}, $1::bigint, events, jobs_listed, jobs_listed, ${ifListed(STARTED_CODE)}, ${ifListed(STARTED.seq)}, ${ifListed(STARTED.attempt)}, ` +
  `${ifListed('jobs')} FROM listed WHERE events > 0), ` +
  'told AS (INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt, detail) ' +
  `SELECT ${COMMIT}, idx, id, event_seq, ${STARTED_CODE}, $1::bigint, attempt, detail FROM (SELECT row_number() OVER () - 1 AS idx, m.id, ` +
  `m.event_seq, m.attempt, ${DETAIL} AS detail, ${IS_LISTED} AS is_listed FROM taken AS m) AS x ` +
  // Where lists tell everything, nothing is looked through for the others.
  'WHERE NOT is_listed AND NOT (SELECT all_listed FROM listed))'

/** The first row of `ANSWER`: what was found, JSON (see `Found`). */
export type FactsRow = readonly [
  xid: string,
  now: number,
  createdAt: null,
  runAt: null,
  tenant: null,
  owner: null,
  found: string,
  differing: null,
  ctid: null,
]
export type Found = readonly [
  session: number | null,
  due: boolean,
  suspects: boolean,
  labels: boolean,
  nextDueMs: number | null,
  foundAfterMs: number,
  lanes: readonly FoundLane[] | null,
  /** There are bundles in the lanes. */
  bundles: boolean,
  /** What was taken from them, and how much of each. */
  opened: readonly OpenedBundle[] | null,
  /** What the first that was taken has, by the places of the rows; null: none was. */
  alike: FoundAlike | null,
]
/** The columns of `PLACED`, then its created-at and its run-at. */
export type FoundAlike = readonly [lane: number, phaseList: number, priority: number, createdAt: number, runAt: number]
export type FoundLane = readonly [lane: number, type: number, revision: number, timeoutMs: number | null]
/** The others: a job each that was taken. */
export type TakenRow = readonly [
  id: string,
  n: number,
  /** Null: that of the first. */
  createdAt: number | null,
  runAt: number | null,
  tenant: string | null,
  owner: string | null,
  input: string | null,
  /** Null: placed as the first, and as `UNTRIED` has it. Else the columns of `PLACED` and `TRIED`, separated by spaces. */
  differing: string | null,
  ctid: string,
]

// What most jobs of a claim have in common is told once for all of them: as the first that was taken has it, by the places of the rows.
export const PLACED = ['lane', 'phase_list', 'priority'] as const
export const TRIED = ['fence', 'attempt', 'generation', 'failures', 'phase', 'progress'] as const
/** A job that nothing has happened to before. */
export const UNTRIED = { fence: 1, attempt: 1, generation: 1, failures: 0, phase: 0, progress: 0 } as const

const FIRST_TAKEN = `first_taken AS MATERIALIZED (SELECT ${PLACED.join(', ')}, created_at, run_at FROM taken LIMIT 1)`
const ofFirst = (column: string): string => `(SELECT ${column} FROM first_taken)`
const IS_ALIKE = [
  ...PLACED.map((name) => `${name} = ${ofFirst(name)}`),
  ...TRIED.map((name) => `${name} = ${UNTRIED[name]}`),
].join(' AND ')
const DIFFERING = `CASE WHEN ${IS_ALIKE} THEN NULL ELSE concat(${[...PLACED, ...TRIED].join(", ' ', ")}) END`

const ANSWER =
  'SELECT pg_current_xact_id()::text, $1::bigint, NULL::bigint, NULL::bigint, NULL::text, NULL::text, ' +
  'json_build_array((SELECT n FROM me), facts.due, facts.suspects, EXISTS (SELECT 1 FROM millrace.labels), facts.next_due_ms, ' +
  // How long it took to find the first, or that there is none.
  'extract(epoch FROM coalesce((SELECT clock_timestamp() FROM picked LIMIT 1), clock_timestamp()) - facts.at)::double precision * 1000, ' +
  '(SELECT json_agg(json_build_array(lane, type, revision, timeout_ms)) FROM lanes WHERE lane IN (SELECT lane FROM taken)), EXISTS (SELECT 1 FROM fronts), ' +
  `${OPENED}, (SELECT json_build_array(${PLACED.join(', ')}, created_at, run_at) FROM first_taken))::text, NULL::text, NULL::tid FROM facts ` +
  `UNION ALL SELECT id::text, n, NULLIF(created_at, ${ofFirst('created_at')}), NULLIF(run_at, ${ofFirst('run_at')}), NULLIF(tenant, ''), owner, input, ${DIFFERING}, place FROM taken`

/** It goes to the server with the beginning of its transaction, before whose time is known: `$1` is as for `TRANSACTION_NOW`. */
export const TAKE_BEST =
  `WITH clock AS MATERIALIZED (SELECT ${TRANSACTION_NOW} AS now), ` +
  `${LANES}, ${FACTS}, ${FIRST}, ${openSql(MAY_TAKE)}, ${SHARES}, ${PICKED}, ${NEXT_LOCKED}, ${TAKE}, ${FIRST_TAKEN}, ${TELL} ${ANSWER}`.replaceAll(
    /\$1(?!\d)/g,
    '(SELECT now FROM clock)',
  )

/** The same for jobs that have been chosen and locked beforehand: `$4` their ids. */
const PICKED_BY_ID =
  `fronts AS MATERIALIZED (${frontsSql('false')}), ${NOTHING_OPENED}, ` +
  'picked AS MATERIALIZED (SELECT j.ctid AS place FROM millrace.jobs AS j JOIN lanes ON lanes.lane = j.lane ' +
  'WHERE j.id = ANY($4::uuid[]))'
const NO_FACTS =
  'facts AS MATERIALIZED (SELECT clock_timestamp() AS at, false AS due, false AS suspects, $5::bigint AS next_due_ms)'
/** `$4` their ids, `$5` what is answered for the next due. */
export const TAKE_CHOSEN = `WITH ${LANES}, ${NO_FACTS}, ${PICKED_BY_ID}, ${NEXT_LOCKED}, ${TAKE}, ${FIRST_TAKEN}, ${TELL} ${ANSWER}`
