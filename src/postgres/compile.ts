/**
 * The plain case of a plan as SQL, for many jobs at once: somebody who holds a job does what only a holder may, and nobody has interfered.
 * The guard and the write are one statement, and so are the event and a phase's result that go with them. What the plain case does not take,
 * and every other plan, is carried out on locked rows by `interpretPlan` itself (see `apply.ts`): there is no second copy of a rule to keep.
 */
import { isRefusal } from '../core/plan.ts'
import type { Apply, Changes, Condition, Plan, PlanValues } from '../core/plan.ts'
import type { PlanCall } from '../store/claims.ts'
import { EVENT_CODES, STATE_CODES } from '../store/codes.ts'
import type { Lists, Statement } from './database.ts'
import type { PgValue } from './driver.ts'
import { COMPLETED } from '../store/event-lists.ts'
import { COMMIT, NEXT_COMMIT, numberedSql } from './tell-sql.ts'

export interface PlainCase {
  readonly apply: Apply
  /** `$1` of the statement is the time, before its `values`. Its answer is for `takenIds`. */
  readonly statement: (calls: readonly PlanCall[]) => Statement
  /**
   * The same for jobs whose places are known, and which are told of by a list: it takes those that still lie there and that nothing else has
   * happened to since they were taken. Null: no list tells of what the plan does.
   */
  readonly listed: ((calls: readonly PlanCall[]) => Statement) | null
}

/** What a job brings: a column of the statement's list. */
interface Column {
  readonly name: string
  readonly type: string
  readonly of: (call: PlanCall) => PgValue
}

function valueColumn(name: string, type: string, of: (values: PlanValues) => PgValue): Column {
  return { name, type, of: ({ values }) => of(values) }
}

const HOLDER: Column = { name: 'holder', type: 'bigint', of: ({ claim }) => claim?.holder ?? -1 }
/** Only where a statement brings it itself. */
const SESSION: Column = { name: 'session', type: 'integer', of: () => null }
const FENCE: Column = { name: 'fence', type: 'bigint', of: ({ claim }) => claim?.fence ?? -1 }
const JOB: Column = { name: 'job', type: 'uuid', of: ({ jobId }) => jobId }
const PLACE: Column = { name: 'place', type: 'tid', of: ({ claim }) => claim?.ctid ?? null }
/** What no two jobs have in common. */
const OWN: readonly Column[] = [JOB, PLACE]
const DETAIL: Column = { name: 'detail', type: 'text', of: ({ detail }) => detail }
const RESULT: Column = { name: 'result', type: 'text', of: ({ result }) => result ?? null }
const OUTPUT = valueColumn('output', 'text', ({ output }) => output ?? 'null')
const PROGRESS = valueColumn('progress', 'double precision', ({ progress }) => progress ?? 0)
const TIMEOUT = valueColumn('timeout_ms', 'bigint', ({ timeoutMs }) => timeoutMs ?? null)
const SEEN_PHASE = valueColumn('seen_phase', 'bigint', ({ seenPhase }) => seenPhase ?? null)

/** Null: the plan has no plain case. */
export function compilePlain(plan: Plan): PlainCase | null {
  const apply = plan.cases.at(-1)
  const byHolder = plan.cases[0]?.when[0] === 'claim-lost'
  if (!byHolder || apply === undefined || isRefusal(apply) || apply.ends !== undefined) return null
  if (!isSettable(apply.set)) return null
  const { sql, columns } = textOf(plan, apply)
  return {
    apply,
    statement: (calls) => ({ sql, values: listsOf(columns, calls) }),
    listed: apply.event === 'job:completed' && apply.set.phase === 'next' ? listedOf(plan, apply) : null,
  }
}

function listsOf(columns: readonly Column[], calls: readonly PlanCall[]): readonly PgValue[][] {
  return columns.map(({ of }) => calls.map(of))
}

interface Text {
  readonly sql: string
  /** In the order of the values. */
  readonly columns: readonly Column[]
}

function textOf(plan: Plan, apply: Apply): Text {
  const { columns, use } = columnsOf([JOB], ({ name }) => `v.${name}`)
  const changes = assignments(apply, use)
  const guard = ['j.ctid = b.place', 'j.event_seq = b.event_seq', ...guardOf(plan, use)].join(' AND ')
  const returned = ['j.id', 'j.event_seq', 'j.attempt']
  const keepsResult = apply.set.phase === 'next' && apply.set.state === undefined
  if (keepsResult) {
    returned.push(use(RESULT), 'j.phase - 1 AS ordinal', 'j.generation', 'b.phase_started_at AS begun_at')
  }
  if (apply.event !== undefined) returned.push(use(DETAIL))
  const moved =
    `moved AS (UPDATE millrace.jobs AS j SET ${changes.join(', ')} FROM ${listsSql(columns)} ` +
    `CROSS JOIN LATERAL ${placeSql('v.job')} AS b WHERE ${guard} RETURNING ${returned.join(', ')})`
  const parts = [moved, ...(keepsResult ? [KEEP_RESULTS] : [])]
  if (apply.event !== undefined) parts.push(tellInRows(EVENT_CODES[apply.event]))
  return { sql: `WITH ${parts.join(', ')} ${ANSWER}`, columns }
}

/** The columns that are used, in the order of their first use. */
function columnsOf(first: readonly Column[], refer: (column: Column, index: number) => string): UsedColumns {
  const columns = [...first]
  const use = (column: Column): string => {
    if (!columns.includes(column)) columns.push(column)
    return refer(column, columns.indexOf(column))
  }
  return { columns, use }
}

interface UsedColumns {
  readonly columns: readonly Column[]
  readonly use: Use
}

/**
 * That the claim is the present one, no cancel is pending, and no other case of the plan applies. The claim stands for the state, to which a
 * CHECK ties it. Neither the state, nor a comparison that says that there is a holder, since either would lead the planner to another index.
 */
function guardOf(plan: Plan, use: Use): readonly string[] {
  const others = plan.cases.slice(1, -1)
  return [
    `j.holder IS NOT DISTINCT FROM ${use(HOLDER)}`,
    `j.fence = ${use(FENCE)}`,
    'j.cancel_requested_at IS NULL',
    ...others.map(({ when }) => `NOT (${when.map((one) => conditionSql(one, use)).join(' AND ')})`),
  ]
}

/** Two texts: most jobs that are completed together differ in nothing but where they are, and then the rest is sent once. */
function listedOf(plan: Plan, apply: Apply): (calls: readonly PlanCall[]) => Statement {
  const [apart, alike] = [listedText(plan, apply, false), listedText(plan, apply, true)]
  return (calls) => {
    const lists = listsOf(apart.columns, calls)
    if (!lists.every(isOfOneValue)) return { sql: apart.sql, values: lists }
    return { sql: alike.sql, values: lists.map((list, index) => (index < OWN.length ? list : (list[0] ?? null))) }
  }
}

function isOfOneValue(list: readonly PgValue[], index: number): boolean {
  const [first] = list
  return index < OWN.length || list.every((value) => value === first)
}

function listedText(plan: Plan, apply: Apply, alike: boolean): Text {
  const { columns, use } = columnsOf(OWN, ({ name, type }, index) =>
    alike && index >= OWN.length ? `$${index + 2}::${type}` : `v.${name}`,
  )
  const changes = [...assignments(apply, use), `${COMPLETED.column} = ${COMMIT}`]
  const isNext = [`j.event_seq = ${COMPLETED.seq - 1}`, `j.attempt = ${COMPLETED.attempt}`]
  const guard = [...isNext, ...guardOf(plan, use)]
  // Alike: whichever of them lies at a place, what becomes of it is the same. So the places are one list, which is gone through once, instead of a
  // look-up each; the ids are compared as a set that is made once.
  const found = alike
    ? `WHERE j.ctid = ANY($3::tid[]) AND (j.id IN (SELECT unnest($2::uuid[]))) IS TRUE`
    : // Not by equality, or the planner would look the id up.
      `FROM ${listsSql(columns)} WHERE j.ctid = v.place AND j.id IS NOT DISTINCT FROM v.job`
  const moved = `moved AS (UPDATE millrace.jobs AS j SET ${changes.join(', ')} ${found} AND ${guard.join(' AND ')} RETURNING j.id)`
  return { sql: `WITH ${NEXT}, ${moved}, ${LIST_MOVED} ${ANSWER}`, columns }
}

function listsSql(columns: readonly Column[]): string {
  const lists = columns.map(({ type }, index) => `$${index + 2}::${type}[]`).join(', ')
  return `unnest(${lists}) AS v (${columns.map(({ name }) => name).join(', ')})`
}

/** How many were taken; and which, where not all were. */
const ANSWER =
  'SELECT count(*), NULL::uuid FROM moved UNION ALL SELECT NULL, id FROM moved WHERE (SELECT count(*) FROM moved) < cardinality($2)'

export function takenIds(asked: readonly string[], [first, ...others]: Lists): readonly unknown[] {
  return first?.[0] === asked.length ? asked : others.map(([, id]) => id)
}

/**
 * A number that is taken before the rows are locked, and yet in the order of each job's events: only jobs are taken that have had no event
 * since their start, whatever the statement had to wait for.
 */
const NEXT = `next AS MATERIALIZED (SELECT ${NEXT_COMMIT} AS n)`
const LIST_MOVED =
  'numbered AS (INSERT INTO millrace.commits (n, at, events, listed, living, code, seq, attempt, jobs) ' +
  `SELECT ${COMMIT}, $1::bigint, count(*), count(*), count(*), ${EVENT_CODES['job:completed']}, ${COMPLETED.seq}, ${COMPLETED.attempt}, array_agg(id) ` +
  'FROM moved HAVING count(*) > 0)'

/**
 * Where a job lies, for a statement that changes many: each is looked up by itself, and then changed at its place. Joined by their ids, jobs
 * would be found as the planner likes; and a plan that was made while the table was young or idle, and is kept, goes through an index from end
 * to end for ever. OFFSET 0 keeps it out. Should somebody else change the job meanwhile, it is passed over: by its place, or by its number of
 * events, for not every version of the server looks at the place again.
 */
export function placeSql(id: string): string {
  return `(SELECT f.ctid AS place, f.event_seq, f.phase_started_at FROM millrace.jobs AS f WHERE f.id = ${id} OFFSET 0)`
}

function tellInRows(code: number): string {
  return (
    `${numberedSql('moved')}, told AS (INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt, detail) ` +
    `SELECT numbered.n, row_number() OVER () - 1, m.id, m.event_seq, ${code}, $1, m.attempt, m.detail FROM moved AS m, numbered)`
  )
}

const KEEP_RESULTS =
  'kept AS (INSERT INTO millrace.phases (job, ordinal, generation, attempt, started_at, finished_at, result) ' +
  'SELECT id, ordinal, generation, attempt, begun_at, $1, result FROM moved WHERE result IS NOT NULL)'

type Use = (column: Column) => string

const CONDITIONS: Partial<Readonly<Record<Condition, (use: Use) => string>>> = {
  'phases-left': () => 'j.phase < j.phase_count',
  'several-phases': () => 'j.phase_count > 1',
  'phase-moved': (use) => `(j.phase >= j.phase_count OR j.phase <> coalesce(${use(SEEN_PHASE)}, j.phase))`,
}

function conditionSql(condition: Condition, use: Use): string {
  const sql = CONDITIONS[condition]
  if (sql === undefined) throw new RangeError(`a holder's plain case does not ask for ${condition}`)
  return sql(use)
}

/** Changes that follow from the row and a call. Others (results that are dropped, say) are more than a row. */
const CHANGES: ReadonlyMap<string, (use: Use) => readonly string[]> = new Map<string, (use: Use) => readonly string[]>([
  ['claim take', (use) => [`holder = ${use(HOLDER)}`, `session = ${use(SESSION)}`]],
  ['claim drop', () => ['holder = NULL', 'deadline_at = NULL']],
  ...(['fence', 'attempt', 'generation', 'failures', 'strikes'] as const).flatMap((name) => [
    [`${name} raise`, () => [`${name} = j.${name} + 1`]] as const,
    [`${name} reset`, () => [`${name} = 0`]] as const,
  ]),
  ['suspect false', () => ['suspect = false']],
  ['startedAt now', () => ['started_at = $1']],
  ['finishedAt now', () => ['finished_at = $1']],
  ['deadlineAt later', (use) => [`deadline_at = $1 + ${use(TIMEOUT)}`]],
  ['phase next', () => ['phase = j.phase + 1']],
  ['phaseStartedAt now', () => ['phase_started_at = $1']],
  ['progress full', () => ['progress = 100']],
  ['progress set', (use) => [`progress = greatest(j.progress, ${use(PROGRESS)})`]],
  ['progress restart', () => ['progress = 100.0 * j.phase / j.phase_count']],
  ['output set', (use) => [`output = ${use(OUTPUT)}`]],
])

/** Whether a statement for many rows can make these changes. */
function isSettable({ state: _state, ...set }: Changes): boolean {
  return Object.entries(set).every(([name, change]) => CHANGES.has(`${name} ${String(change)}`))
}

function assignments({ set: { state, ...set }, event }: Apply, use: Use): readonly string[] {
  const parts = ['updated_at = $1']
  if (event !== undefined) parts.push('event_seq = j.event_seq + 1')
  if (state !== undefined) parts.push(`state = ${STATE_CODES[state]}`)
  for (const [name, change] of Object.entries(set))
    parts.push(...(CHANGES.get(`${name} ${String(change)}`)?.(use) ?? []))
  return parts
}

/** What a plan changes that applies in one way, for a statement that chooses its rows by itself; `v` has what differs from row to row. */
export function changesSql(plan: Plan, refer = (name: string) => `v.${name}`): string {
  const [only, ...others] = plan.cases.filter((entry) => !isRefusal(entry))
  if (only === undefined || isRefusal(only) || others.length > 0 || !isSettable(only.set)) {
    throw new RangeError(`plan ${plan.name} can't be carried out by one statement`)
  }
  return assignments(only, ({ name }) => refer(name)).join(', ')
}
