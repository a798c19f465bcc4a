/**
 * Takes jobs for as many slots as are free: one claimer for all types of a worker.
 *
 * It claims when there may be something to take (`#more`) and a slot is free. There may be something after a start, a commit by anyone, a
 * claim that got all it asked for, when a waiting job comes due, and every second in any case. A claim is made in the turn in which its
 * slots became free, so that it shares a commit with what ended there. There is never more than one claim under way; what becomes free
 * meanwhile is claimed for together after it.
 */
import { backoffDelayMs } from '../core/retry.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { Claimed } from '../store/claims.ts'
import type { TurnBudget } from './turn-budget.ts'

/** The store is asked at least that often. */
const POLL_MS = 1_000
/** After so many claims in a row that found nothing, commits are collected for a while before the next: they are of no concern to this worker. */
const EMPTY_CLAIMS = 3
const EMPTY_GAP_MS = 5
const FAILURE_BACKOFF = { kind: 'exponential', baseMs: 100, maxMs: 10_000, factor: 2, jitter: 0.5 } as const

export interface ClaimLoopOptions {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly turns: TurnBudget
  /** How many jobs may be taken now. */
  readonly free: () => number
  /** Takes jobs and begins them; answers what the store did. */
  readonly claim: (limit: number) => Promise<Claimed>
  /** Whether nothing runs and nothing waits to be written. */
  readonly resting: () => boolean
}

export class ClaimLoop {
  readonly #options: ClaimLoopOptions
  #started = false
  #more = true
  #scheduled = false
  #claiming: Promise<void> | null = null
  #failures = 0
  #emptyClaims = 0
  /** No claim before that, by the monotonic clock. */
  #notBefore = 0
  #timer: Timer | null = null
  #timerAt = 0
  /** Who waits for a claim that was begun later and found nothing. */
  #idlers: { fresh: boolean; readonly resolve: () => void }[] = []

  constructor(options: ClaimLoopOptions) {
    this.#options = options
  }

  start(): void {
    this.#started = true
    this.#arm(POLL_MS)
    this.#schedule()
  }

  /** There may be something to take. */
  wake(): void {
    this.#more = true
    this.#schedule()
  }

  /** There may be room. */
  slotFreed(): void {
    if (this.#more) this.#schedule()
  }

  /** Nothing runs any more. */
  rested(): void {
    if (this.#idlers.length > 0) this.#wakeNow()
  }

  /** Resolves when nothing runs and a claim, begun after this was asked, has found nothing to take; or when nothing more will be. */
  idle(): Promise<void> {
    const idle = new Promise<void>((resolve) => this.#idlers.push({ fresh: true, resolve }))
    this.#wakeNow()
    return idle
  }

  /** No further claim begins; resolves when the one under way has been answered. */
  async stop(): Promise<void> {
    this.#started = false
    this.#timer?.cancel()
    this.#timer = null
    await this.#claiming
    for (const { resolve } of this.#idlers) resolve()
    this.#idlers = []
  }

  #wakeNow(): void {
    this.#notBefore = 0
    this.wake()
  }

  #schedule(): void {
    if (!this.#started || this.#scheduled || this.#claiming !== null || this.#options.free() <= 0) return
    const waitMs = this.#notBefore - this.#options.runtime.monotonic()
    if (waitMs > 0) {
      this.#arm(waitMs)
      return
    }
    this.#scheduled = true
    queueMicrotask(() => this.#begin())
  }

  #begin(): void {
    this.#scheduled = false
    const limit = this.#options.free()
    if (!this.#started || this.#claiming !== null || limit <= 0) return
    this.#more = false
    for (const idler of this.#idlers) idler.fresh = false
    this.#claiming = this.#claim(limit)
  }

  async #claim(limit: number): Promise<void> {
    const { turns, claim, logger } = this.#options
    if (turns.spent) await turns.wait()
    try {
      const claimed = await claim(limit)
      if (this.#failures > 0) logger.info('The store can be asked for jobs again.', { failures: this.#failures })
      this.#failures = 0
      this.#claimed(claimed, limit)
    } catch (error) {
      this.#failed(error)
    }
    this.#claiming = null
    if (this.#more) this.#schedule()
  }

  #claimed({ jobs, nextDueInMs }: Claimed, limit: number): void {
    this.#emptyClaims = jobs.length === 0 ? this.#emptyClaims + 1 : 0
    if (jobs.length === limit) {
      this.#more = true
      return
    }
    if (jobs.length === 0) this.#foundNothing()
    this.#arm(Math.min(POLL_MS, nextDueInMs ?? POLL_MS))
  }

  #foundNothing(): void {
    const satisfied = this.#options.resting() ? this.#idlers.filter(({ fresh }) => !fresh) : []
    this.#idlers = this.#idlers.filter((idler) => !satisfied.includes(idler))
    for (const { resolve } of satisfied) resolve()
    const atOnce = this.#emptyClaims <= EMPTY_CLAIMS || this.#idlers.some(({ fresh }) => fresh)
    const gapMs = atOnce ? 0 : EMPTY_GAP_MS
    this.#notBefore = this.#options.runtime.monotonic() + gapMs
  }

  #failed(error: unknown): void {
    const { runtime, logger } = this.#options
    this.#failures += 1
    if (this.#failures === 1)
      logger.error('The store cannot be asked for jobs; it is asked again until it can.', { error })
    const waitMs = backoffDelayMs(FAILURE_BACKOFF, this.#failures, runtime.random())
    this.#notBefore = runtime.monotonic() + waitMs
    this.#more = true
    this.#arm(waitMs)
  }

  /** Looks again after `ms`, or sooner if that was the plan already. The timer keeps the process alive: a worker that waits is at work. */
  #arm(ms: number): void {
    const { runtime } = this.#options
    const at = runtime.monotonic() + ms
    if (!this.#started || (this.#timer !== null && this.#timerAt <= at)) return
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = runtime.after(Math.max(1, ms), () => {
      this.#timer = null
      this.#arm(POLL_MS)
      this.wake()
    })
  }
}
