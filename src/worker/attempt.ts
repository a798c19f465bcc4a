/** One attempt at a job in this process: what it holds, whether it may go on, and everything it writes under its claim. */
import { ConflictError, LeaseLostError, MillraceError } from '../core/errors.ts'
import { jobProgress } from '../core/progress.ts'
import type { PlanValues } from '../core/plan.ts'
import { OPERATOR } from '../core/scope.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { StoppedBy } from '../store/attempt-stops.ts'
import type { ArtifactBytes, ArtifactStore } from '../store/artifacts.ts'
import type { AppliedRow, ClaimedJob, ClaimStore, PlanCall, PlanResult } from '../store/claims.ts'
import type { AttemptCall } from './attempt-call.ts'
import type { Handler } from './handler.ts'
import { ProgressReporter } from './progress-reporter.ts'
import { cancelStop, leaseLostStop, outranks } from './stop.ts'
import type { Stop } from './stop.ts'
import type { WrittenArtifact } from './handler-context.ts'

/** What an attempt asks of the store. */
interface AttemptStore {
  readonly claims: Pick<ClaimStore, 'apply' | 'noteStop'>
  readonly artifacts: Pick<ArtifactStore, 'get'> & {
    readonly bytes: Pick<ArtifactBytes, 'write' | 'remove' | 'fileOf'>
  }
}

/** What an attempt needs of the worker around it. */
export interface AttemptHost {
  readonly store: AttemptStore
  readonly runtime: Runtime
  readonly logger: Logger
  /**
   * Runs code of the application's in the asynchronous context of its worker: not in that of whoever enqueued the job or asks it to stop, nor in
   * one that another handler has entered.
   */
  within<T>(run: () => T): T
  /** The attempt has learned that it must stop, and maybe had to for an `earlier` reason already. */
  stopped(attempt: Attempt, stop: Stop, earlier: Stop | null): void
  /** The attempt may go on for so long from now. */
  extended(attempt: Attempt, timeoutMs: number): void
  /** Since when the store can't be asked whether attempts must stop, by the monotonic clock; null: it can. */
  readonly deafSince: number | null
  /** Asks the store in the middle of a turn whether the attempts that run must stop, unless it was asked or this one began just now. */
  lookNow(attempt: Attempt, everyMs?: number): void
}

export class Attempt {
  readonly job: ClaimedJob
  readonly handler: Handler
  readonly host: AttemptHost
  /** By the monotonic clock. */
  readonly startedAt: number
  /** The job's list of phases. */
  phaseNames: readonly string[]
  /** Index of the first phase not done. */
  phase: number
  /** Results of the phases done, as JSON text. */
  results: readonly string[]
  /** The last artifact it wrote, with the file it is in, if it is in one. */
  artifact: { readonly written: WrittenArtifact; readonly file: string | null } | null = null
  /** It ends without having begun: it keeps no slot, and there is nothing to tell of its start. */
  unbegun = false
  /** What came of it is on its way into the store. */
  settling = false
  /** What ended its code; null: it runs, or its end has not been asked about. */
  stoppedBy: StoppedBy | null = null
  /** Told of each stop that weighs more than those before; for a handler that runs elsewhere. */
  onStop: ((stop: Stop) => void) | null = null
  #stop: Stop | null = null
  #over = false
  #controller: AbortController | null = null
  #reporter: ProgressReporter | null = null
  #warnedOf: Set<string> | null = null
  #underWay = 0

  constructor(job: ClaimedJob, handler: Handler, host: AttemptHost, startedAt: number) {
    this.job = job
    this.handler = handler
    this.host = host
    this.startedAt = startedAt
    this.phaseNames = job.phaseNames
    this.phase = job.phase
    this.results = job.results
  }

  /** Its handler runs in the worker's own thread. */
  get isInline(): boolean {
    return this.handler.isolation === 'inline'
  }

  /** Why it must stop; null: it may go on. */
  get stop(): Stop | null {
    return this.#stop
  }

  /** Nothing more may be written by its handler: its claim is lost, or its end has been decided. */
  get over(): boolean {
    return this.#over
  }

  /** The name of the phase it is in; null: all are done. */
  get phaseName(): string | null {
    return this.phaseNames[this.phase] ?? null
  }

  /** Results of the phases done, as JSON text, with the names of their phases. */
  get namedResults(): readonly (readonly [phase: string, text: string])[] {
    return this.results.map((text, index) => [this.phaseNames[index] ?? '', text])
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#stop !== null) this.#controller.abort(this.#stop.error)
    }
    return this.#controller.signal
  }

  get progress(): ProgressReporter {
    this.#reporter ??= new ProgressReporter(this)
    return this.#reporter
  }

  /** The progress of the job, percent. Asking makes no reporter where no progress was told. */
  get percent(): number {
    const done = jobProgress({ phaseIndex: this.phase, phaseCount: this.phaseNames.length, phaseProgress: 0 })
    return Math.max(done, this.#reporter?.percent ?? this.job.progress)
  }

  /** What was told last beside progress. */
  get progressContext(): ProgressReporter['context'] {
    return this.#reporter?.context
  }

  /** Writes what progress is still held back, before whatever is written next. */
  flushProgress(): void {
    this.#reporter?.flush()
  }

  /** A phase is done, which counts as more than any progress told in it. */
  phaseDone(result: string): void {
    this.#reporter?.forget()
    // Not spread, which would make room for more: of attempts under way there are many.
    this.results = this.results.concat(result)
    this.phase += 1
  }

  /** @throws LeaseLostError if nothing may be written any more */
  check(act: string): void {
    if (this.#over) throw new LeaseLostError(this.job.claim.jobId, act)
  }

  checkCancellation(): void {
    if (this.#stop === null && !this.#over) this.host.lookNow(this)
    this.check('checkCancellation')
    if (this.#stop !== null) throw this.#stop.error
    const { deafSince } = this.host
    if (deafSince === null || deafSince < this.startedAt) return
    this.warnOnce('The store cannot be asked whether the job was cancelled; the handler goes on.')
  }

  /** Carries out a plan under the claim; resolves after its commit. */
  async write(act: string, call: AttemptCall): Promise<AppliedRow> {
    this.check(act)
    return this.#accept(act, await this.host.store.claims.apply(this.call(call)))
  }

  /** How many calls were told and are not committed yet. */
  get underWay(): number {
    return this.#underWay
  }

  /** Carries out a plan under the claim and waits for nothing: a refusal stops the attempt, an error of the store is logged once. */
  tell(act: string, call: AttemptCall): void {
    this.#underWay += 1
    this.write(act, call).then(
      () => (this.#underWay -= 1),
      (error: unknown) => {
        this.#underWay -= 1
        if (error instanceof LeaseLostError) return
        this.warnOnce(`The store did not take the ${act} of a job; the handler goes on.`, error)
      },
    )
  }

  call(call: AttemptCall): PlanCall {
    const { claim } = this.job
    const { values = NO_VALUES, detail = null } = call
    return { ...call, jobId: claim.jobId, scope: OPERATOR, claim, values, detail }
  }

  /** The handler must stop, for the reason that weighs most of those it has met. */
  interrupt(stop: Stop): void {
    const earlier = this.#stop
    if (this.#over || !outranks(stop, earlier)) return
    this.#stop = stop
    if (stop.cause === 'lease-lost') this.end()
    this.host.within(() => this.#controller?.abort(stop.error))
    this.onStop?.(stop)
    this.host.stopped(this, stop, earlier)
  }

  /** From here on whatever its handler writes is refused. */
  end(): void {
    this.#over = true
    this.#reporter?.forget()
  }

  /** Learns from a committed row that somebody wants the job to stop. */
  notice({ cancelRequestedAt, cancelledBy, cancelReason: reason }: AppliedRow): void {
    if (cancelRequestedAt === null || this.#stop?.cause === 'cancel') return
    this.interrupt(cancelStop({ jobId: this.job.claim.jobId, cancelledBy: cancelledBy ?? 'system', reason }))
  }

  warnOnce(message: string, error?: unknown): void {
    this.#warnedOf ??= new Set()
    if (this.#warnedOf.has(message)) return
    this.#warnedOf.add(message)
    const { type, claim } = this.job
    this.host.logger.warn(message, { jobId: claim.jobId, jobType: type, ...(error === undefined ? {} : { error }) })
  }

  #accept(act: string, result: PlanResult): AppliedRow {
    if (result.applied) {
      if (!this.#over) this.notice(result.row)
      return result.row
    }
    const { jobId } = this.job.claim
    if (result.refusal === 'artifact-exists') throw artifactExists(jobId, result.row?.state ?? 'running')
    if (result.refusal !== 'lease-lost') throw unexpected(jobId, act, result.refusal)
    this.interrupt(leaseLostStop(jobId, act))
    throw new LeaseLostError(jobId, act)
  }
}

const NO_VALUES: PlanValues = {}

function artifactExists(jobId: string, state: string): ConflictError {
  return new ConflictError(
    'artifact-exists',
    `This attempt of job ${jobId} has written an artifact of that name already. Nothing was kept: choose another name.`,
    { details: { jobId, state } },
  )
}

function unexpected(jobId: string, act: string, refusal: string): MillraceError {
  return new MillraceError('internal', `The store refused "${act}" for job ${jobId}: ${refusal}. Please report this.`, {
    details: { jobId, act, refusal },
  })
}
