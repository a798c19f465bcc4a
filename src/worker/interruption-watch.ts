/**
 * Learns which of the running jobs must stop. It asks the store after something was committed, at once when things are quiet, at most every
 * 2 to 20 ms when they are not, the more jobs run the more rarely, and every second in any case; so a cancel reaches its handler within a
 * few milliseconds of the commit that this process sees. Jobs that end faster than it asks are never asked for, which keeps a drain free of it.
 *
 * An answer comes in between turns of the event loop. Where a handler has blocked the thread, the next job would begin before that: so a job
 * of which nothing has been heard for a while is asked for in the middle of the turn in which it begins.
 */
import type { Logger } from '../runtime/logger.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { Claim } from '../core/job-row.ts'
import type { ClaimedJob, Interruption } from '../store/claims.ts'
import type { Store } from '../store/store.ts'
import type { Attempt } from './attempt.ts'
import { cancelStop, leaseLostStop } from './stop.ts'
import type { Stop } from './stop.ts'

/** Asking takes the store a few microseconds for each job that runs: it should take no more than a few hundredths of its time. */
const GAP_MS_A_JOB = 0.2
const SHORTEST_GAP_MS = 2
const LONGEST_GAP_MS = 20
const BACKSTOP_MS = 1_000
/** A job begins unasked for so long after the store has said that it may: a claim, or a look. */
export const KNOWN_FOR_MS = 100

export interface InterruptionWatchOptions {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  /** The attempts whose handlers run. */
  readonly running: ReadonlySet<Attempt>
}

export class InterruptionWatch {
  readonly #options: InterruptionWatchOptions
  #timer: Timer | null = null
  #timerAt = 0
  #askedAt = Number.NEGATIVE_INFINITY
  /** When a look at those that run was made in the middle of a turn. */
  #lookedAt = Number.NEGATIVE_INFINITY
  /** No look in the middle of a turn before that. */
  #leftAloneUntil = Number.NEGATIVE_INFINITY
  #asking = false
  #changed = false
  #closed = false
  #deafSince: number | null = null

  constructor(options: InterruptionWatchOptions) {
    this.#options = options
  }

  /** Since when the store does not answer, by the monotonic clock; null: it answers. */
  get deafSince(): number | null {
    return this.#deafSince
  }

  /** Something was committed. */
  changed(): void {
    this.#changed = true
    if (!this.#asking && this.#options.running.size > 0) this.#askIn(this.#gapLeftMs())
  }

  /** A job has been taken: from now on there is somebody to ask for. */
  began(): void {
    if (!this.#asking && this.#timer === null) this.#askIn(BACKSTOP_MS)
  }

  /**
   * For a handler that calls this while it holds the thread, so that no answer can come in, and for one that is about to begin. It costs a
   * read of the store, so it is not made while other looks are made every `everyMs`, nor for an attempt that began more lately than that.
   */
  lookNow(attempt: Attempt, everyMs: number = LONGEST_GAP_MS): void {
    const { runtime, running } = this.#options
    if (runtime.monotonic() - Math.max(this.#lookedAt, attempt.startedAt) < everyMs) return
    const found = this.#askNow([...running].map(({ job }) => job.claim))
    this.#lookedAt = runtime.monotonic()
    const attempts = new Map([...running].map((each) => [keyOf(each.job.claim), each]))
    for (const interruption of found) attempts.get(keyOf(interruption))?.interrupt(stopOf(interruption))
  }

  /** Which of the jobs must not begin, by the `keyOf` their claims. An answer that does not come in time forbids nothing. */
  stopsOf(jobs: readonly ClaimedJob[]): ReadonlyMap<string, Stop> {
    const found = this.#askNow(jobs.map(({ claim }) => claim))
    return new Map(found.map((interruption) => [keyOf(interruption), stopOf(interruption)]))
  }

  #askNow(held: readonly Claim[]): readonly Interruption[] {
    const { runtime, store } = this.#options
    if (this.#closed || runtime.monotonic() < this.#leftAloneUntil) return []
    const found = store.claims.interruptionsNow(held)
    // A store that is slow to answer is left alone for a while: each look may block.
    if (found === null) this.#leftAloneUntil = runtime.monotonic() + BACKSTOP_MS
    return found ?? []
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = null
  }

  #gapLeftMs(): number {
    const { running, runtime } = this.#options
    const gapMs = Math.min(LONGEST_GAP_MS, Math.max(SHORTEST_GAP_MS, running.size * GAP_MS_A_JOB))
    return Math.max(0, this.#askedAt + gapMs - runtime.monotonic())
  }

  #askIn(ms: number): void {
    const { runtime } = this.#options
    const at = runtime.monotonic() + ms
    if (this.#closed || (this.#timer !== null && this.#timerAt <= at)) return
    this.#timer?.cancel()
    this.#timerAt = at
    // What is wanted at once is no idle wait: the event loop may rest before it gives an idle one its turn.
    this.#timer = runtime.after(ms, () => this.#look(), { idle: ms > 0 })
  }

  #look(): void {
    this.#timer = null
    if (this.#closed || this.#options.running.size === 0) return
    this.#asking = true
    this.#changed = false
    this.#askedAt = this.#options.runtime.monotonic()
    this.#ask().then(
      () => this.#asked(),
      (error: unknown) => this.#failed(error),
    )
  }

  async #ask(): Promise<void> {
    const { store, running } = this.#options
    const asked = new Map<string, Attempt>()
    for (const attempt of running) asked.set(keyOf(attempt.job.claim), attempt)
    const interruptions = await store.claims.interruptions([...asked.values()].map(({ job }) => job.claim))
    for (const interruption of interruptions) asked.get(keyOf(interruption))?.interrupt(stopOf(interruption))
  }

  #asked(): void {
    if (this.#deafSince !== null) this.#options.logger.info('The store can be asked for cancellations again.')
    this.#deafSince = null
    this.#again()
  }

  #failed(error: unknown): void {
    if (this.#deafSince === null) {
      this.#deafSince = this.#askedAt
      this.#options.logger.warn('The store cannot be asked for cancellations; it is asked again.', { error })
    }
    this.#changed = false
    this.#again()
  }

  #again(): void {
    this.#asking = false
    if (this.#options.running.size > 0) this.#askIn(this.#changed ? this.#gapLeftMs() : BACKSTOP_MS)
  }
}

/** Names a claim of this worker's. */
export function keyOf({ jobId, fence }: { readonly jobId: string; readonly fence: number }): string {
  return `${jobId} ${fence}`
}

function stopOf({ jobId, kind, cancelledBy, reason }: Interruption): Stop {
  if (kind === 'cancel') return cancelStop({ jobId, cancelledBy: cancelledBy ?? 'system', reason })
  return leaseLostStop(jobId, 'heartbeat')
}
