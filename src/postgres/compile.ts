/**
 * The plain case of a plan as SQL, for many jobs at once: somebody who holds a job does what only a holder may, and nobody has interfered.
 * The guard and the write are one statement, and so are the event and a phase's result that go with them. What the plain case does not take,
 * and every other plan, is carried out on locked rows by `interpretPlan` itself (see `apply.ts`): there is no second copy of a rule to keep.
 */
import { isRefusal } from '../core/plan.ts'
import type { Apply, Changes, Condition, Plan, PlanValues } from '../core/plan.ts'
import type { PlanCall } from '../store/claims.ts'
import { EVENT_CODES, STATE_CODES } from '../store/codes.ts'
import type { Statement } from './database.ts'
import type { PgValue } from './driver.ts'
import { COMMIT, COMPLETED, NEXT_COMMIT, numberedSql, tellSql, toldInSql } from './tell-sql.ts'

export interface PlainCase {
  readonly apply: Apply
  /** For one transaction; it answers the ids of those it took. `$1` of the statement is the time, before its `values`. */
  readonly statement: (calls: readonly PlanCall[]) => Statement
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
const ALWAYS: readonly Column[] = [
  { name: 'job', type: 'uuid', of: ({ jobId }) => jobId },
  HOLDER,
  { name: 'fence', type: 'bigint', of: ({ claim }) => claim?.fence ?? -1 },
]
const DETAIL: Column = { name: 'detail', type: 'text', of: ({ detail }) => detail }
const RESULT: Column = { name: 'result', type: 'text', of: ({ result }) => result ?? null }
const OUTPUT = valueColumn('output', 'text', ({ output }) => output ?? 'null')
const PROGRESS = valueColumn('progress', 'double precision', ({ progress }) => progress ?? 0)
const TIMEOUT = valueColumn('timeout_ms', 'bigint', ({ timeoutMs }) => timeoutMs ?? null)
const SEEN_PHASE = valueColumn('seen_phase', 'bigint', ({ seenPhase }) => seenPhase ?? null)

/** Null: the plan has no plain case. */
export function compilePlain(plan: Plan): PlainCase | null {
  const last = plan.cases.at(-1)
  const byHolder = plan.cases[0]?.when[0] === 'claim-lost'
  if (!byHolder || last === undefined || isRefusal(last) || last.ends !== undefined) return null
  if (!isSettable(last.set)) return null
  const columns: Column[] = [...ALWAYS]
  const use = (column: Column): string => {
    if (!columns.includes(column)) columns.push(column)
    return `v.${column.name}`
  }
  const changes = assignments(last, use)
  const guards = plan.cases
    .slice(1, -1)
    .map(({ when }) => `NOT (${when.map((one) => conditionSql(one, use)).join(' AND ')})`)
  const keepsResult = last.set.phase === 'next' && last.set.state === undefined
  if (keepsResult) use(RESULT)
  if (last.event !== undefined) use(DETAIL)
  const parts = { apply: last, columns, changes, guards, keepsResult }
  const [apart, alike] = [textOf(parts, false), textOf(parts, true)]
  const statement = (calls: readonly PlanCall[]): Statement => {
    const lists = columns.map(({ of }) => calls.map(of))
    if (!lists.every(isOfOneValue)) return { sql: apart, values: lists }
    return { sql: alike, values: lists.map((list, index) => (index === 0 ? list : (list[0] ?? null))) }
  }
  return { apply: last, statement }
}

/** The first column, the job, is not like the others. */
function isOfOneValue(list: readonly PgValue[], index: number): boolean {
  const [first] = list
  return index === 0 || list.every((value) => value === first)
}

interface Parts {
  readonly apply: Apply
  readonly columns: readonly Column[]
  readonly changes: readonly string[]
  readonly guards: readonly string[]
  readonly keepsResult: boolean
}

/** @param alike whether the jobs differ in nothing but their ids, which most do that come together: it is sent once then what they have in common. */
function textOf({ apply, columns, changes, guards, keepsResult }: Parts, alike: boolean): string {
  const returned = ['j.id', 'j.event_seq', 'j.attempt']
  if (apply.event !== undefined) returned.push('v.detail')
  if (keepsResult) returned.push('v.result', 'j.phase - 1 AS ordinal', 'j.generation', 'b.phase_started_at AS begun_at')
  const isListed = apply.event === 'job:completed'
  if (isListed) returned.push(`j.${COMPLETED.column}`)
  const set = isListed ? [...changes, toldInSql(COMPLETED, COMMIT, 'v.detail IS NULL')] : changes
  // The claim is the guard: a CHECK ties it to the state. Neither the state in the guard, nor a comparison that says that there is a holder,
  // since either would lead the planner to another index.
  const claim = ['j.holder IS NOT DISTINCT FROM v.holder', 'j.fence = v.fence']
  const guard = ['j.ctid = b.place', ...claim, 'j.cancel_requested_at IS NULL', ...guards]
  const moved =
    `moved AS (UPDATE millrace.jobs AS j SET ${set.join(', ')} FROM ${alike ? alikeSql(columns) : listsSql(columns)} AS v ` +
    `CROSS JOIN LATERAL ${placeSql('v.job')} AS b WHERE ${guard.join(' AND ')} RETURNING ${returned.join(', ')})`
  const parts = [...(isListed ? [NEXT] : []), moved, ...(keepsResult ? [KEEP_RESULTS] : [])]
  if (apply.event !== undefined) parts.push(isListed ? TELL_COMPLETED : tellInRows(EVENT_CODES[apply.event]))
  return `WITH ${parts.join(', ')} SELECT id FROM moved`
}

function listsSql(columns: readonly Column[]): string {
  const lists = columns.map(({ type }, index) => `$${index + 2}::${type}[]`).join(', ')
  return `(SELECT * FROM unnest(${lists}) AS u (${columns.map(({ name }) => name).join(', ')}))`
}

function alikeSql([job, ...others]: readonly Column[]): string {
  const shared = others.map(({ name, type }, index) => `, $${index + 3}::${type} AS ${name}`).join('')
  return `(SELECT u.*${shared} FROM unnest($2::${job?.type ?? ''}[]) AS u (${job?.name ?? ''}))`
}

/**
 * A number that is taken before the rows are locked, and yet in the order of each job's events: a job is only changed as the statement has
 * seen it from its beginning on, so the commits before have theirs already.
 */
const NEXT = `next AS MATERIALIZED (SELECT ${NEXT_COMMIT} AS n)`
const TELL_COMPLETED = tellSql({
  event: COMPLETED,
  code: EVENT_CODES['job:completed'],
  from: 'moved',
  order: '',
  detail: 'm.detail',
})

/**
 * Where a job lies, for a statement that changes many: each is looked up by itself, and then changed at its place. Joined by their ids, jobs
 * would be found as the planner likes; and a plan that was made while the table was young or idle, and is kept, goes through an index from end
 * to end for ever. OFFSET 0 keeps it out. Should somebody else move the job meanwhile, it is passed over.
 */
export function placeSql(id: string): string {
  return `(SELECT f.ctid AS place, f.phase_started_at FROM millrace.jobs AS f WHERE f.id = ${id} OFFSET 0)`
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
export function changesSql(plan: Plan): string {
  const [only, ...others] = plan.cases.filter((entry) => !isRefusal(entry))
  if (only === undefined || isRefusal(only) || others.length > 0 || !isSettable(only.set)) {
    throw new RangeError(`plan ${plan.name} can't be carried out by one statement`)
  }
  return assignments(only, ({ name }) => `v.${name}`).join(', ')
}
