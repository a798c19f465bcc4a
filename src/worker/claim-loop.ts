/**
 * When a worker asks the store for jobs: when there may be something to take (`#more`) and a slot is free. There may be something after a
 * start, a commit by anyone, a claim that got all it asked for, when a waiting job comes due, and every second in any case. A claim is made
 * in the turn in which its slots became free, so that it shares a commit with what ended there.
 *
 * As many claims are under way as the store likes best, each for a part of the slots: so it settles and claims one part while the handlers of
 * another run, and neither waits for the other. What becomes free meanwhile is claimed for together after them.
 */
import { backoffDelayMs } from '../core/retry.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { Claimed, ClaimPace } from '../store/claims.ts'
import type { TurnBudget } from './turn-budget.ts'

/** The store is asked at least that often. */
const POLL_MS = 1_000
/** After so many claims in a row that found nothing, commits are collected for a while before the next: they are of no concern to this worker. */
const EMPTY_CLAIMS = 3
const EMPTY_GAP_MS = 5
const FAILURE_BACKOFF = { kind: 'exponential', baseMs: 100, maxMs: 10_000, factor: 2, jitter: 0.5 } as const
/** The first claims ask for fewer: code that has not run before takes ten times as long for each job. */
const AT_FIRST = 64
/** Fewer are not worth a commit of their own. */
const LEAST_AT_ONCE = 32

export interface Answer extends Claimed {
  /** When the store was asked, by the monotonic clock. */
  readonly askedAt: number
}

export interface ClaimLoopOptions {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly turns: TurnBudget
  readonly pace: ClaimPace
  /** How many jobs may be taken now; 0 or less: none. */
  readonly free: () => number
  /** How many may be taken in all, if none have been. */
  readonly room: () => number
  /** Asks the store for jobs. */
  readonly claim: (limit: number) => Promise<Answer>
  /** Begins them. */
  readonly begin: (answer: Answer) => void
  /** Whether nothing runs and nothing waits to be written. */
  readonly resting: () => boolean
}

interface Idler {
  /** How many claims had been begun when it asked. */
  readonly after: number
  readonly resolve: () => void
}

export class ClaimLoop {
  readonly #options: ClaimLoopOptions
  #started = false
  #stopped = false
  #more = true
  #scheduled = false
  readonly #claiming = new Set<Promise<void>>()
  /** Claims that have not been answered, and the slots that they asked for. */
  #underWay = 0
  #asked = 0
  #begun = 0
  #mostAtOnce = AT_FIRST
  #failures = 0
  #emptyClaims = 0
  /** No claim before that, by the monotonic clock. */
  #notBefore = 0
  #timer: Timer | null = null
  #timerAt = 0
  #idlers: Idler[] = []

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

  /**
   * Jobs are about to be added by a call that was made just now: a claim made in the same turn takes them in the same commit. Where there is more to
   * take already, one is left for that: whoever adds all the time would otherwise have no other jobs done.
   */
  coming(): void {
    const isLast = this.#underWay === this.#options.pace.claims - 1
    if (this.#more && isLast) return
    if (this.#limit() > 0 && this.#waitMs() <= 0) this.#begin()
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
    if (this.#stopped) return Promise.resolve()
    const idle = new Promise<void>((resolve) => this.#idlers.push({ after: this.#begun, resolve }))
    this.#wakeNow()
    return idle
  }

  /** No further claim begins; resolves when those under way have been answered. */
  async stop(): Promise<void> {
    this.#started = false
    this.#timer?.cancel()
    this.#timer = null
    await Promise.all(this.#claiming)
    this.#stopped = true
    for (const { resolve } of this.#idlers) resolve()
    this.#idlers = []
  }

  #wakeNow(): void {
    this.#notBefore = 0
    this.wake()
  }

  #limit(): number {
    const { free, room, pace } = this.#options
    if (!this.#started || this.#underWay >= pace.claims) return 0
    const left = free() - this.#asked
    // Where there is much room, as much of it as each claim under way may have.
    const share = Math.max(LEAST_AT_ONCE, Math.ceil(room() / pace.claims))
    return Math.min(left, share, this.#mostAtOnce)
  }

  #waitMs(): number {
    return this.#notBefore - this.#options.runtime.monotonic()
  }

  #schedule(): void {
    if (this.#scheduled || this.#limit() <= 0) return
    const waitMs = this.#waitMs()
    if (waitMs > 0) {
      this.#arm(waitMs)
      return
    }
    this.#scheduled = true
    const { turns } = this.#options
    turns.atEnd(() => {
      this.#scheduled = false
      if (this.#more) this.#begin()
    })
  }

  #begin(): void {
    const limit = this.#limit()
    if (limit <= 0) return
    this.#more = false
    this.#begun += 1
    const claiming = this.#claim(limit, this.#begun).finally(() => {
      this.#claiming.delete(claiming)
      if (this.#more) this.#schedule()
    })
    this.#claiming.add(claiming)
  }

  async #claim(limit: number, number: number): Promise<void> {
    this.#underWay += 1
    this.#asked += limit
    try {
      let answer: Answer
      try {
        answer = await this.#ask(limit)
      } finally {
        // In the same step as its jobs begin: a claim made in between would be for the slots that they are about to take.
        this.#underWay -= 1
        this.#asked -= limit
      }
      this.#answered(answer, limit, number)
    } catch (error) {
      this.#failed(error)
    }
  }

  async #ask(limit: number): Promise<Answer> {
    const { turns, claim } = this.#options
    if (turns.spent) await turns.wait()
    return claim(limit)
  }

  #answered(answer: Answer, limit: number, number: number): void {
    const { logger, begin, pace } = this.#options
    if (this.#failures > 0) logger.info('The store can be asked for jobs again.', { failures: this.#failures })
    this.#failures = 0
    // Jobs that end at once make room at once, and then it has to be known whether there is more to take.
    if (answer.jobs.length === limit) {
      this.#more = true
      this.#mostAtOnce = Math.min(pace.jobs, Math.max(this.#mostAtOnce, 2 * limit))
    }
    begin(answer)
    this.#claimed(answer, limit, number)
  }

  #claimed({ jobs, nextDueInMs, sessionLost }: Claimed, limit: number, number: number): void {
    // Whoever opens the next session wakes the loop.
    if (sessionLost) return
    this.#emptyClaims = jobs.length === 0 ? this.#emptyClaims + 1 : 0
    if (jobs.length === limit) return
    if (jobs.length === 0) this.#foundNothing(number)
    this.#arm(Math.min(POLL_MS, nextDueInMs ?? POLL_MS))
  }

  #foundNothing(number: number): void {
    // Another claim under way may still find something.
    const atRest = this.#underWay === 0 && this.#options.resting()
    const satisfied = atRest ? this.#idlers.filter(({ after }) => after < number) : []
    this.#idlers = this.#idlers.filter((idler) => !satisfied.includes(idler))
    for (const { resolve } of satisfied) resolve()
    const waited = this.#idlers.length > 0
    if (atRest && waited) this.#more = true
    const gapMs = waited || this.#emptyClaims <= EMPTY_CLAIMS ? 0 : EMPTY_GAP_MS
    this.#notBefore = this.#options.runtime.monotonic() + gapMs
  }

  #failed(error: unknown): void {
    const { runtime, logger } = this.#options
    this.#failures += 1
    // It may have asked for more than the store can bring at once.
    this.#mostAtOnce = Math.max(LEAST_AT_ONCE, Math.floor(this.#mostAtOnce / 2))
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
