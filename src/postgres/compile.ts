/**
 * The plain case of a plan as SQL, for many jobs at once: somebody who holds a job does what only a holder may, and nobody has interfered.
 * The guard and the write are one statement, and so are the event and a phase's result that go with them. What the plain case does not take,
 * and every other plan, is carried out on locked rows by `interpretPlan` itself (see `apply.ts`): there is no second copy of a rule to keep.
 */
import { isRefusal } from '../core/plan.ts'
import type { Apply, Changes, Condition, Plan, PlanValues } from '../core/plan.ts'
import type { PlanCall } from '../store/claims.ts'
import { EVENT_CODES, STATE_CODES } from '../store/codes.ts'
import type { PgValue } from './driver.ts'

export interface PlainCase {
  readonly apply: Apply
  /** `$1` is the time; the others are lists, an item a job. It answers the ids of those it took. */
  readonly sql: string
  readonly lists: (calls: readonly PlanCall[]) => readonly PgValue[]
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
  const sql = statement({ apply: last, columns, changes, guards, keepsResult })
  return { apply: last, sql, lists: (calls) => columns.map(({ of }) => calls.map(of)) }
}

interface Parts {
  readonly apply: Apply
  readonly columns: readonly Column[]
  readonly changes: readonly string[]
  readonly guards: readonly string[]
  readonly keepsResult: boolean
}

function statement({ apply, columns, changes, guards, keepsResult }: Parts): string {
  const lists = columns.map(({ type }, index) => `$${index + 2}::${type}[]`).join(', ')
  const names = columns.map(({ name }) => name).join(', ')
  const returned = ['j.id', 'j.event_seq', 'j.attempt']
  if (apply.event !== undefined) returned.push('v.detail')
  if (keepsResult) returned.push('v.result', 'j.phase - 1 AS ordinal', 'j.generation', 'b.phase_started_at AS begun_at')
  // The claim is the guard: a CHECK ties it to the state. Neither the state in the guard, nor a comparison that says that there is a holder,
  // since either would lead the planner to another index.
  const claim = ['j.holder IS NOT DISTINCT FROM v.holder', 'j.fence = v.fence']
  const guard = ['j.ctid = b.place', ...claim, 'j.cancel_requested_at IS NULL', ...guards]
  const moved =
    `moved AS (UPDATE millrace.jobs AS j SET ${changes.join(', ')} FROM unnest(${lists}) AS v (${names}) ` +
    `CROSS JOIN LATERAL ${placeSql('v.job')} AS b WHERE ${guard.join(' AND ')} RETURNING ${returned.join(', ')})`
  const told = apply.event === undefined ? [] : [tellSql(EVENT_CODES[apply.event])]
  const kept = keepsResult ? [KEEP_RESULTS] : []
  return `WITH ${[moved, ...kept, ...told].join(', ')} SELECT id FROM moved`
}

/**
 * Where a job lies, for a statement that changes many: each is looked up by itself, and then changed at its place. Joined by their ids, jobs
 * would be found as the planner likes; and a plan that was made while the table was young or idle, and is kept, goes through an index from end
 * to end for ever. OFFSET 0 keeps it out. Should somebody else move the job meanwhile, it is passed over.
 */
export function placeSql(id: string): string {
  return `(SELECT f.ctid AS place, f.phase_started_at FROM millrace.jobs AS f WHERE f.id = ${id} OFFSET 0)`
}

const KEEP_RESULTS =
  'kept AS (INSERT INTO millrace.phases (job, ordinal, generation, attempt, started_at, finished_at, result) ' +
  'SELECT id, ordinal, generation, attempt, begun_at, $1, result FROM moved WHERE result IS NOT NULL)'

/** The number of the commit is taken once the rows are locked: so the commits of one job have numbers in the order of its events. */
export function numberedSql(from: string): string {
  return `numbered AS (INSERT INTO millrace.commits (events) SELECT count(*) FROM ${from} HAVING count(*) > 0 RETURNING n)`
}

function tellSql(code: number): string {
  return (
    `${numberedSql('moved')}, told AS (INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt, detail) ` +
    `SELECT numbered.n, row_number() OVER () - 1, m.id, m.event_seq, ${code}, $1, m.attempt, m.detail FROM moved AS m, numbered)`
  )
}

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
