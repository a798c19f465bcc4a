/** What becomes of an attempt that did not complete: the choice of plan, from what the holder knows. */
import type { Verdict } from './classification.ts'
import type { Plan, PlanValues } from './plan.ts'
import {
  FAIL_FINAL,
  FAIL_RETRY,
  REAP,
  REAP_POISON,
  REAP_STRIKE,
  REAP_STUCK,
  REAP_SUSPECT,
  TIME_OUT_FINAL,
  TIME_OUT_RETRY,
} from './plans.ts'
import type { LockPolicy } from './policy.ts'
import { retryDelayMs } from './retry.ts'
import type { Backoff } from './retry.ts'

export interface Settlement {
  readonly plan: Plan
  readonly values: PlanValues
  readonly willRetry: boolean
}

export interface SettleFailure {
  /** Failures of this generation before this one. */
  readonly failures: number
  readonly maxAttempts: number
  readonly backoff: Backoff
  readonly verdict: Verdict
  /** In [0, 1). */
  readonly random: number
}

export function settleFailure(failure: SettleFailure): Settlement {
  if (failure.verdict.fatal || isLast(failure)) return { plan: FAIL_FINAL, values: {}, willRetry: false }
  return { plan: FAIL_RETRY, values: { delayMs: delayAfter(failure) }, willRetry: true }
}

export function settleTimeOut(failure: SettleFailure): Settlement {
  if (isLast(failure)) return { plan: TIME_OUT_FINAL, values: {}, willRetry: false }
  return { plan: TIME_OUT_RETRY, values: { delayMs: delayAfter(failure) }, willRetry: true }
}

function isLast({ failures, maxAttempts }: SettleFailure): boolean {
  return failures + 1 >= maxAttempts
}

function delayAfter({ backoff, failures, random, verdict }: SettleFailure): number {
  const { retryAfterMs } = verdict
  return retryDelayMs({
    backoff,
    failures: failures + 1,
    random,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

/** A job that a dead session held. */
export interface Orphan {
  readonly suspect: boolean
  readonly strikes: number
}

/**
 * The plan for each job of a dead session, in order. The one that was suspect already gets a strike and the others go free; where none was,
 * all become suspects, and since a session runs one suspect at a time, the next death names the guilty one.
 */
export function planReap(orphans: readonly Orphan[], maxStrikes: number): readonly Plan[] {
  const anySuspect = orphans.some((orphan) => orphan.suspect)
  return orphans.map((orphan) => {
    if (!anySuspect) return REAP_SUSPECT
    if (!orphan.suspect) return REAP
    return orphan.strikes + 1 >= maxStrikes ? REAP_POISON : REAP_STRIKE
  })
}

/** A job that is driven by hand, and its lock. Instants are epoch milliseconds. */
export interface HandDriven {
  readonly lockExpiresAt: number
  /** When it was last written. */
  readonly updatedAt: number
  readonly quietMs: number
}

/** When it is stuck, unless something is written before: its lock has run out and it has been quiet for long enough. */
export function stuckAt({ lockExpiresAt, updatedAt, quietMs }: HandDriven): number {
  return Math.max(lockExpiresAt, updatedAt + quietMs)
}

export interface StuckJob {
  /** How many phases are done. */
  readonly phase: number
  readonly progress: number
  readonly progressed: LockPolicy['progressed']
}

/**
 * The plan for a job that is stuck. Where nothing was done, or all that counts is kept, it is started again; where something was done that
 * nobody knows how far it came, it has failed, unless its type says otherwise. Nobody is suspected: a person is no worker.
 */
export function planStuck({ phase, progress, progressed }: StuckJob): Plan {
  return phase > 0 || progress === 0 || progressed === 'requeue' ? REAP : REAP_STUCK
}
