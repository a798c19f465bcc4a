import { LeaseLostError } from '../core/errors.ts'
import type {
  CompletionFields,
  ManagedState,
  ManagerOptions,
  NotWritten,
  ProcessingRefused,
  ProcessingStarted,
  Written,
} from './by-hand.ts'
import type { ForceFailed, ForceReset } from './force-job.ts'
import { JobStateManager } from './job-state-manager.ts'
import type { JobReference } from './job-values.ts'
import type { OperatorClient } from './operator-client.ts'
import { idOf } from './read-jobs.ts'
import type { Transitioned, TransitionFields } from './transition-job.ts'
import type { Validation } from './validate-job.ts'

/**
 * Drives jobs by hand, from a web handler, a script or anything else that is no worker. Every write is made under the lock that
 * `startProcessing` gave: it may be named, and where it is not, it is the one that this manager took itself.
 *
 * Every write throws LeaseLostError where the lock does not hold the job (any more), or there is none; nothing was written then. Every method may
 * throw InvalidInputError for a bad argument, in which case nothing was changed, and MillraceError `store-closed`.
 *
 * @example
 *     const jobs = new JobManager(mill, { service: 'maps', actor: 'ann' })
 *     const started = await jobs.startProcessing(id)
 *     if (started.success) await jobs.completeJob(id, { filePath: 'fra.png' })
 */
export class JobManager {
  readonly #states: JobStateManager
  /** Of the jobs that this manager has taken, by their ids. */
  readonly #locks = new Map<string, string>()

  /** @param mill what `openMillrace` gave */
  constructor(mill: OperatorClient, options: ManagerOptions = {}) {
    this.#states = new JobStateManager(mill, options)
  }

  /**
   * Takes one job that is queued, whatever comes before it and whether or not its queue is paused. Then it is this driver's until it is completed,
   * failed or released, or until the lock has run out and nothing was written for some time.
   *
   * @returns the lock, or who holds the job
   * @throws MillraceError `owner-conflict` if another service works on the type; NotFoundError
   */
  async startProcessing(job: JobReference): Promise<ProcessingStarted | ProcessingRefused> {
    const started = await this.#states.startProcessing(job)
    if (started.success) this.#locks.set(started.jobId, started.lockId)
    return started
  }

  /**
   * Notes how far the job has come, percent of the whole: 0 to 100. Less than before is ignored, but keeps the lock. Told by an event when the whole
   * percent has grown, at most once a second.
   */
  async updateProgress(job: JobReference, percent: number, lockId?: string): Promise<Written> {
    return this.#write('updateProgress', job, lockId, (lock) => this.#states.updateProgress(job, percent, lock))
  }

  /** Makes the lock last at least so many milliseconds from now, up to 30 days, and the attempt's time too. It never gets shorter. */
  async extendJobLock(job: JobReference, lockId: string | undefined, ms: number): Promise<Written> {
    return this.#write('extendJobLock', job, lockId, (lock) => this.#states.extendJobLock(job, lock, ms))
  }

  /**
   * Keeps the result of the phase that the job is in, as a handler's return does: should the job get stuck, it goes on behind it.
   *
   * @throws ConflictError `transition-refused` in the last phase, whose result is the output of the completed job
   */
  async completePhase(job: JobReference, result: unknown, lockId?: string): Promise<Written> {
    return this.#write('completePhase', job, lockId, (lock) => this.#states.completePhase(job, result, lock))
  }

  /**
   * Completes the job. Its output is `fields.output`, or an object of the other fields. Of the phases that are left, all but the last get the
   * result null.
   */
  async completeJob(job: JobReference, fields: CompletionFields = {}, lockId?: string): Promise<Written> {
    return this.#write('completeJob', job, lockId, (lock) => this.#states.completeJob(job, fields, lock))
  }

  /** The attempt has failed. The error is classified as a worker's is, and the job tried again by its type's policy or failed. */
  async failJob(job: JobReference, error: unknown, lockId?: string): Promise<Written> {
    return this.#write('failJob', job, lockId, (lock) => this.#states.failJob(job, error, lock))
  }

  /** Gives the job back into the queue, and no failure is counted. */
  async releaseJob(job: JobReference, lockId?: string): Promise<Written> {
    return this.#write('releaseJob', job, lockId, (lock) => this.#states.releaseJob(job, lock))
  }

  /**
   * Moves a job from one state to another, along the state machine: by whatever act leads there.
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
  ): Promise<Transitioned> {
    const move = (more: TransitionFields): Promise<Transitioned | NotWritten> =>
      this.#states.transitionJobState(job, from, to, { ...fields, ...more }, reason)
    if (from === 'processing')
      return this.#write('transitionJobState', job, fields.lockId, (lockId) => move({ lockId }))
    const answer = await move({})
    if (!answer.success) throw new LeaseLostError(answer.jobId, 'transitionJobState')
    if (answer.lockId !== undefined) this.#locks.set(answer.jobId, answer.lockId)
    return answer
  }

  /**
   * Holds what is stored of the job against the rules that every job must keep.
   *
   * @throws NotFoundError
   */
  async validateJobState(job: JobReference): Promise<Validation> {
    return this.#states.validateJobState(job)
  }

  /**
   * Looks once for jobs that nobody works on any more, and puts them back or ends them: those of dead workers, those that took too long, also to
   * stop, and those that are driven by hand and stuck. A worker whose process has died on this Linux machine is seen at once, any other once its
   * lease is over.
   *
   * @returns how many
   */
  async detectAndRecoverStuckJobs(): Promise<number> {
    return this.#states.detectAndRecoverStuckJobs()
  }

  /**
   * Ends a job that is not over as failed, whoever holds it. Written down in the audit.
   *
   * @throws ConflictError `job-final`; NotFoundError
   */
  async forceFail(job: JobReference, reason: string): Promise<ForceFailed> {
    return this.#states.forceFail(job, reason)
  }

  /**
   * Puts a job back into the queue, afresh, whoever holds it. Written down in the audit.
   *
   * @throws ConflictError `job-final` for a completed one; NotFoundError
   */
  async forceReset(job: JobReference, reason: string): Promise<ForceReset> {
    return this.#states.forceReset(job, reason)
  }

  async #write<Answer extends { readonly success: true; readonly state: ManagedState }>(
    act: string,
    job: JobReference,
    lockId: string | undefined,
    write: (lockId: string) => Promise<Answer | NotWritten>,
  ): Promise<Answer> {
    const jobId = idOf(job)
    const lock = lockId ?? this.#locks.get(jobId)
    if (lock === undefined) throw new LeaseLostError(jobId, act)
    const answer = await write(lock)
    const isOver = !answer.success || answer.state !== 'processing'
    if (isOver && this.#locks.get(jobId) === lock) this.#locks.delete(jobId)
    if (!answer.success) throw new LeaseLostError(jobId, act)
    return answer
  }
}
