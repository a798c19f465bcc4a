/** A running worker: takes jobs of its types, runs their handlers, and writes what comes of it. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { parseDuration } from '../core/duration.ts'
import type { Duration } from '../core/duration.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Claimed } from '../store/claims.ts'
import type { NewJob } from '../store/jobs.ts'
import type { NewSession } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import { Attempts } from './attempts.ts'
import type { AttemptsOptions } from './attempts-options.ts'
import { ClaimAhead } from './claim-ahead.ts'
import { ClaimLoop } from './claim-loop.ts'
import type { Answer } from './claim-loop.ts'
import { drain } from './drain.ts'
import type { Cells } from './isolation/cells.ts'
import type { Handler } from './handler.ts'
import { TurnBudget } from './turn-budget.ts'
import type { WorkerReport } from './worker-report.ts'
import { WorkerSession } from './worker-session.ts'

export type WorkerState = 'running' | 'draining' | 'stopped'

export interface StopOptions {
  /** For all of it: waiting for handlers, telling them to stop, giving their jobs back. Default: the worker's `drain`. */
  readonly timeout?: Duration
  /** When it fires, handlers are waited for no longer: told to stop, their jobs are given back at once. Default: it never does. */
  readonly signal?: AbortSignal
}

export interface WorkerParts {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  readonly handlers: ReadonlyMap<string, Handler>
  /** Where handlers run that are not inline; null: there are none. */
  readonly cells: Cells | null
  readonly session: Omit<NewSession, 'holder'>
  readonly drainMs: number
  readonly maxAbandonedSlots: number
  /** Nothing is taken but by `runOnce()`. */
  readonly manual: boolean
}

export class Worker {
  readonly #parts: WorkerParts
  readonly #ahead: ClaimAhead
  readonly #attempts: Attempts
  readonly #session: WorkerSession
  readonly #loop: ClaimLoop
  readonly #types: readonly string[]
  /** Runs what comes from elsewhere in the asynchronous context in which the worker was made. */
  readonly #within: AttemptsOptions['within'] = AsyncLocalStorage.snapshot()
  #state: WorkerState = 'running'
  #stopping: Promise<void> | null = null
  readonly #hurry = new AbortController()
  /** All that `runOnce()` has begun. */
  #runningOnce: Promise<unknown> = Promise.resolve()
  #unsubscribe: () => void = () => {}

  /** @internal */
  constructor(parts: WorkerParts) {
    const { store, runtime, logger, handlers, cells, session } = parts
    const turns = new TurnBudget(runtime)
    this.#ahead = new ClaimAhead(handlers.keys())
    this.#parts = parts
    this.#types = [...handlers.keys()]
    this.#session = new WorkerSession({
      store,
      runtime,
      logger,
      session,
      onLost: () => this.#attempts.loseAll(),
      onReopened: () => this.#loop.wake(),
    })
    this.#attempts = new Attempts({
      store,
      runtime,
      logger,
      turns,
      within: this.#within,
      handlers,
      cells,
      concurrency: session.concurrency,
      ahead: this.#ahead,
      holds: (holder) => this.#session.holder === holder,
      onSlotFree: () => this.#loop.slotFreed(),
      onRest: () => this.#loop.rested(),
      onAbandoned: (abandoned) => this.#giveUpAt(abandoned),
    })
    this.#loop = new ClaimLoop({
      runtime,
      logger,
      turns,
      pace: store.claims.pace,
      free: () => this.#free(),
      room: () => this.#room(),
      claim: async (limit) => this.#claim(limit),
      begin: (answer) => this.#attempts.take(answer),
      resting: () => this.#attempts.resting,
    })
  }

  /** The service whose worker it is. */
  get service(): string {
    return this.#parts.session.service
  }

  get types(): readonly string[] {
    return this.#types
  }

  get state(): WorkerState {
    return this.#state
  }

  /** Jobs whose handlers run now. */
  get running(): number {
    return this.#attempts.running
  }

  /** Handlers that run on although their job has ended without them, and that can't be ended. */
  get abandoned(): number {
    return this.#attempts.abandoned
  }

  /** Opens the session and begins to take jobs; what `startWorker` does last. */
  async open(): Promise<void> {
    await this.#session.open()
    const { store, manual } = this.#parts
    const unsubscribe = [
      store.onChange(() => this.#within(() => this.#changed())),
      store.onEnqueue((jobs) => {
        if (jobs.some((job) => this.#mayTake(job))) this.#within(() => this.#loop.coming())
      }),
    ]
    this.#unsubscribe = () => unsubscribe.forEach((leave) => leave())
    if (!manual) this.#loop.start()
  }

  #changed(): void {
    this.#attempts.changed()
    this.#loop.wake()
  }

  /** Takes jobs once, for as many slots as are free, and runs them to their end. For a worker that was started as `manual`. */
  runOnce(): Promise<WorkerReport> {
    const once = this.#runOnce()
    this.#runningOnce = Promise.allSettled([this.#runningOnce, once])
    return once
  }

  async #runOnce(): Promise<WorkerReport> {
    this.#attempts.takeReport()
    const limit = this.#free()
    if (limit > 0) this.#attempts.take(await this.#claim(limit))
    await this.#attempts.rest()
    return this.#attempts.takeReport()
  }

  /**
   * Resolves when the worker has found nothing to take and nothing of it runs: what was queued before has been worked on. One that was started
   * as `manual` looks for nothing by itself, so it is idle as soon as nothing of it runs.
   */
  async idle(): Promise<void> {
    await (this.#parts.manual ? this.#runningOnce : this.#loop.idle())
  }

  /**
   * Takes no more jobs, waits for those that run, tells their handlers to stop, gives back what is unfinished without counting a failure, and
   * ends the session. A second call joins the first; its signal counts too.
   *
   * @throws MillraceError `drain-timeout` if handlers did not stop in time; everything has been cleaned up all the same
   */
  stop(options: StopOptions = {}): Promise<void> {
    const timeoutMs = options.timeout === undefined ? this.#parts.drainMs : parseDuration(options.timeout, 'timeout')
    const { signal } = options
    if (signal?.aborted === true) this.#hurry.abort()
    else signal?.addEventListener('abort', () => this.#hurry.abort(), { once: true })
    this.#stopping ??= this.#stop(timeoutMs)
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#state = 'draining'
    const attempts = this.#attempts
    // Where nothing is left to wait for, it ends at once.
    if (!attempts.resting) this.#session.drain()
    try {
      await drain(
        {
          runtime: this.#parts.runtime,
          hurry: this.#hurry.signal,
          longestGraceMs: () => attempts.longestGraceMs,
          stopClaiming: () => this.#loop.stop(),
          rest: () => attempts.rest(),
          shutDown: () => attempts.shutDown(),
          abandonAll: () => attempts.abandonAll(),
          close: () => attempts.close(),
          endSession: () => this.#end(),
        },
        timeoutMs,
      )
    } finally {
      this.#unsubscribe()
      this.#state = 'stopped'
    }
  }

  /** What still runs elsewhere is ended at once, and its stop is noted. */
  async #end(): Promise<void> {
    for (const ended of await Promise.allSettled([this.#session.end(), this.#endCells()])) {
      if (ended.status === 'rejected') throw ended.reason
    }
  }

  async #endCells(): Promise<void> {
    await this.#parts.cells?.close()
    await this.#attempts.noted()
  }

  #mayTake({ type, delayMs, runAt }: NewJob): boolean {
    return delayMs === 0 && runAt === null && this.#parts.handlers.has(type)
  }

  #free(): number {
    if (this.#state !== 'running' || this.#session.holder === null || this.#attempts.delayed) return 0
    return this.#room() - this.#attempts.running - this.#attempts.waiting
  }

  /** Slots, and what may be taken ahead of them. */
  #room(): number {
    const { session, manual } = this.#parts
    return session.concurrency + (manual ? 0 : this.#ahead.most(session.concurrency))
  }

  async #claim(limit: number): Promise<Answer> {
    const askedAt = this.#parts.runtime.monotonic()
    const holder = this.#session.holder
    if (holder === null) return { ...NOTHING, askedAt }
    const claimed = await this.#parts.store.claims.claim({ holder, types: this.#types, limit })
    if (claimed.sessionLost) this.#session.lost(holder)
    // A session that was lost meanwhile has lost these jobs too.
    return { ...(this.#session.holder === holder ? claimed : NOTHING), askedAt }
  }

  /** Handlers can't be ended from outside. With too many of them left running, only a new process helps. */
  #giveUpAt(abandoned: number): void {
    const { maxAbandonedSlots, logger } = this.#parts
    if (this.#state !== 'running' || abandoned <= maxAbandonedSlots) return
    logger.error(
      'Too many handlers run on although their jobs have ended. The worker takes no more jobs and stops: end its process by a signal, and start it again.',
      { abandoned, maxAbandonedSlots },
    )
    this.stop().catch((error: unknown) => logger.error('The worker did not stop as it should.', { error }))
  }
}

/** What a claim without a session finds: it says nothing of what there is to take. */
const NOTHING: Claimed = { jobs: [], nextDueInMs: null, sessionLost: true }
