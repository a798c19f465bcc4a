/**
 * Jobs that a worker has in hand: taken ahead of its slots, in their order. They should begin within a few hundredths of a second. Where
 * that has become unlikely, because runs take longer than they did, another worker may be able to begin them: they are given back.
 */
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { ClaimedJob } from '../store/claims.ts'

/** They are meant to begin within a fifth of this. */
const LONGEST_WAIT_MS = 100
const LOOK_EVERY_MS = 20

export interface WaitingJobsOptions {
  readonly runtime: Runtime
  /** How many may be in hand as things are now. */
  readonly most: () => number
  /** They do not wait any more. */
  readonly onGiveBack: (jobs: readonly ClaimedJob[]) => void
}

/** What one claim has brought. */
interface Batch {
  /** How many of it still wait. */
  left: number
  readonly takenAt: number
}

export class WaitingJobs {
  readonly #options: WaitingJobsOptions
  #jobs: ClaimedJob[] = []
  #batches: Batch[] = []
  #timer: Timer | null = null
  /** By how many they were too many when this was last looked at. */
  #excess = 0

  constructor(options: WaitingJobsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#jobs.length
  }

  add(jobs: readonly ClaimedJob[]): void {
    if (jobs.length === 0) return
    this.#jobs.push(...jobs)
    this.#batches.push({ left: jobs.length, takenAt: this.#options.runtime.monotonic() })
  }

  /** The next to begin; undefined: none waits. */
  next(): ClaimedJob | undefined {
    const [batch] = this.#batches
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

  /** One slow run is no reason yet: what is too much must have been too much at the look before as well. */
  #look(): void {
    this.#timer = null
    const { runtime, most, onGiveBack } = this.#options
    const late = this.#takeOldest(runtime.monotonic() - LONGEST_WAIT_MS)
    const excess = Math.max(0, this.#jobs.length - most())
    const lasting = Math.min(excess, this.#excess)
    this.#excess = excess - lasting
    const givenBack = [...late, ...this.#takeNewest(lasting)]
    if (givenBack.length > 0) onGiveBack(givenBack)
    this.watch()
  }

  #takeOldest(takenBefore: number): readonly ClaimedJob[] {
    let count = 0
    for (let [batch] = this.#batches; batch !== undefined && batch.takenAt <= takenBefore; [batch] = this.#batches) {
      count += batch.left
      this.#batches.shift()
    }
    return this.#jobs.splice(0, count)
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
