/**
 * Plans carried out on a plain row: what the in-memory model, the model checker and every explanation of a refusal use. A store's SQL is
 * compiled from the same plan; the contract suite runs both beside each other.
 */
import type { EventName } from './events.ts'
import type { Claim, JobRow } from './job-row.ts'
import { isRefusal } from './plan.ts'
import type { AttemptOutcome, Changes, Condition, Plan, PlanValues, Refusal } from './plan.ts'
import { canSee, canTouch } from './scope.ts'
import type { Scope } from './scope.ts'
import { isFinal } from './states.ts'

/** Everything outside the row that a plan may look at. */
export interface PlanContext {
  /** Epoch milliseconds by the store's clock. */
  readonly now: number
  readonly scope: Scope
  readonly claim: Claim | null
  readonly values: PlanValues
  readonly sessionAlive: (holder: number) => boolean
  /** Whether another unfinished job of the same type and tenant holds this job's unique key. */
  readonly uniqueHeld: () => boolean
}

export type PlanOutcome =
  | { readonly refused: Refusal }
  | { readonly row: JobRow; readonly event: EventName | null; readonly ends: AttemptOutcome | null }

export function interpretPlan(plan: Plan, row: JobRow, context: PlanContext): PlanOutcome {
  for (const entry of plan.cases) {
    if (!entry.when.every((condition) => holds(condition, row, context))) continue
    if (isRefusal(entry)) return { refused: entry.refuse }
    const changed = applyChanges(row, entry.set, context)
    const event = entry.event ?? null
    const eventSeq = event === null ? row.eventSeq : row.eventSeq + 1
    return { row: { ...changed, eventSeq }, event, ends: entry.ends ?? null }
  }
  throw new RangeError(`plan "${plan.name}" has no case for a ${row.state} job`)
}

type Test = (row: JobRow, context: PlanContext) => boolean

const TESTS: Readonly<Record<Condition, Test>> = {
  'out-of-scope': (row, { scope }) => !canSee(scope, row),
  'not-owner': (row, { scope }) => !canTouch(scope, row),
  'not-admin': (_row, { scope }) => scope.role === 'member',
  'claim-lost': (row, { claim }) => claim === null || !isCurrent(claim, row),
  'session-alive': (row, { sessionAlive }) => row.holder !== null && sessionAlive(row.holder),
  'cancel-pending': (row) => row.cancelRequestedAt !== null,
  'no-cancel-pending': (row) => row.cancelRequestedAt === null,
  'deadline-ahead': (row, { now }) => row.deadlineAt === null || row.deadlineAt > now,
  'not-due': (row, { now }) => row.runAt > now,
  'moved-on': (row, { values }) => row.generation !== values.seenGeneration || row.fence !== values.seenFence,
  'unique-held': (row, { uniqueHeld }) => row.uniqueKey !== null && uniqueHeld(),
  'phases-left': (row) => row.phase < row.phaseCount,
  'several-phases': (row) => row.phaseCount > 1,
  'phase-moved': (row, { values }) => row.phase >= row.phaseCount || row.phase !== (values.seenPhase ?? row.phase),
  'scheduled-or-retrying': (row) => row.state === 'scheduled' || row.state === 'retrying',
  queued: (row) => row.state === 'queued',
  running: (row) => row.state === 'running',
  completed: (row) => row.state === 'completed',
  failed: (row) => row.state === 'failed',
  cancelled: (row) => row.state === 'cancelled',
  final: (row) => isFinal(row.state),
}

/** A session holds several jobs with one key, and their fences may be equal: a claim on another job is none on this one. */
function isCurrent({ jobId, holder, fence }: Claim, row: JobRow): boolean {
  return jobId === row.id && holder === row.holder && fence === row.fence
}

function holds(condition: Condition, row: JobRow, context: PlanContext): boolean {
  return TESTS[condition](row, context)
}

function applyChanges(row: JobRow, set: Changes, { now, values }: PlanContext): JobRow {
  const phase = nextPhase(row, set, values)
  return {
    ...row,
    state: set.state ?? row.state,
    ...claimed(row, set, values),
    fence: raised(row.fence, set.fence),
    attempt: raised(row.attempt, set.attempt),
    generation: raised(row.generation, set.generation),
    failures: raised(row.failures, set.failures),
    strikes: raised(row.strikes, set.strikes),
    suspect: set.suspect ?? row.suspect,
    runAt: nextRunAt(row, set, now, values),
    startedAt: set.startedAt === 'now' ? now : row.startedAt,
    finishedAt: nextInstant(row.finishedAt, set.finishedAt, now),
    ...nextCancel(row, set, now, values),
    phase,
    phaseCount: set.phaseCount === 'set' ? (values.phaseCount ?? row.phaseCount) : row.phaseCount,
    phaseStartedAt: nextInstant(row.phaseStartedAt, set.phaseStartedAt, now),
    progress: nextProgress({ ...row, phase }, set, values),
    deadlineAt: nextDeadline(row, set, now, values),
  }
}

function raised(current: number, change: 'raise' | 'reset' | undefined): number {
  if (change === 'raise') return current + 1
  return change === 'reset' ? 0 : current
}

function claimed(row: JobRow, set: Changes, values: PlanValues): Pick<JobRow, 'holder'> {
  if (set.claim === 'take') return { holder: values.holder ?? null }
  return { holder: set.claim === 'drop' ? null : row.holder }
}

function nextInstant(current: number | null, change: 'now' | 'clear' | undefined, now: number): number | null {
  if (change === 'now') return now
  return change === 'clear' ? null : current
}

function nextRunAt(row: JobRow, set: Changes, now: number, values: PlanValues): number {
  if (set.runAt === 'now') return now
  return set.runAt === 'later' ? now + (values.delayMs ?? 0) : row.runAt
}

function nextDeadline(row: JobRow, set: Changes, now: number, values: PlanValues): number | null {
  if (set.claim === 'drop') return null
  if (set.deadlineAt === undefined) return row.deadlineAt
  return values.timeoutMs === undefined || values.timeoutMs === null ? null : now + values.timeoutMs
}

function nextPhase(row: JobRow, set: Changes, values: PlanValues): number {
  if (set.phase === 'next') return row.phase + 1
  return set.phase === 'set' ? (values.phase ?? 0) : row.phase
}

/** Within an attempt progress never falls; a claim or a restart begins at the share of the phases that are done. */
function nextProgress(row: JobRow, set: Changes, values: PlanValues): number {
  if (set.progress === 'full') return 100
  if (set.progress === 'restart') return (100 * row.phase) / row.phaseCount
  return set.progress === 'set' ? Math.max(row.progress, values.progress ?? 0) : row.progress
}

type Cancel = Pick<JobRow, 'cancelRequestedAt' | 'cancelledBy' | 'cancelReason'>

function nextCancel(row: JobRow, set: Changes, now: number, values: PlanValues): Cancel {
  if (set.cancel === 'clear') return { cancelRequestedAt: null, cancelledBy: null, cancelReason: null }
  const { cancelRequestedAt, cancelledBy, cancelReason } = row
  if (set.cancel === undefined || cancelRequestedAt !== null) return { cancelRequestedAt, cancelledBy, cancelReason }
  return { cancelRequestedAt: now, cancelledBy: values.actor ?? 'system', cancelReason: values.reason ?? null }
}
