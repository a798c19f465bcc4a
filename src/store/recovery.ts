/** What a sweep does to each job it finds: the plan, and what is told of it. It needs no handler's code: the policy of each type is in the store. */
import type { Verdict } from '../core/classification.ts'
import { formatDuration } from '../core/duration.ts'
import type { ErrorCode } from '../core/errors.ts'
import { decodeJson } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import type { Plan, PlanValues } from '../core/plan.ts'
import { END_OF_GRACE, REAP_POISON, REAP_STUCK } from '../core/plans.ts'
import type { JobPolicy } from '../core/policy.ts'
import { OPERATOR } from '../core/scope.ts'
import { planReap, planStuck, settleTimeOut, stuckAt } from '../core/settle.ts'
import type { PlanCall } from './claims.ts'

/** A running job, as a sweep sees it. */
export interface HeldJob {
  readonly jobId: string
  readonly holder: number
  readonly fence: number
  readonly policy: JobPolicy
  /** The phase that the attempt is in; null: there is none left. */
  readonly phase: string | null
  readonly progress: number
  /** What the latest `job:progress` of the attempt tells, JSON text; null: it has told of none, or not for the last `TOLD_WITHIN` events. */
  readonly told: string | null
}

/** How many events of a job are looked through at most for what an attempt told last, so that a sweep is soon done with one that logs much. */
export const TOLD_WITHIN = 1_000

export interface OrphanedJob extends HeldJob {
  readonly suspect: boolean
  readonly strikes: number
}

/** For all jobs of one dead session, in the order they were taken. */
export function reapCalls(orphans: readonly OrphanedJob[]): readonly PlanCall[] {
  const suspect = orphans.find((orphan) => orphan.suspect) ?? orphans[0]
  const plans = planReap(orphans, suspect?.policy.maxStrikes ?? 1)
  return plans.flatMap((plan, index) => {
    const orphan = orphans[index]
    return orphan === undefined ? [] : [reapCall(orphan, plan)]
  })
}

function reapCall(orphan: OrphanedJob, plan: Plan): PlanCall {
  const poison = plan === REAP_POISON
  const error = poison
    ? attemptError(orphan, 'poison', 'The job was in flight each time when its worker died; it is not tried again.')
    : attemptError(orphan, 'session-lost', 'The worker that ran the job died or lost its lease.')
  const { name, message, code, verdict } = error
  return recoveryCall(orphan, { plan, error, detail: poison ? { error: { name, message, code }, verdict } : null })
}

export interface SweepMoment {
  readonly now: number
  /** How long past its end an attempt is left to its worker. */
  readonly graceMs: number
  /** In [0, 1). */
  readonly random: number
}

export interface OverdueJob extends HeldJob {
  readonly deadlineAt: number
  readonly failures: number
}

const TIMED_OUT: Verdict = { fatal: false, rule: 'time-out' }

/** The worker settles an overdue attempt itself after the handler's grace; this is for a worker that is alive and does not. Null: not yet. */
export function timeOutCall(job: OverdueJob, { now, graceMs, random }: SweepMoment): PlanCall | null {
  const { maxAttempts, backoff, cancelGraceMs } = job.policy
  if (job.deadlineAt + cancelGraceMs + graceMs > now) return null
  const { plan, values } = settleTimeOut({ failures: job.failures, maxAttempts, backoff, random, verdict: TIMED_OUT })
  const error = attemptError(job, 'time-out', 'The attempt took longer than its type allows.')
  const { name, message, code } = error
  const detail = {
    error: { name, message, code },
    verdict: TIMED_OUT,
    ...(values.delayMs === undefined ? {} : { runInMs: values.delayMs }),
  }
  return recoveryCall(job, { plan, values, error: { ...error, verdict: TIMED_OUT }, detail })
}

export interface StoppingJob extends HeldJob {
  readonly cancelRequestedAt: number
}

/** The same for a cancel: its worker ends the grace itself, unless it is blocked. The claim is gone then, so what the handler still writes is refused. */
export function endGraceCall(job: StoppingJob, { now, graceMs }: SweepMoment): PlanCall | null {
  if (job.cancelRequestedAt + job.policy.cancelGraceMs + graceMs > now) return null
  const error = attemptError(job, 'job-cancelled', 'The handler did not stop within its grace.')
  return recoveryCall(job, { plan: END_OF_GRACE, error, detail: null })
}

export interface HandDrivenJob extends HeldJob {
  /** How many phases are done. */
  readonly phaseIndex: number
  readonly updatedAt: number
  readonly lockedBy: string
  readonly lockExpiresAt: number
}

/** For a job that is driven by hand, whose lock has run out. Null: it has not been quiet for long enough. */
export function stuckCall(job: HandDrivenJob, now: number): PlanCall | null {
  const { updatedAt, lockExpiresAt, lockedBy, progress } = job
  const { quietMs, progressed } = job.policy.lock
  if (stuckAt({ lockExpiresAt, updatedAt, quietMs }) > now) return null
  const plan = planStuck({ phase: job.phaseIndex, progress, progressed })
  const [quiet, over] = [formatDuration(now - updatedAt), formatDuration(now - lockExpiresAt)]
  const message =
    `${lockedBy} drove the job by hand and was not heard of for ${quiet}, with the progress at ${Math.floor(progress)} %; ` +
    `the lock had run out ${over} before. Look at what was done, then retry it.`
  const error = attemptError(job, 'lock-expired', message)
  const { name, code, verdict } = error
  const detail = plan === REAP_STUCK ? { error: { name, message, code }, verdict } : null
  return recoveryCall(job, { plan, error, detail })
}

interface Recovery {
  readonly plan: Plan
  readonly values?: PlanValues
  readonly error: AttemptError
  readonly detail: object | null
}

/** Refused where somebody was faster. */
function recoveryCall({ jobId, holder, fence }: HeldJob, { plan, values = {}, error, detail }: Recovery): PlanCall {
  return {
    jobId,
    plan,
    scope: OPERATOR,
    claim: { jobId, holder, fence },
    values,
    detail: detail === null ? null : JSON.stringify(detail),
    error: JSON.stringify(error),
  }
}

interface AttemptError {
  readonly name: string
  readonly message: string
  readonly code: ErrorCode
  readonly verdict: Verdict
  readonly phase: string | null
  readonly progress: number
  readonly context?: Json
}

/** What the worker would have written had it been able to: where the attempt was cut off, and what its handler had told last. */
function attemptError(job: HeldJob, code: ErrorCode, message: string): AttemptError {
  const { phase, progress } = job
  const verdict = { fatal: code === 'poison', rule: code }
  return { name: 'MillraceError', message, code, verdict, phase, progress, ...contextOf(job) }
}

/** As the worker has it: of this phase alone. */
function contextOf({ told, phase }: HeldJob): Pick<AttemptError, 'context'> {
  const last = told === null ? null : decodeJson(told)
  if (typeof last !== 'object' || last === null || !('context' in last) || last['phase'] !== phase) return {}
  const { context } = last
  return context === undefined ? {} : { context }
}
