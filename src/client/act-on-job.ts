/** What a person does to a job that is there: cancel it, retry it, let it run now. */
import { ConflictError, ForbiddenError, InvalidInputError } from '../core/errors.ts'
import { encodeJson } from '../core/encode-json.ts'
import { decodeJson } from '../core/json.ts'
import { LIMITS } from '../core/limits.ts'
import { retryPhase } from '../core/phases.ts'
import type { Plan, PlanValues } from '../core/plan.ts'
import { CANCEL, RETRY, RUN_NOW } from '../core/plans.ts'
import type { Scope } from '../core/scope.ts'
import { isFinal } from '../core/states.ts'
import type { JobState } from '../core/states.ts'
import type { PlanCall, PlanResult } from '../store/claims.ts'
import type { JobDetails } from '../store/jobs.ts'
import { actorOf } from './asker.ts'
import type { Asker } from './asker.ts'
import { checkInput } from './check-input.ts'
import type { JobReference } from './job-values.ts'
import { checkName, checkText, shown } from './names.ts'
import { checkBoolean, checkOptions } from './option-values.ts'
import { idOf, readDetails } from './read-jobs.ts'
import { refusalError } from './refusals.ts'

export interface CancelOptions {
  /** Who cancels, 1 to 200 characters. Default: the user of the client, else `system`. A user can't name another one. */
  readonly actor?: string
  /** Why, 1 to 1,000 characters. */
  readonly reason?: string
}

/** The cancel was accepted. A job whose `state` is `running` is being told to stop; it may still be stopping, or complete all the same. */
export interface Cancelled {
  readonly success: true
  readonly jobId: string
  readonly state: JobState
  /** Whoever cancelled first. */
  readonly cancelledBy: string
}

export async function cancelJob(asker: Asker, jobId: string, options: CancelOptions): Promise<Cancelled> {
  const values = cancelValues(asker, checkOptions(options, { actor: true, reason: true }, 'options'))
  const result = await asker.store.claims.apply(actOf(asker, jobId, CANCEL, values))
  const { row } = result
  if (row === null || (!result.applied && result.refusal !== 'already')) throw refused(result, jobId, 'cancelled')
  return { success: true, jobId, state: row.state, cancelledBy: row.cancelledBy ?? values.actor }
}

export function cancelValues(
  asker: Asker,
  { actor, reason }: CancelOptions,
): { readonly actor: string; readonly reason: string | null } {
  return {
    actor: actorOf(asker, actor),
    reason: reason === undefined ? null : checkText(reason, { path: 'reason', maxCharacters: LIMITS.reasonCharacters }),
  }
}

export interface JobRetryOptions {
  /** Start afresh, whatever is done already. Default false: go on at the first phase that is not done. */
  readonly fromStart?: boolean
  /** Start at this phase, which must have been reached, and keep the results before it. Not together with `fromStart`. */
  readonly from?: string
  /**
   * The input of the new life; only together with `fromStart: true`, since results made of another input would not fit. Where the job is named
   * by a handle or with its definition, that definition's schema checks it. Default: the input stays as it is.
   */
  readonly input?: unknown
  /** Who retries, 1 to 200 characters. Default: the user of the client, else `system`. A user can't name another one. */
  readonly actor?: string
}

export interface RunNowOptions {
  /** Who lets it run, 1 to 200 characters. Default: the user of the client, else `system`. A user can't name another one. */
  readonly actor?: string
}

export interface Retried {
  readonly jobId: string
  readonly state: JobState
  /** Of the life that begins. */
  readonly generation: number
  /** Where it starts. */
  readonly phase: string
}

/** How often an act looks again when the job moved between the look and the act. */
export const LOOKS = 5

export async function retryJob(asker: Asker, job: JobReference, options: JobRetryOptions): Promise<Retried> {
  const jobId = idOf(job)
  const choice = checkRetry(asker.scope, options)
  const told = toldOf(asker, options)
  const input = await newInput(job, options)
  for (let look = 1; ; look += 1) {
    const details = await readDetails(asker.store, asker.scope, jobId)
    const phase = phaseToRetry(details, choice)
    const values = { phase, seenGeneration: details.generation, seenFence: details.fence }
    const result = await asker.store.claims.apply({ ...actOf(asker, jobId, RETRY, values), ...input, ...told })
    if (result.applied) {
      // Had the job moved on since the look, the plan would have been refused.
      const generation = details.generation + 1
      return { jobId, state: result.row.state, generation, phase: details.phaseNames[phase] ?? '' }
    }
    if (result.refusal !== 'moved-on' || look === LOOKS) throw refused(result, jobId, 'retried')
  }
}

interface RetryFrom {
  readonly fromStart: boolean
  readonly from: string | null
}

/** As it is to be stored; nothing where it stays. */
async function newInput(
  job: JobReference,
  { input, fromStart }: JobRetryOptions,
): Promise<{ readonly input?: string }> {
  if (input === undefined) return {}
  if (fromStart !== true) {
    throw new InvalidInputError({
      path: 'input',
      expected: 'nothing, unless fromStart is true: kept results belong to the old input',
    })
  }
  const text = encodeJson(input, { path: 'input', limitBytes: LIMITS.inputBytes })
  const definition = typeof job === 'object' && 'definition' in job ? job.definition : undefined
  await checkInput(definition?.input, decodeJson(text), 'input')
  return { input: text }
}

const RETRY_OPTIONS = { fromStart: true, from: true, input: true, actor: true } as const

/** With the event: in whose name the act is. */
function toldOf(asker: Asker, { actor }: RunNowOptions): { readonly detail: string } {
  return { detail: JSON.stringify({ actor: actorOf(asker, actor) }) }
}

function checkRetry(scope: Scope, options: JobRetryOptions): RetryFrom {
  const { fromStart = false, from } = checkOptions(options, RETRY_OPTIONS, 'options')
  checkBoolean(fromStart, 'fromStart')
  if (from === undefined) return { fromStart, from: null }
  checkName(from, 'from')
  if (fromStart) throw new InvalidInputError({ path: 'from', expected: 'nothing, where fromStart is true' })
  if (scope.role !== 'operator')
    throw new ForbiddenError('forbidden', 'Only an operator may choose the phase of a retry.')
  return { fromStart, from }
}

function phaseToRetry({ id, state, phaseNames, phase }: JobDetails, { fromStart, from }: RetryFrom): number {
  if (!isFinal(state)) {
    throw new ConflictError(
      'job-not-final',
      `Job ${id} is ${state} and can't be retried: only a job that is over can. Cancel it first, or wait for it.`,
      { details: { jobId: id, state } },
    )
  }
  const start = retryPhase({ names: phaseNames, phase, state, fromStart, from })
  if (start !== null) return start
  const reached = phaseNames.slice(0, phase + 1).join(', ')
  throw new InvalidInputError({
    path: 'from',
    expected: `a phase that has been reached: ${reached}`,
    received: shown(from),
    code: 'phase-unknown',
  })
}

/** A job that waits for its time starts without it; one that is queued already is as it should be. */
export async function runJobNow(
  asker: Asker,
  jobId: string,
  options: RunNowOptions,
): Promise<{ readonly jobId: string; readonly state: JobState }> {
  const told = toldOf(asker, checkOptions(options, { actor: true }, 'options'))
  const result = await asker.store.claims.apply({ ...actOf(asker, jobId, RUN_NOW, {}), ...told })
  const { row } = result
  if (row === null || (!result.applied && result.refusal !== 'already')) throw refused(result, jobId, 'run now')
  return { jobId, state: row.state }
}

export function actOf({ scope }: Pick<Asker, 'scope'>, jobId: string, plan: Plan, values: PlanValues): PlanCall {
  return { jobId, plan, scope, claim: null, values, detail: null }
}

export function refused(result: PlanResult, jobId: string, act: string): Error {
  if (result.applied) throw new RangeError(`job ${jobId} was ${act}`)
  return refusalError({ jobId, act, refusal: result.refusal, row: result.row })
}
