/** Jobs that a worker has taken ahead of its slots, in their order. */
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { ClaimedJob } from '../store/claims.ts'

/** They are meant to begin within a fifth of this. */
const LONGEST_WAIT_MS = 100

export interface WaitingJobsOptions {
  readonly runtime: Runtime
  /**
   * None of them could begin for a while, since handlers take longer than any before: they are better off with another worker. They do not
   * wait any more.
   */
  readonly onStuck: (jobs: readonly ClaimedJob[]) => void
}

export class WaitingJobs {
  readonly #options: WaitingJobsOptions
  #jobs: ClaimedJob[] = []
  #taken = 0
  #timer: Timer | null = null

  constructor(options: WaitingJobsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#jobs.length
  }

  add(jobs: readonly ClaimedJob[]): void {
    this.#jobs.push(...jobs)
  }

  /** The next to begin; undefined: none waits. */
  next(): ClaimedJob | undefined {
    this.#taken += 1
    return this.#jobs.shift()
  }

  /** All that wait; none waits any more. */
  takeAll(): readonly ClaimedJob[] {
    return this.#jobs.splice(0)
  }

  /** To be called when no more can begin at the moment. */
  watch(): void {
    if (this.#jobs.length === 0 || this.#timer !== null) return
    const taken = this.#taken
    this.#timer = this.#options.runtime.after(LONGEST_WAIT_MS, () => this.#look(taken), { idle: true })
  }

  #look(taken: number): void {
    this.#timer = null
    if (this.#taken !== taken) this.watch()
    else if (this.#jobs.length > 0) this.#options.onStuck(this.takeAll())
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
