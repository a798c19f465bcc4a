import type { JobDefinition } from '../core/definition.ts'
import type { Duration } from '../core/duration.ts'
import type { Explanation } from '../core/explain.ts'
import type { Scope } from '../core/scope.ts'
import type { JobState } from '../core/states.ts'
import type { StateCounts } from '../store/jobs.ts'
import { cancelJob, retryJob, runJobNow } from './act-on-job.ts'
import type { Cancelled, CancelOptions, JobRetryOptions, Retried, RunNowOptions } from './act-on-job.ts'
import { listArtifacts, openArtifact } from './artifacts.ts'
import type { Artifact, OpenedArtifact } from './artifacts.ts'
import type { Asker } from './asker.ts'
import { cancelManyJobs } from './cancel-many.ts'
import type { CancelledMany, CancelManyOptions, CancelPreview } from './cancel-many.ts'
import type { ClientContext } from './client-context.ts'
import { enqueueAll, requestOf, requestsOf } from './enqueue-jobs.ts'
import type { EnqueueItem, EnqueueResult } from './enqueue-jobs.ts'
import { explainJob } from './explain-job.ts'
import { forceFailJob, forceResetJob } from './force-job.ts'
import type { ForceFailed, ForceOptions, ForceReset, ForceResetOptions } from './force-job.ts'
import type { DefinitionIn, DefinitionOf, InputAndOptions, JobReference, OutputOf } from './job-values.ts'
import type { Job } from './job.ts'
import type { EnqueueOptions } from './new-job.ts'
import { readAudit } from './read-audit.ts'
import type { AuditList, AuditOptions } from './read-audit.ts'
import { readEvents } from './read-events.ts'
import type { EventOptions, JobEvent } from './read-events.ts'
import { countJobs, idOf, listJobs, readJob } from './read-jobs.ts'
import type { JobFilterOptions, JobList, ListOptions } from './read-jobs.ts'
import { subscribe } from './subscribe.ts'
import type { SubscribeOptions } from './subscribe.ts'
import { validateStoredJob } from './validate-job.ts'
import type { Validation } from './validate-job.ts'
import { checkWait, outputOf, waitForJob } from './wait-for-job.ts'
import type { WaitOptions } from './wait-for-job.ts'

export interface RunOptions extends EnqueueOptions {
  /** How long to wait for the job. Default `'30s'`; `'none'`: as long as it takes. */
  readonly timeout?: Duration | 'none'
}

/**
 * Jobs as one scope sees them: enqueue, read, act, wait. Every method may throw InvalidInputError for a bad argument, in which case nothing
 * was changed, and MillraceError `store-closed`. Where a job is named, its id, a handle and a job will do.
 */
export class JobClient {
  readonly #context: ClientContext
  readonly #scope: Scope
  /** Null: nobody in particular. */
  readonly #user: string | null

  /** @internal */
  constructor(context: ClientContext, scope: Scope, user: string | null = scope.role === 'member' ? scope.user : null) {
    this.#context = context
    this.#scope = scope
    this.#user = user
  }

  /**
   * Adds a job. It is stored when the promise resolves. The input is checked by the definition's schema, and stored as it was given.
   *
   * @param definition what `defineJob` made, or the name of a type whose definition is not at hand: then no schema checks the input here
   * @throws InvalidInputError `input-invalid`; ConflictError `key-reused`; MillraceError `tx-required` inside `transaction`
   */
  async enqueue<const Target extends JobDefinition | string>(
    definition: Target,
    ...[input, options]: InputAndOptions<Target, EnqueueOptions>
  ): Promise<EnqueueResult<DefinitionOf<Target>>> {
    const [result] = await enqueueAll(this.#enqueuer, [requestOf(definition, input, options)], 'enqueue')
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one request has one result, of its own definition
    return result as EnqueueResult<DefinitionOf<Target>>
  }

  /**
   * Adds up to 5,000 jobs, all or none, in one commit.
   *
   * @returns one result for each, in their order
   * @throws InvalidInputError that names the item, as in `jobs[3].input.region`; ConflictError `key-reused`
   */
  async enqueueMany<const Targets extends readonly (JobDefinition | string)[]>(jobs: {
    readonly [Index in keyof Targets]: EnqueueItem<Targets[Index]>
  }): Promise<{ readonly [Index in keyof Targets]: EnqueueResult<DefinitionOf<Targets[Index]>> }> {
    const requests = requestsOf(jobs)
    const results = requests.length === 0 ? [] : await enqueueAll(this.#enqueuer, requests, 'enqueueMany')
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one result for each item, of its own definition
    return results as never
  }

  /**
   * Enqueues a job, waits for it and gives back its output.
   *
   * @throws MillraceError `job-failed` with the job's error as its cause, or `wait-timeout`; JobCancelledError; what `enqueue` throws
   */
  async run<const Target extends JobDefinition | string>(
    definition: Target,
    ...[input, options = {}]: InputAndOptions<Target, RunOptions>
  ): Promise<OutputOf<DefinitionOf<Target>>> {
    const { timeout, ...enqueueOptions } = options
    const wait = timeout === undefined ? {} : { timeout }
    checkWait(wait)
    const [result] = await enqueueAll(this.#enqueuer, [requestOf(definition, input, enqueueOptions)], 'run')
    if (result === undefined) throw new RangeError('the store answered no outcome')
    const job = await waitForJob(this.#context, this.#scope, result.job, wait)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was parsed by the schema of this definition
    return outputOf(job) as OutputOf<DefinitionOf<Target>>
  }

  /**
   * The job as it was last committed.
   *
   * @param job with a definition (a handle, or `{ id, definition }`) the output is parsed by its schema, and typed
   * @throws NotFoundError; ForbiddenError; InvalidInputError `output-invalid` if the schema refuses the stored output
   */
  async get<Reference extends JobReference>(job: Reference): Promise<Job<DefinitionIn<Reference>>> {
    return readJob(this.#context.reader(), this.#scope, job)
  }

  /** Jobs that match, newest first, a page at a time. */
  async list(options: ListOptions = {}): Promise<JobList> {
    return listJobs(this.#context.reader(), this.#scope, options)
  }

  /** How many jobs that match are in each state. */
  async counts(filter: JobFilterOptions = {}): Promise<StateCounts> {
    return countJobs(this.#context.reader(), this.#scope, filter)
  }

  /**
   * Cancels a job. One that waits never starts; one that runs is told to stop, and `state` is still `running` then. Cancelling a cancelled
   * job is no error: the answer is the same, and the first actor and reason stay.
   *
   * @throws ConflictError `job-final` if it completed or failed, naming that state; NotFoundError; ForbiddenError
   */
  async cancel(job: JobReference, options: CancelOptions = {}): Promise<Cancelled> {
    return cancelJob(this.#writer('cancel'), idOf(job), options)
  }

  /**
   * Cancels all jobs that match and are not over, newest first, in batches that each share a commit. With `preview: true` it only counts them.
   * Jobs may move meanwhile: one that is over by then stays as it is, and where `state` names waiting states alone, none that has started is
   * told to stop. What is enqueued meanwhile is not touched.
   *
   * @param filter at least one condition
   */
  async cancelMany(
    filter: JobFilterOptions,
    options: CancelManyOptions & { readonly preview: true },
  ): Promise<CancelPreview>
  async cancelMany(
    filter: JobFilterOptions,
    options?: CancelManyOptions & { readonly preview?: false },
  ): Promise<CancelledMany>
  async cancelMany(filter: JobFilterOptions, options?: CancelManyOptions): Promise<CancelPreview | CancelledMany>
  async cancelMany(filter: JobFilterOptions, options: CancelManyOptions = {}): Promise<CancelPreview | CancelledMany> {
    return cancelManyJobs(this.#writer('cancelMany'), filter, options)
  }

  /**
   * Starts a job that is over once more, at the first phase that is not done, keeping the results before it; or
   * from the start, then also with another input.
   *
   * @throws ConflictError `job-not-final`, or `unique-held`; InvalidInputError `phase-unknown`; NotFoundError; ForbiddenError
   */
  async retry(job: JobReference, options: JobRetryOptions = {}): Promise<Retried> {
    return retryJob(this.#writer('retry'), job, options)
  }

  /**
   * Queues a scheduled or retrying job without waiting for its time. One that is queued already stays as it is.
   *
   * @throws ConflictError `job-not-waiting`; NotFoundError; ForbiddenError
   */
  async runNow(
    job: JobReference,
    options: RunNowOptions = {},
  ): Promise<{ readonly jobId: string; readonly state: JobState }> {
    return runJobNow(this.#writer('runNow'), idOf(job), options)
  }

  /**
   * Ends a job that is not over as failed, whatever it is doing: a handler that runs it can write nothing more. For admins and operators; the act
   * is written down in the audit.
   *
   * @throws ForbiddenError for a member; ConflictError `job-final`; NotFoundError
   */
  async forceFail(job: JobReference, options: ForceOptions): Promise<ForceFailed> {
    return forceFailJob(this.#writer('forceFail'), idOf(job), { options, runtime: this.#context.runtime })
  }

  /**
   * Puts a job back into the queue, whatever it is doing, unless it completed: a handler that runs it can write nothing more, failures are counted
   * from 0, and a job that was over begins a new generation. For admins and operators; the act is written down in the audit.
   *
   * @throws ForbiddenError for a member; ConflictError `job-final` if it completed, or `unique-held`; NotFoundError
   */
  async forceReset(job: JobReference, options: ForceResetOptions): Promise<ForceReset> {
    return forceResetJob(this.#writer('forceReset'), idOf(job), { options, runtime: this.#context.runtime })
  }

  /**
   * What was done by force, by whom and why, newest first: an admin's of the own tenant, an operator's of all.
   *
   * @throws ForbiddenError for a member
   */
  async audit(options: AuditOptions = {}): Promise<AuditList> {
    return readAudit(this.#context.reader(), this.#scope, options)
  }

  /**
   * Waits until a job is in a final state, or in one of those asked for, and reads it as `get` does. However many wait, a change costs one read.
   *
   * @throws MillraceError `wait-timeout`, naming the present state; NotFoundError, also when it is deleted meanwhile; ForbiddenError
   */
  async waitFor<Reference extends JobReference>(
    job: Reference,
    options: WaitOptions = {},
  ): Promise<Job<DefinitionIn<Reference>>> {
    return waitForJob(this.#context, this.#scope, job, options)
  }

  /**
   * Why is the job not running? Every reason that stands in its way, the heaviest first; or who runs it.
   *
   * @throws NotFoundError; ForbiddenError
   */
  async explain(job: JobReference): Promise<Explanation> {
    return explainJob(this.#context.reader(), this.#scope, idOf(job))
  }

  /**
   * Is the job in a possible state? Its row is held against its log and its results; nothing is changed.
   *
   * @throws NotFoundError; ForbiddenError
   */
  async validate(job: JobReference): Promise<Validation> {
    return validateStoredJob(this.#context.reader(), this.#scope, idOf(job))
  }

  /**
   * The artifacts of the job's present generation, oldest first. Those of phases whose results a retry has kept are among them.
   *
   * @throws NotFoundError; ForbiddenError
   */
  async artifacts(job: JobReference): Promise<readonly Artifact[]> {
    return listArtifacts(this.#context.reader(), this.#scope, idOf(job))
  }

  /**
   * An artifact with its bytes, as a stream or as a whole.
   *
   * @throws NotFoundError `artifact-missing` if it was never written, has expired, or its file is gone; ForbiddenError
   */
  async openArtifact(artifactId: string): Promise<OpenedArtifact> {
    return openArtifact(this.#context.reader(), this.#scope, artifactId)
  }

  /** What happened, oldest first: a page of the log of all jobs, or of one. */
  async events(options: EventOptions = {}): Promise<readonly JobEvent[]> {
    return readEvents(this.#context.reader(), this.#scope, options)
  }

  /**
   * Tells a listener of everything that is committed, by this process or another, in its order. A listener that throws is logged and told the
   * next event; one that answers a promise is told the next event once it has settled; neither affects a job, a worker or another listener.
   * Once the promise resolves, nothing committed later is missed.
   *
   * @returns the way out: nothing is told after it was called
   * @throws NotFoundError, ForbiddenError for a job that is not to be seen
   */
  async subscribe(listener: (event: JobEvent) => unknown, options: SubscribeOptions = {}): Promise<() => void> {
    return subscribe(this.#context, this.#scope, { listener, options })
  }

  get #enqueuer(): { readonly context: ClientContext; readonly scope: Scope } {
    return { context: this.#context, scope: this.#scope }
  }

  #writer(act: string): Asker {
    return { store: this.#context.writer(act), scope: this.#scope, user: this.#user }
  }
}
