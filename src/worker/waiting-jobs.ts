/**
 * Jobs that a worker has in hand: taken ahead of its slots, in their order. They should begin within a few hundredths of a second. Where
 * that has become unlikely, because runs take longer than they did, another worker may be able to begin them: they are given back.
 */
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { ClaimedJob } from '../store/claims.ts'
import type { ClaimAhead } from './claim-ahead.ts'
import type { Answer } from './claim-loop.ts'
import { keyOf } from './interruption-watch.ts'
import type { Stop } from './stop.ts'

/** They are meant to begin within a fifth of this. */
const LONGEST_WAIT_MS = 100
const LOOK_EVERY_MS = 20

export interface WaitingJobsOptions {
  readonly runtime: Runtime
  /** Says how many may be in hand as things are now, and is told what is taken and given back. */
  readonly ahead: ClaimAhead
  readonly concurrency: number
  /** They do not wait any more. */
  readonly onGiveBack: (jobs: readonly ClaimedJob[]) => void
}

/** What one claim has brought. */
interface Batch {
  /** How many of it still wait. */
  left: number
  readonly takenAt: number
  /** When the store was asked for them, or later about them. */
  askedAt: number
}

export class WaitingJobs {
  readonly #options: WaitingJobsOptions
  #jobs: ClaimedJob[] = []
  #batches: Batch[] = []
  /** Those that must not begin, by the key of their claims. */
  #stops: ReadonlyMap<string, Stop> = new Map()
  #timer: Timer | null = null
  /** By how many there were too many at the last look, and still are. */
  #tooMany = 0

  constructor(options: WaitingJobsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#jobs.length
  }

  add({ jobs, askedAt }: Answer): void {
    if (jobs.length === 0) return
    this.#options.ahead.took(jobs)
    this.#jobs.push(...jobs)
    this.#batches.push({ left: jobs.length, takenAt: this.#options.runtime.monotonic(), askedAt })
  }

  /** When the store was last asked for the next to begin, or about it; infinite: none waits. */
  get askedAt(): number {
    return this.#batches[0]?.askedAt ?? Number.POSITIVE_INFINITY
  }

  /** Asks which of all that wait must not begin. */
  ask(stopsOf: (jobs: readonly ClaimedJob[]) => ReadonlyMap<string, Stop>): void {
    const askedAt = this.#options.runtime.monotonic()
    for (const batch of this.#batches) batch.askedAt = askedAt
    this.#stops = stopsOf(this.#jobs)
  }

  /** Why the job must not begin; null: it may, as far as is known. */
  stopOf({ claim }: ClaimedJob): Stop | null {
    return this.#stops.size === 0 ? null : (this.#stops.get(keyOf(claim)) ?? null)
  }

  /** The next to begin; undefined: none waits. */
  next(): ClaimedJob | undefined {
    // There are many of them, and a pattern would make an iterator for each.
    const batch = this.#batches[0]
    if (batch === undefined) return undefined
    batch.left -= 1
    if (batch.left === 0) this.#batches.shift()
    return this.#jobs.shift()
  }

  /** All that wait; none waits any more. */
  takeAll(): readonly ClaimedJob[] {
    this.#batches = []
    return this.#jobs.splice(0)
  }

  /** To be called when no more can begin at the moment. */
  watch(): void {
    if (this.#jobs.length === 0 || this.#timer !== null) return
    this.#timer = this.#options.runtime.after(LOOK_EVERY_MS, () => this.#look(), { idle: true })
  }

  /**
   * Those that would begin last are given back: as many as are more than would be taken today, or as have waited too long. But one slow run,
   * or a thread that was held up, is no reason yet: it must have been so at the look before as well.
   */
  #look(): void {
    this.#timer = null
    const { runtime, ahead, concurrency, onGiveBack } = this.#options
    const tooLong = this.#countOf(({ takenAt }) => runtime.monotonic() - takenAt >= LONGEST_WAIT_MS)
    const tooMany = Math.max(tooLong, this.#jobs.length - ahead.most(concurrency))
    const lasting = Math.min(tooMany, this.#tooMany)
    this.#tooMany = tooMany - lasting
    if (lasting > 0) {
      const givenBack = this.#takeNewest(lasting)
      ahead.gaveBack(this.#jobs.length)
      onGiveBack(givenBack)
    }
    this.watch()
  }

  #countOf(isCounted: (batch: Batch) => boolean): number {
    return this.#batches.reduce((count, batch) => (isCounted(batch) ? count + batch.left : count), 0)
  }

  #takeNewest(count: number): readonly ClaimedJob[] {
    let counted = 0
    for (let batch = this.#batches.at(-1); batch !== undefined && counted < count; batch = this.#batches.at(-1)) {
      const taken = Math.min(batch.left, count - counted)
      counted += taken
      batch.left -= taken
      if (batch.left === 0) this.#batches.pop()
    }
    return this.#jobs.splice(this.#jobs.length - counted)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
