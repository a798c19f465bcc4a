import { hostname } from 'node:os'
import { ConflictError, InvalidInputError } from '../core/errors.ts'
import { formatDuration } from '../core/duration.ts'
import { encodeJson } from '../core/encode-json.ts'
import { LIMITS } from '../core/limits.ts'
import { encodeLockId } from '../core/lock-id.ts'
import { acceptProgress, PROGRESS_EVENT_MS } from '../core/progress.ts'
import { OPERATOR } from '../core/scope.ts'
import { jobsRecovered } from '../store/claims.ts'
import type { Taken } from '../store/claims.ts'
import type { LockHolder } from '../store/sessions.ts'
import { claimOf, managedState, outputIn } from './by-hand.ts'
import type {
  CompletionFields,
  ManagedState,
  ManagerOptions,
  NotWritten,
  ProcessingRefused,
  ProcessingStarted,
  Written,
} from './by-hand.ts'
import { contextOf } from './client-context.ts'
import type { ClientContext } from './client-context.ts'
import { completeByHand, extendByHand, failByHand, finishPhase, releaseByHand, writeProgress } from './drive-job.ts'
import type { Drive } from './drive-job.ts'
import type { ForceFailed, ForceReset } from './force-job.ts'
import { noSuchJob } from './job-watcher.ts'
import type { JobReference } from './job-values.ts'
import { checkKey, checkName } from './names.ts'
import type { OperatorClient } from './operator-client.ts'
import { checkOptions, checkWhole } from './option-values.ts'
import { idOf } from './read-jobs.ts'
import { notYours } from './refusals.ts'
import { transitionJob } from './transition-job.ts'
import type { Transitioned, TransitionFields } from './transition-job.ts'
import { validateStoredJob } from './validate-job.ts'
import type { Validation } from './validate-job.ts'

/** So many locks are remembered for the pace of their events. */
const MOST_REMEMBERED = 1_000

/**
 * Drives jobs by hand, one by one, under locks that it names and does not remember. Where a lock is lost the answer says so; `JobManager` throws
 * instead, and remembers its own locks. Every method may throw InvalidInputError for a bad argument, in which case nothing was changed, and
 * MillraceError `store-closed`.
 */
export class JobStateManager {
  readonly #mill: OperatorClient
  readonly #context: ClientContext
  readonly #service: string | null
  readonly #actor: string | null
  /** When the progress under each lock was last told by an event. */
  readonly #toldAt = new Map<string, number>()

  /** @param mill what `openMillrace` gave */
  constructor(mill: OperatorClient, options: ManagerOptions = {}) {
    const { service, actor } = checkOptions(options, { service: true, actor: true }, 'options')
    this.#mill = mill
    this.#context = contextOf(mill)
    this.#service = service === undefined ? this.#context.service : checkName(service, 'options.service')
    this.#actor = actor === undefined ? null : checkKey(actor, 'options.actor')
  }

  /**
   * Takes one job that is queued, whatever comes before it and whether or not its queue is paused. Then it is this driver's until it is completed,
   * failed or released, or until the lock has run out and nothing was written for some time.
   *
   * @returns the lock, or who holds the job
   * @throws MillraceError `owner-conflict` if another service works on the type; NotFoundError
   */
  async startProcessing(job: JobReference): Promise<ProcessingStarted | ProcessingRefused> {
    const jobId = idOf(job)
    const store = this.#context.writer('startProcessing')
    const service = this.#ownService()
    const host = hostname()
    const by = this.#actor ?? `process ${process.pid} on ${host}`
    const lock = { holder: this.#context.runtime.key(), service, host, pid: process.pid, by }
    const taken = await store.claims.take({ jobId, scope: OPERATOR, lock })
    if (taken.outcome === 'taken') {
      return { success: true, jobId, lockId: encodeLockId(taken.claim), lockExpiresAt: taken.lockExpiresAt }
    }
    return refusedStart(jobId, service, { taken, now: await store.now() })
  }

  /**
   * Notes how far the job has come, percent of the whole. Less than before is ignored, but keeps the lock. Told by an event when the whole percent
   * has grown, at most once a second.
   */
  async updateProgress(job: JobReference, percent: number, lockId: string): Promise<Written | NotWritten> {
    acceptProgress({ current: 0, next: percent })
    const drive = this.#drive('updateProgress', job, lockId)
    return writeProgress(drive, percent, this.#mayTell(lockId))
  }

  /** Makes the lock last at least so many milliseconds from now, up to 30 days, and the attempt's time too. It never gets shorter. */
  async extendJobLock(job: JobReference, lockId: string, ms: number): Promise<Written | NotWritten> {
    checkWhole(ms, { path: 'ms', least: 1, most: LIMITS.lockMs })
    return extendByHand(this.#drive('extendJobLock', job, lockId), ms)
  }

  /**
   * Keeps the result of the phase that the job is in, as a handler's return does: should the job get stuck, it goes on behind it.
   *
   * @throws ConflictError `transition-refused` in the last phase, whose result is the output of the completed job
   */
  async completePhase(job: JobReference, result: unknown, lockId: string): Promise<Written | NotWritten> {
    const text = encodeJson(result ?? null, { path: 'result', limitBytes: LIMITS.resultBytes })
    return finishPhase(this.#drive('completePhase', job, lockId), text)
  }

  /**
   * Completes the job. Its output is `fields.output`, or an object of the other fields. Of the phases that are left, all but the last get the
   * result null.
   */
  async completeJob(job: JobReference, fields: CompletionFields, lockId: string): Promise<Written | NotWritten> {
    const drive = this.#drive('completeJob', job, lockId)
    const output = await outputIn(job, fields)
    return completeByHand(drive, output)
  }

  /** The attempt has failed. The error is classified as a worker's is, and the job tried again by its type's policy or failed. */
  async failJob(job: JobReference, error: unknown, lockId: string): Promise<Written | NotWritten> {
    const rules = typeof job === 'object' ? (job.definition?.rules ?? []) : []
    return failByHand(this.#drive('failJob', job, lockId), error, { rules })
  }

  /** Gives the job back into the queue, and no failure is counted. */
  async releaseJob(job: JobReference, lockId: string): Promise<Written | NotWritten> {
    return releaseByHand(this.#drive('releaseJob', job, lockId))
  }

  /**
   * Moves a job from one state to another, along the state machine: by whatever act leads there. `processing` is where a lock is needed, as
   * `fields.lockId`, or is given (`lockId` of the answer).
   *
   * @param from the state that the job must be in
   * @param fields what the act needs: see `TransitionFields`
   * @param reason why: of a cancel or a forced failure, and the message of a failure
   * @throws ConflictError `transition-refused` if no way leads there, or the job is in another state
   */
  // oxlint-disable-next-line eslint/max-params -- the shape that such managers are known by
  async transitionJobState(
    job: JobReference,
    from: ManagedState,
    to: ManagedState,
    fields: TransitionFields = {},
    reason?: string,
  ): Promise<Transitioned | NotWritten> {
    const lending = { mill: this.#mill, states: this, actor: this.#actor }
    const lent = { store: this.#context.writer('transitionJobState'), runtime: this.#context.runtime }
    return transitionJob({ ...lending, ...lent }, job, { from, to, fields, reason })
  }

  /**
   * Holds what is stored of the job, its results and its events against the rules that every job must keep.
   *
   * @throws NotFoundError
   */
  async validateJobState(job: JobReference): Promise<Validation> {
    return validateStoredJob(this.#context.reader(), OPERATOR, idOf(job))
  }

  /**
   * Looks once for jobs that nobody works on any more, and puts them back or ends them: those of dead workers, those that took too long, also to
   * stop, and those that are driven by hand and stuck. A worker whose process has died on this Linux machine is seen at once, any other once its
   * lease is over.
   *
   * @returns how many
   */
  async detectAndRecoverStuckJobs(): Promise<number> {
    this.#context.writer('detectAndRecoverStuckJobs')
    return jobsRecovered(await this.#context.hold(this.#context.recover()))
  }

  /**
   * Ends a job that is not over as failed, whoever holds it. Written down in the audit.
   *
   * @throws ConflictError `job-final`; NotFoundError
   */
  async forceFail(job: JobReference, reason: string): Promise<ForceFailed> {
    return this.#mill.forceFail(job, { reason, ...this.#named })
  }

  /**
   * Puts a job back into the queue, afresh, whoever holds it. Written down in the audit.
   *
   * @throws ConflictError `job-final` for a completed one; NotFoundError
   */
  async forceReset(job: JobReference, reason: string): Promise<ForceReset> {
    return this.#mill.forceReset(job, { reason, ...this.#named })
  }

  /** The first of a second. */
  #mayTell(lockId: string): boolean {
    const now = this.#context.runtime.monotonic()
    const toldAt = this.#toldAt.get(lockId)
    if (toldAt !== undefined && now - toldAt < PROGRESS_EVENT_MS) return false
    this.#toldAt.set(lockId, now)
    const [oldest] = this.#toldAt.keys()
    if (this.#toldAt.size > MOST_REMEMBERED && oldest !== undefined) this.#toldAt.delete(oldest)
    return true
  }

  get #named(): { readonly actor?: string } {
    return this.#actor === null ? {} : { actor: this.#actor }
  }

  #ownService(): string {
    if (this.#service !== null) return this.#service
    throw new InvalidInputError({
      path: 'options.service',
      expected: 'the service that drives jobs, here or as the option `service` of openMillrace',
      received: 'none',
    })
  }

  #drive(act: string, job: JobReference, lockId: string): Drive {
    const claim = claimOf(idOf(job), lockId)
    return { store: this.#context.writer(act), runtime: this.#context.runtime, claim }
  }
}

interface Refused {
  readonly taken: Exclude<Taken, { readonly outcome: 'taken' }>
  readonly now: number
}

function refusedStart(jobId: string, service: string, { taken, now }: Refused): ProcessingRefused {
  switch (taken.outcome) {
    case 'not-found':
      throw noSuchJob(jobId)
    case 'forbidden':
      throw notYours(jobId)
    case 'not-owner':
      throw new ConflictError(
        'owner-conflict',
        `Job ${jobId} is of the type ${taken.type}, which the service "${taken.service}" works on, and this is "${service}". ` +
          `Nothing was changed: drive it as the service "${taken.service}".`,
        { details: { jobId, type: taken.type, owner: taken.service, service } },
      )
    case 'not-queued': {
      const { heldBy } = taken
      const state = managedState(taken.state)
      const message = `Job ${jobId} is ${state}${heldBy === null ? '' : `: ${heldMessage(heldBy, now)}`}.`
      return { success: false, jobId, state, heldBy, message }
    }
  }
}

function heldMessage({ by, service, host, pid, expiresAt }: LockHolder, now: number): string {
  const worker = `a worker of "${service}" on ${host} (process ${pid}) runs it`
  if (by === null) return worker
  const left = expiresAt - now
  const until =
    left > 0 ? `for another ${formatDuration(left)}` : `with a lock that ran out ${formatDuration(-left)} ago`
  return `${by} drives it by hand, ${until}`
}
