/** From one state to another, by whatever act leads there. Which ways there are stands in the table of the state machine. */
import { ConflictError, InvalidInputError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { CANCEL_WAITING } from '../core/plans.ts'
import { OPERATOR } from '../core/scope.ts'
import { mayMove } from '../core/states.ts'
import type { JobCommand, JobState } from '../core/states.ts'
import { settleFailure } from '../core/settle.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { JobDetails } from '../store/jobs.ts'
import type { Store } from '../store/store.ts'
import { actOf } from './act-on-job.ts'
import { claimOf, managedState } from './by-hand.ts'
import type {
  CompletionFields,
  ManagedState,
  NotWritten,
  ProcessingRefused,
  ProcessingStarted,
  Written,
} from './by-hand.ts'
import { failByHand, holds, lost, stopByHand } from './drive-job.ts'
import type { Drive } from './drive-job.ts'
import type { JobReference } from './job-values.ts'
import { checkText } from './names.ts'
import type { OperatorClient } from './operator-client.ts'
import { checkChoice, checkOptions } from './option-values.ts'
import { idOf, readDetails } from './read-jobs.ts'

/** What the act needs that leads from one state to the other. What it does not need is refused. */
export interface TransitionFields extends CompletionFields {
  /** From `processing`: the lock that holds the job. */
  readonly lockId?: string
  /** From `processing` to `processing`: percent, 0 to 100. */
  readonly progress?: number
  /** To `failed` or `retrying`: what went wrong. Default: an error with the reason as its message. */
  readonly error?: unknown
  /** Of a job that is over, to `queued`: start afresh. Default false: at the first phase that is not done. */
  readonly fromStart?: boolean
}

export interface Transitioned {
  readonly success: true
  readonly jobId: string
  readonly state: ManagedState
  /** The lock that was given; absent where none was. */
  readonly lockId?: string
}

export interface Transition {
  readonly from: ManagedState
  readonly to: ManagedState
  readonly fields: TransitionFields
  readonly reason: string | undefined
}

interface Driving {
  startProcessing(job: JobReference): Promise<ProcessingStarted | ProcessingRefused>
  updateProgress(job: JobReference, percent: number, lockId: string): Promise<Written | NotWritten>
  completeJob(job: JobReference, fields: CompletionFields, lockId: string): Promise<Written | NotWritten>
  releaseJob(job: JobReference, lockId: string): Promise<Written | NotWritten>
}

export interface Transitions {
  readonly mill: OperatorClient
  readonly states: Driving
  readonly store: Store
  readonly runtime: Runtime
  readonly actor: string | null
}

const STATES = [
  'scheduled',
  'queued',
  'processing',
  'retrying',
  'completed',
  'failed',
  'cancelled',
] as const satisfies readonly ManagedState[]

interface Way {
  readonly command: JobCommand
  readonly to: JobState
  readonly takes: readonly (keyof TransitionFields)[]
}

/** Where an act leads that is done on purpose, and which fields it takes. */
const WAYS = [
  { command: 'claim', to: 'running', takes: [] },
  { command: 'annotate', to: 'running', takes: ['lockId', 'progress'] },
  {
    command: 'complete',
    to: 'completed',
    takes: ['lockId', 'output', 'downloadUrl', 'filePath', 'metadata', 'r2Key', 'expiresAt'],
  },
  { command: 'fail', to: 'failed', takes: ['lockId', 'error'] },
  { command: 'fail', to: 'retrying', takes: ['lockId', 'error'] },
  { command: 'release', to: 'queued', takes: ['lockId'] },
  { command: 'cancel', to: 'cancelled', takes: ['lockId'] },
  { command: 'run-now', to: 'queued', takes: [] },
  { command: 'retry', to: 'queued', takes: ['fromStart'] },
  { command: 'force-fail', to: 'failed', takes: [] },
] as const satisfies readonly Way[]

type Act = (typeof WAYS)[number]['command']

export async function transitionJob(
  transitions: Transitions,
  job: JobReference,
  { from, to, fields, reason }: Transition,
): Promise<Transitioned | NotWritten> {
  const [before, after] = [stateOf(from, 'from'), stateOf(to, 'to')]
  const way = WAYS.find(({ command, to: end }) => end === after && mayMove(command, before, after))
  if (way === undefined) throw refused(idOf(job), `no way leads from ${from} to ${to}`, { from, to })
  checkOptions<object>(fields, namesIn(way.takes), 'fields')
  if (reason !== undefined) checkText(reason, { path: 'reason', maxCharacters: LIMITS.reasonCharacters })
  const details = await readDetails(transitions.store, OPERATOR, idOf(job))
  if (details.state !== before) {
    throw refused(details.id, `it is ${managedState(details.state)}, not ${from}`, { from, to, state: details.state })
  }
  return MOVES[way.command]({ ...transitions, job, details, after, fields, reason: reason ?? null })
}

function namesIn(names: readonly string[]): Readonly<Record<string, true>> {
  return Object.fromEntries(names.map((name) => [name, true]))
}

function stateOf(state: ManagedState, path: string): JobState {
  const checked = checkChoice(state, STATES, path)
  return checked === 'processing' ? 'running' : checked
}

function refused(jobId: string, why: string, details: Readonly<Record<string, string>>): ConflictError {
  return new ConflictError('transition-refused', `Job ${jobId} was left as it is: ${why}.`, {
    details: { jobId, ...details },
  })
}

interface Move extends Transitions {
  readonly job: JobReference
  readonly details: JobDetails
  readonly after: JobState
  readonly fields: TransitionFields
  readonly reason: string | null
}

type Moving = (move: Move) => Promise<Transitioned | NotWritten>

const MOVES: Readonly<Record<Act, Moving>> = {
  claim: async ({ states, job }) => {
    const started = await states.startProcessing(job)
    if (started.success) return { success: true, jobId: started.jobId, state: 'processing', lockId: started.lockId }
    throw refused(started.jobId, started.message, { state: started.state })
  },
  annotate: async ({ states, job, fields: { progress = Number.NaN, lockId = '' } }) =>
    moved(await states.updateProgress(job, progress, lockId)),
  complete: async ({ states, job, fields: { lockId = '', ...fields } }) =>
    moved(await states.completeJob(job, fields, lockId)),
  fail: failed,
  release: async ({ states, job, fields: { lockId = '' } }) => moved(await states.releaseJob(job, lockId)),
  cancel: cancelled,
  'run-now': async ({ mill, job, actor }) => reached(await mill.runNow(job, named(actor))),
  retry: async ({ mill, job, actor, fields: { fromStart = false } }) =>
    reached(await mill.retry(job, { fromStart, ...named(actor) })),
  'force-fail': async ({ mill, job, reason, actor }) => {
    if (reason === null) throw new InvalidInputError({ path: 'reason', expected: 'why the job is failed by force' })
    return reached(await mill.forceFail(job, { reason, ...named(actor) }))
  },
}

function named(actor: string | null): { readonly actor?: string } {
  return actor === null ? {} : { actor }
}

function moved(written: Written | NotWritten): Transitioned | NotWritten {
  return written.success ? reached(written) : written
}

function reached({ jobId, state }: { readonly jobId: string; readonly state: JobState | ManagedState }): Transitioned {
  return { success: true, jobId, state: state === 'running' ? 'processing' : state }
}

function driveOf({ store, runtime, details, fields: { lockId } }: Move): Drive {
  return { store, runtime, claim: claimOf(details.id, lockId) }
}

/** It is said whether the job is tried again, whatever the error would have come to. */
async function failed(move: Move): Promise<Transitioned | NotWritten> {
  const { after, reason, runtime, details } = move
  const { error = new Error(reason ?? 'no reason was given') } = move.fields
  const drive = driveOf(move)
  const verdict = { fatal: after === 'failed', rule: 'by-hand' }
  const { maxAttempts, backoff } = details.policy
  const settled = settleFailure({ failures: details.failures, maxAttempts, backoff, verdict, random: runtime.random() })
  if (after === 'retrying' && !settled.willRetry) {
    const { id, failures } = details
    throw refused(id, `it has failed ${failures} of at most ${maxAttempts} times, and this would be the last`, {})
  }
  return moved(await failByHand(drive, error, { verdict }))
}

/** One that is driven by hand is cancelled by its driver: asked to stop, and stopped. One that waits, only if it still does. */
async function cancelled(move: Move): Promise<Transitioned | NotWritten> {
  const { mill, store, job, details, reason, actor } = move
  const { id: jobId } = details
  if (details.state !== 'running') {
    const values = { actor: actor ?? 'system', reason }
    const result = await store.claims.apply(actOf({ scope: OPERATOR }, jobId, CANCEL_WAITING, values))
    if (result.applied) return reached({ jobId, state: result.row.state })
    throw refused(jobId, 'it has moved on meanwhile', { state: result.row?.state ?? details.state })
  }
  const drive = driveOf(move)
  // Nobody else's job is asked to stop.
  if (!holds(drive.claim, details)) return lost(jobId)
  await mill.cancel(job, { ...named(actor), ...(reason === null ? {} : { reason }) })
  return moved(await stopByHand(drive))
}
