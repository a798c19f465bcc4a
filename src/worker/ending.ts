/** How an attempt ends: the plans to carry out, from what its handler did and why it had to stop. */
import { attemptError, summarizeError } from '../core/attempt-error.ts'
import { classifyError } from '../core/classification.ts'
import type { Verdict } from '../core/classification.ts'
import { LIMITS } from '../core/limits.ts'
import { encodeJson } from '../core/encode-json.ts'
import { CHECKPOINT, COMPLETE, COMPLETE_ONLY_PHASE, END_OF_GRACE, RELEASE } from '../core/plans.ts'
import { jobProgress } from '../core/progress.ts'
import { settleFailure, settleTimeOut } from '../core/settle.ts'
import type { Settlement } from '../core/settle.ts'
import type { AttemptCall } from './attempt-call.ts'
import type { Attempt } from './attempt.ts'
import { JudgedError } from './judged-error.ts'
import type { Stop } from './stop.ts'

export interface Ending {
  readonly calls: readonly AttemptCall[]
  /** What it ends with; null: it completes. */
  readonly failure: Failure | null
}

export interface Failure {
  readonly error: unknown
  readonly verdict: Verdict
  readonly stop: Stop | null
}

/** The phase at hand is done, and further ones follow. */
export function checkpoint({ phase, phaseNames }: Attempt, result: string): AttemptCall {
  let known = checkpoints.get(phaseNames)
  if (known === undefined) checkpoints.set(phaseNames, (known = []))
  const { values, detail } = (known[phase] ??= checkpointOf(phaseNames, phase))
  return { plan: CHECKPOINT, values, detail, result }
}

type CheckpointParts = Required<Pick<AttemptCall, 'values' | 'detail'>>

/** What the checkpoints of a phase have in common, by the list of phases: jobs that were claimed together share it. */
const checkpoints = new WeakMap<readonly string[], CheckpointParts[]>()

function checkpointOf(phaseNames: readonly string[], phase: number): CheckpointParts {
  const progress = jobProgress({ phaseIndex: phase + 1, phaseCount: phaseNames.length, phaseProgress: 0 })
  const detail = JSON.stringify({ phase: phaseNames[phase], next: phaseNames[phase + 1] ?? null })
  return { values: { progress, seenPhase: phase }, detail }
}

/** The last phase is done; null: it has had its checkpoint already. */
export function completion(attempt: Attempt, result: string | null): Ending {
  if (result === null) return { calls: [COMPLETION], failure: null }
  if (attempt.phaseNames.length === 1) return result === NOTHING ? COMPLETED_WITH_NOTHING : completedWith(result)
  return { calls: [checkpoint(attempt, result), COMPLETION], failure: null }
}

const COMPLETION: AttemptCall = { plan: COMPLETE }

/** What a handler that returns nothing has returned. Most do, so they share an ending. */
const NOTHING = 'null'
const COMPLETED_WITH_NOTHING: Ending = completedWith(NOTHING)

function completedWith(output: string): Ending {
  return { calls: [{ plan: COMPLETE_ONLY_PHASE, values: { output } }], failure: null }
}

export interface EndingFacts {
  /** What was thrown, or the stop's own error where the handler is left to itself or had nothing left to do. */
  readonly error: unknown
  readonly now: number
  readonly random: number
}

/** The attempt has failed, or had to stop before its last phase was done. */
export function endingAfter(attempt: Attempt, { error: thrown, ...moment }: EndingFacts): Ending {
  const { stop } = attempt
  const judged = thrown instanceof JudgedError ? thrown : null
  const facts = { ...moment, error: judged === null ? thrown : judged.cause }
  switch (stop?.cause) {
    case 'cancel':
      return stopped(attempt, { plan: END_OF_GRACE }, stop, facts)
    case 'shutdown':
      return stopped(attempt, { plan: RELEASE }, stop, facts)
    case 'time-out':
      return failed(attempt, { error: stop.error, verdict: TIMED_OUT, stop }, facts)
    case 'lease-lost':
    case undefined:
      return failed(
        attempt,
        { error: facts.error, verdict: judged?.verdict ?? judge(attempt, facts), stop: null },
        facts,
      )
  }
}

/** Refusals that only say that the ending was not the right one: the clock of the store is behind, or no cancel is pending after all. */
export const INSTEAD: ReadonlySet<string> = new Set(['deadline-ahead', 'no-cancel-pending'])

/** The ending that was chosen was refused, because the store knows better why the attempt ends: it has simply failed. */
export function failureInstead(attempt: Attempt, failure: Failure, random: number): Ending {
  return failedBy(settleFailure(settleFacts(attempt, failure.verdict, random)), attempt, failure)
}

const TIMED_OUT: Verdict = { fatal: false, rule: 'time-out' }

function judge({ handler }: Attempt, { error, now }: EndingFacts): Verdict {
  return classifyError(error, handler.definition.rules, { now })
}

/** Not a failure: the verdict only says which rule was met. */
function stopped(attempt: Attempt, call: AttemptCall, stop: Stop, { error }: EndingFacts): Ending {
  const verdict = { fatal: stop.cause === 'cancel', rule: stop.cause }
  const kept = { error: keptError(attempt, error, verdict), ...stopOf(attempt) }
  return { calls: [{ ...call, ...kept }], failure: { error, verdict, stop } }
}

function failed(attempt: Attempt, failure: Failure, { random }: EndingFacts): Ending {
  const facts = settleFacts(attempt, failure.verdict, random)
  return failedBy(failure.stop === null ? settleFailure(facts) : settleTimeOut(facts), attempt, failure)
}

function settleFacts({ job }: Attempt, verdict: Verdict, random: number): Parameters<typeof settleFailure>[0] {
  const { maxAttempts, backoff } = job.policy
  return { failures: job.failures, maxAttempts, backoff, verdict, random }
}

function failedBy({ plan, values }: Settlement, attempt: Attempt, failure: Failure): Ending {
  const { error, verdict } = failure
  const { delayMs } = values
  const runIn = delayMs === undefined ? {} : { runInMs: delayMs }
  const detail = JSON.stringify({ error: summarizeError(error), verdict, ...runIn })
  const kept = { error: keptError(attempt, error, verdict), ...stopOf(attempt) }
  return { calls: [{ plan, values, detail, ...kept }], failure }
}

/** Absent: its handler may run on, and its stop is noted later. */
function stopOf({ stoppedBy }: Attempt): Pick<AttemptCall, 'stoppedBy'> {
  return stoppedBy === null ? {} : { stoppedBy }
}

function keptError(attempt: Attempt, error: unknown, verdict: Verdict): string {
  const { phaseName: phase, percent: progress, progressContext: context } = attempt
  return JSON.stringify(attemptError(error, verdict, { phase, progress, context }))
}

/** What a phase returned, as it is kept. A function that returns nothing has returned null. */
export function encodeResult(returned: unknown, path: string): string {
  return encodeJson(returned === undefined ? null : returned, { path, limitBytes: LIMITS.resultBytes })
}
