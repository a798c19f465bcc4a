/**
 * Plans as SQL. Each case that applies becomes one UPDATE whose WHERE says: the case's own conditions hold, and no earlier case's do. So
 * the guard and the write are one statement, and the order in which cases are tried doesn't matter. Refusing cases need no SQL: a job that
 * no UPDATE touched was refused, and `interpretPlan` tells by which case.
 *
 * The plain case of a plan is the one that applies when nobody interferes. Whoever asks for it knows beforehand what the row will say, so
 * it need not be read back: RETURNING costs more than the update itself.
 */
import type { Claim } from '../core/job-row.ts'
import { isRefusal } from '../core/plan.ts'
import type { Apply, Case, Changes, Condition, Plan, PlanValues } from '../core/plan.ts'
import type { Scope } from '../core/scope.ts'
import { STATE_CODES } from '../store/codes.ts'
import { COMPLETED } from '../store/event-lists.ts'
import type { ListedEvent } from '../store/event-lists.ts'
import type { SqlValue } from './driver.ts'

/** One case of a plan, ready to run. */
export interface CompiledCase {
  readonly apply: Apply
  readonly sql: string
  /** The statement's values, in order. */
  readonly values: (inputs: PlanInputs) => SqlValue[]
}

/** One case for many jobs, whose claims and values are alike, in two forms: `update-many.ts` chooses. */
export interface ManyJobs {
  /** For a list of keys. */
  readonly listSql: string
  /** For all keys from one to another. */
  readonly rangeSql: string
  /** Those of the list form, whose last is `key`. Of the range form that is the first key, and the last one comes behind it. */
  readonly values: CompiledCase['values']
}

/** The plain case: a statement that changes one row or none, and its guard alone, for statements beside it. */
export interface PlainCase extends CompiledCase {
  readonly many: ManyJobs
  /** The same for those whose event may stand in a list too; null: this plan's may not. */
  readonly listed: ManyJobs | null
  /** What must hold, whichever job it is. */
  readonly guard: string
  readonly guardValues: CompiledCase['values']
}

/** What the values of a statement are taken from. */
export interface PlanInputs {
  /** Public id, integer key, list of them or the first of a range, as the statement was compiled for. */
  readonly key: SqlValue
  readonly now: number
  readonly scope: Scope
  readonly claim: Claim | null
  readonly values: PlanValues
  /** The session that claims. */
  readonly session: number | null
  /** Where the list is going to be that tells of it. */
  readonly listAt?: number
}

/** How jobs are named: the public id; the integer key; a JSON list of integer keys; the first and the last of keys that count on. */
const KEY_SQL = {
  id: "id = unhex(?, '-')",
  n: 'n = ?',
  list: 'n IN (SELECT value FROM json_each(?))',
  range: 'n BETWEEN ? AND ?',
} as const

export interface CompilePlan {
  readonly plan: Plan
  readonly role: Scope['role']
  /** Columns to return. */
  readonly returning: readonly string[]
}

type Source = (inputs: PlanInputs) => SqlValue

/** What history is written from, and what `AppliedRow` says. */
export const RETURNED = [
  'n',
  'state',
  'generation',
  'attempt',
  'event_seq',
  'phase',
  'progress',
  'phase_list',
  'session',
  'started_at',
  'cancel_requested_at',
  'cancelled_by',
  'cancel_reason',
] as const

/** For one job, by its public id. */
export function compilePlan({ plan, role, returning }: CompilePlan): readonly CompiledCase[] {
  return plan.cases.flatMap((entry, index) => {
    if (isRefusal(entry)) return []
    const sources: Source[] = []
    const set = assignments(entry, sources)
    const where = guard(entry, plan.cases.slice(0, index), role, sources)
    sources.push(keyOf)
    const sql =
      `UPDATE millrace_jobs SET ${set.join(', ')} WHERE ${where} AND ${KEY_SQL.id} ` +
      `RETURNING ${returning.join(', ')}`
    return [{ apply: entry, sql, values: valuesFrom(sources) }]
  })
}

/** For many jobs, under a plan that applies in one way or not at all. `listed`: the event that lists may tell, of jobs of one phase. */
export function compileMany(plan: Plan, listed?: ListedEvent): ManyJobs {
  const ways = plan.cases.filter((entry): entry is Apply => !isRefusal(entry))
  const [entry] = ways
  if (entry === undefined || ways.length > 1) throw new RangeError(`plan ${plan.name} applies in ${ways.length} ways`)
  const sources: Source[] = []
  const set = [...assignments(entry, sources)]
  if (listed !== undefined) {
    set.push(`${listed.column} = iif(${isListed(listed)}, ?, ${listed.column})`)
    sources.push(listAt)
  }
  const where = guard(entry, plan.cases.slice(0, plan.cases.indexOf(entry)), 'operator', sources)
  return manyJobs(set, where, sources)
}

/** Of the row as it is before the event: whether a list may tell it. */
export function isListed({ seq, attempt }: ListedEvent): string {
  return `event_seq = ${seq - 1} AND attempt = ${attempt - 1} AND phase_count = 1`
}

/** No index is of any use, whatever the statistics say: the keys are given. */
function manyJobs(set: readonly string[], where: string, sources: readonly Source[]): ManyJobs {
  const update = `UPDATE millrace_jobs NOT INDEXED SET ${set.join(', ')} WHERE ${where} AND`
  return {
    listSql: `${update} ${KEY_SQL.list}`,
    rangeSql: `${update} ${KEY_SQL.range}`,
    values: valuesFrom([...sources, keyOf]),
  }
}

/** Null: the plan has no plain case; whoever carries it out must read the row. */
export function compilePlain(plan: Plan): PlainCase | null {
  const last = plan.cases.at(-1)
  const byHolder = plan.cases[0]?.when[0] === 'claim-lost'
  if (!byHolder || last === undefined || isRefusal(last) || last.ends !== undefined) return null
  // What sets the phase drops the results from there on, which is more than a row.
  if (last.set.phase === 'set') return null
  const changes: Source[] = []
  const set = assignments(last, changes)
  const guards: Source[] = []
  const unless = guard(last, plan.cases.slice(0, -1), 'operator', guards)
  const undisturbed = `${unless} AND cancel_requested_at IS NULL`
  const { column, seq, attempt } = COMPLETED
  return {
    apply: last,
    sql: `UPDATE millrace_jobs SET ${set.join(', ')} WHERE ${undisturbed} AND ${KEY_SQL.n}`,
    values: valuesFrom([...changes, ...guards, keyOf]),
    many: manyJobs(set, undisturbed, [...changes, ...guards]),
    listed:
      last.event === 'job:completed' && last.set.phase === 'next'
        ? manyJobs([...set, `${column} = ?`], `${undisturbed} AND event_seq = ${seq - 1} AND attempt = ${attempt}`, [
            ...changes,
            listAt,
            ...guards,
          ])
        : null,
    guard: undisturbed,
    guardValues: valuesFrom(guards),
  }
}

function valuesFrom(sources: readonly Source[]): CompiledCase['values'] {
  return (inputs) => sources.map((source) => source(inputs))
}

function keyOf({ key }: PlanInputs): SqlValue {
  return key
}

function listAt({ listAt: position }: PlanInputs): SqlValue {
  return position ?? null
}

function guard(entry: Apply, earlier: readonly Case[], role: Scope['role'], sources: Source[]): string {
  const own = entry.when.map((condition) => conditionSql(condition, role, sources))
  const others = earlier.map(({ when }) => {
    const parts = when.map((condition) => conditionSql(condition, role, sources))
    return `NOT (${parts.join(' AND ')})`
  })
  return [...own, ...others].join(' AND ') || 'TRUE'
}

/** Each is true or false, never NULL, so that its negation is what it says. */
function conditionSql(condition: Condition, role: Scope['role'], sources: Source[]): string {
  const given = (source: Source): string => {
    sources.push(source)
    return '?'
  }
  switch (condition) {
    case 'out-of-scope':
      return role === 'operator' ? 'FALSE' : `tenant <> ${given(scopeTenant)}`
    case 'not-owner':
      return role === 'member' ? `(tenant <> ${given(scopeTenant)} OR owner IS NOT ${given(scopeUser)})` : 'FALSE'
    case 'not-admin':
      return role === 'member' ? 'TRUE' : 'FALSE'
    case 'claim-lost':
      return (
        `(holder IS NOT ${given(({ claim }) => claim?.holder ?? -1)} ` +
        `OR fence <> ${given(({ claim }) => claim?.fence ?? -1)})`
      )
    case 'session-alive':
      return (
        'EXISTS (SELECT 1 FROM millrace_sessions AS s WHERE s.holder = millrace_jobs.holder ' +
        `AND s.ended_at IS NULL AND s.expires_at > ${given(nowOf)})`
      )
    case 'cancel-pending':
      return 'cancel_requested_at IS NOT NULL'
    case 'no-cancel-pending':
      return 'cancel_requested_at IS NULL'
    case 'deadline-ahead':
      return `(deadline_at IS NULL OR deadline_at > ${given(nowOf)})`
    case 'not-due':
      return `run_at > ${given(nowOf)}`
    case 'moved-on':
      return (
        `(generation <> ${given(({ values }) => values.seenGeneration ?? -1)} ` +
        `OR fence <> ${given(({ values }) => values.seenFence ?? -1)})`
      )
    case 'unique-held':
      return (
        '(unique_key IS NOT NULL AND EXISTS (SELECT 1 FROM millrace_jobs AS u WHERE u.type = millrace_jobs.type ' +
        'AND u.tenant = millrace_jobs.tenant AND u.unique_key = millrace_jobs.unique_key AND u.unique_key IS NOT NULL ' +
        'AND u.finished_at IS NULL AND u.n <> millrace_jobs.n))'
      )
    case 'phases-left':
      return 'phase < phase_count'
    case 'several-phases':
      return 'phase_count > 1'
    case 'phase-moved':
      return `(phase >= phase_count OR phase <> ifnull(${given(({ values }) => values.seenPhase ?? null)}, phase))`
    case 'scheduled-or-retrying':
      return `state IN (${STATE_CODES.scheduled}, ${STATE_CODES.retrying})`
    case 'final':
      return 'finished_at IS NOT NULL'
    case 'queued':
    case 'running':
    case 'completed':
    case 'failed':
    case 'cancelled':
      return `state = ${STATE_CODES[condition]}`
  }
}

function nowOf({ now }: PlanInputs): number {
  return now
}

function scopeTenant({ scope }: PlanInputs): string {
  return scope.role === 'operator' ? '' : scope.tenant
}

function scopeUser({ scope }: PlanInputs): string {
  return scope.role === 'member' ? scope.user : ''
}

function assignments({ set, event }: Apply, sources: Source[]): readonly string[] {
  const given = (source: Source): string => {
    sources.push(source)
    return '?'
  }
  const parts = [`updated_at = ${given(nowOf)}`]
  if (event !== undefined) parts.push('event_seq = event_seq + 1')
  if (set.state !== undefined) parts.push(`state = ${STATE_CODES[set.state]}`)
  parts.push(...claimSql(set, given), ...counterSql(set), ...instantSql(set, given), ...cancelSql(set, given))
  parts.push(...phaseSql(set, given))
  // Null is a long output, which has a row of its own.
  if (set.output === 'set') parts.push(`output = ${given(({ values: { output = 'null' } }) => output)}`)
  if (set.output === 'clear') parts.push('output = NULL')
  return parts
}

type Given = (source: Source) => string

function claimSql(set: Changes, given: Given): readonly string[] {
  if (set.claim === 'drop') return ['holder = NULL', 'deadline_at = NULL']
  if (set.claim !== 'take') return []
  return [`holder = ${given(({ values }) => values.holder ?? null)}`, `session = ${given(({ session }) => session)}`]
}

function counterSql(set: Changes): readonly string[] {
  const parts: string[] = []
  for (const column of ['fence', 'attempt', 'generation', 'failures', 'strikes'] as const) {
    if (set[column] === 'raise') parts.push(`${column} = ${column} + 1`)
    if (set[column] === 'reset') parts.push(`${column} = 0`)
  }
  if (set.suspect !== undefined) parts.push(`suspect = ${set.suspect ? 1 : 0}`)
  return parts
}

function instantSql(set: Changes, given: Given): readonly string[] {
  const parts: string[] = []
  if (set.runAt === 'now') parts.push(`run_at = ${given(nowOf)}`)
  if (set.runAt === 'later') parts.push(`run_at = ${given(({ now, values }) => now + (values.delayMs ?? 0))}`)
  if (set.startedAt === 'now') parts.push(`started_at = ${given(nowOf)}`)
  if (set.finishedAt === 'now') parts.push(`finished_at = ${given(nowOf)}`)
  if (set.finishedAt === 'clear') parts.push('finished_at = NULL')
  if (set.deadlineAt === 'later') parts.push(`deadline_at = ${given(deadlineOf)}`)
  return parts
}

/** Null: none. */
export function deadlineOf({ now, values }: Pick<PlanInputs, 'now' | 'values'>): number | null {
  return values.timeoutMs === undefined || values.timeoutMs === null ? null : now + values.timeoutMs
}

function cancelSql(set: Changes, given: Given): readonly string[] {
  if (set.cancel === 'clear') return ['cancel_requested_at = NULL', 'cancelled_by = NULL', 'cancel_reason = NULL']
  if (set.cancel !== 'note') return []
  const first = 'cancel_requested_at IS NULL'
  return [
    `cancel_requested_at = ifnull(cancel_requested_at, ${given(nowOf)})`,
    `cancelled_by = iif(${first}, ${given(({ values }) => values.actor ?? 'system')}, cancelled_by)`,
    `cancel_reason = iif(${first}, ${given(({ values }) => values.reason ?? null)}, cancel_reason)`,
  ]
}

function phaseSql(set: Changes, given: Given): readonly string[] {
  const parts: string[] = []
  const phaseOf: Source = ({ values }) => values.phase ?? 0
  if (set.phase === 'next') parts.push('phase = phase + 1')
  if (set.phase === 'set') parts.push(`phase = ${given(phaseOf)}`)
  if (set.phaseCount === 'set')
    parts.push(`phase_count = ifnull(${given(({ values }) => values.phaseCount ?? null)}, phase_count)`)
  if (set.phaseStartedAt === 'now') parts.push(`phase_started_at = ${given(nowOf)}`)
  if (set.phaseStartedAt === 'clear') parts.push('phase_started_at = NULL')
  if (set.progress === 'full') parts.push('progress = 100')
  if (set.progress === 'set') parts.push(`progress = max(progress, ${given(({ values }) => values.progress ?? 0)})`)
  if (set.progress === 'restart') {
    const phase = set.phase === 'set' ? given(phaseOf) : 'phase'
    parts.push(`progress = 100.0 * ${phase} / phase_count`)
  }
  return parts
}
