/** What whoever holds a job by hand writes to it. Every write makes the lock last; one that ends the attempt ends the lock, in the same commit. */
import { attemptError, summarizeError } from '../core/attempt-error.ts'
import { classifyError } from '../core/classification.ts'
import type { ClassificationRule, Verdict } from '../core/classification.ts'
import { ConflictError, InvalidInputError } from '../core/errors.ts'
import type { Claim } from '../core/job-row.ts'
import {
  CHECKPOINT,
  COMPLETE,
  COMPLETE_ONLY_PHASE,
  END_OF_GRACE,
  EXTEND,
  PROGRESS,
  PROGRESS_TOLD,
  RELEASE,
} from '../core/plans.ts'
import { jobProgress } from '../core/progress.ts'
import { OPERATOR } from '../core/scope.ts'
import { settleFailure } from '../core/settle.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { PlanCall } from '../store/claims.ts'
import type { JobDetails } from '../store/jobs.ts'
import type { Store } from '../store/store.ts'
import { managedState } from './by-hand.ts'
import type { NotWritten, Written } from './by-hand.ts'
import { refusalError } from './refusals.ts'

/** A job under a lock, if that still holds it. */
export interface Drive {
  readonly store: Store
  readonly runtime: Runtime
  readonly claim: Claim
}

type HandCall = Pick<PlanCall, 'plan'> & Partial<Pick<PlanCall, 'values' | 'detail' | 'result' | 'error' | 'byHand'>>

/** Calls that are made at once share a commit. */
async function write({ store, claim }: Drive, calls: readonly HandCall[]): Promise<Written | NotWritten> {
  const { jobId } = claim
  const beside = { jobId, scope: OPERATOR, claim, values: {}, detail: null, byHand: { lockMs: null } }
  const results = await Promise.all(calls.map((call) => store.claims.apply({ ...beside, ...call })))
  // The last builds on those before it: if it was applied, they were, whoever made them. Two that complete at once share the phases.
  const last = results.at(-1)
  if (last?.applied === true) {
    const { state, cancelRequestedAt } = last.row
    return { success: true, jobId, state: managedState(state), cancelRequested: cancelRequestedAt !== null }
  }
  const refused = results.find((result) => !result.applied)
  if (refused === undefined || refused.refusal === 'lease-lost') return lost(jobId)
  throw refusalError({ jobId, act: 'driven by hand', refusal: refused.refusal, row: refused.row })
}

export function lost(jobId: string): NotWritten {
  return { success: false, jobId, reason: 'lease-lost' }
}

/** The job as it is; null: the lock does not hold it (any more). What a holder knows changes only by its own hand. */
async function heldJob({ store, claim }: Drive): Promise<JobDetails | null> {
  const details = await store.jobs.get(claim.jobId, OPERATOR)
  return typeof details === 'string' || !holds(claim, details) ? null : details
}

export function holds(claim: Claim, { holder, fence }: JobDetails): boolean {
  return holder === claim.holder && fence === claim.fence
}

type Writing = (job: JobDetails) => readonly HandCall[]

async function writeKnowing(drive: Drive, calls: Writing): Promise<Written | NotWritten> {
  const job = await heldJob(drive)
  return job === null ? lost(drive.claim.jobId) : write(drive, calls(job))
}

/** A progress that is less than before changes nothing, but is a sign of life. `tells`: with an event, if the whole percent has grown. */
export async function writeProgress(drive: Drive, percent: number, tells: boolean): Promise<Written | NotWritten> {
  const values = { progress: percent }
  if (!tells) return write(drive, [{ plan: PROGRESS, values }])
  return writeKnowing(drive, ({ progress, phaseNames, phase }) => {
    if (Math.floor(percent) <= Math.floor(progress)) return [{ plan: PROGRESS, values }]
    const detail = JSON.stringify({ percent: Math.floor(percent * 100) / 100, phase: phaseNames[phase] ?? null })
    return [{ plan: PROGRESS_TOLD, values, detail }]
  })
}

/** Neither the lock nor the time of the attempt ends before so long from now. */
export async function extendByHand(drive: Drive, ms: number): Promise<Written | NotWritten> {
  const now = await drive.store.now()
  const byHand = { lockMs: ms }
  return writeKnowing(drive, ({ deadlineAt, progress }) => {
    const enough = deadlineAt === null || deadlineAt >= now + ms
    return [
      enough ? { plan: PROGRESS, values: { progress }, byHand } : { plan: EXTEND, values: { timeoutMs: ms }, byHand },
    ]
  })
}

/** One phase is done. The last one is done by completing the job. */
export async function finishPhase(drive: Drive, result: string): Promise<Written | NotWritten> {
  return writeKnowing(drive, (job) => {
    if (job.phase >= job.phaseNames.length - 1) {
      const { id: jobId, state } = job
      throw new ConflictError('transition-refused', `Job ${jobId} is in its last phase. Complete the job instead.`, {
        details: { jobId, state },
      })
    }
    return [checkpoint(job, job.phase, result)]
  })
}

function checkpoint({ phaseNames }: JobDetails, phase: number, result: string): HandCall {
  const progress = jobProgress({ phaseIndex: phase + 1, phaseCount: phaseNames.length, phaseProgress: 0 })
  const detail = JSON.stringify({ phase: phaseNames[phase], next: phaseNames[phase + 1] ?? null })
  return { plan: CHECKPOINT, values: { progress, seenPhase: phase }, detail, result }
}

/** What is left of the phases is done with it: the last has the output as its result, those before it null. */
export async function completeByHand(drive: Drive, output: string | null): Promise<Written | NotWritten> {
  return writeKnowing(drive, (job) => {
    const { length } = job.phaseNames
    if (length === 1 && job.phase === 0) return [{ plan: COMPLETE_ONLY_PHASE, values: { output: output ?? 'null' } }]
    if (output !== null && job.phase >= length) {
      const expected = 'nothing: every phase is done, and the result of the last one is the output'
      throw new InvalidInputError({ path: 'fields', expected })
    }
    const left = Array.from({ length: length - job.phase }, (_, index) => job.phase + index)
    const checkpoints = left.map((phase) => checkpoint(job, phase, phase === length - 1 ? (output ?? 'null') : 'null'))
    return [...checkpoints, { plan: COMPLETE }]
  })
}

/** The attempt has failed, as one of a worker does: tried again by the type's policy, unless the error is fatal or it was the last. */
export async function failByHand(
  drive: Drive,
  error: unknown,
  judged: { readonly rules: readonly ClassificationRule[] } | { readonly verdict: Verdict },
): Promise<Written | NotWritten> {
  const { runtime } = drive
  const verdict = 'verdict' in judged ? judged.verdict : classifyError(error, judged.rules, { now: runtime.now() })
  return writeKnowing(drive, ({ policy, failures, phaseNames, phase, progress }) => {
    const { maxAttempts, backoff } = policy
    const settled = settleFailure({ failures, maxAttempts, backoff, verdict, random: runtime.random() })
    const { plan, values } = settled
    const runIn = values.delayMs === undefined ? {} : { runInMs: values.delayMs }
    const detail = JSON.stringify({ error: summarizeError(error), verdict, ...runIn })
    const where = { phase: phaseNames[phase] ?? null, progress, context: undefined }
    return [{ plan, values, detail, error: JSON.stringify(attemptError(error, verdict, where)) }]
  })
}

/** Back into the queue, and no failure is counted. */
export async function releaseByHand(drive: Drive): Promise<Written | NotWritten> {
  return write(drive, [{ plan: RELEASE }])
}

/** The job was asked to stop, and its driver has stopped. */
export async function stopByHand(drive: Drive): Promise<Written | NotWritten> {
  return write(drive, [{ plan: END_OF_GRACE }])
}
