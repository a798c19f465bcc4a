/**
 * How many jobs a worker may take beyond its free slots. A job that takes microseconds would otherwise wait for a commit of the store each
 * time a few slots become free. What is taken ahead is begun within a few hundredths of a second, so the worker must know how long jobs of
 * its types take: until it has seen some of each, and while one of them is slow, it takes none.
 *
 * A job's time-out runs from its claim. Should a handler block the thread, nothing that is in hand begins, nor can it be given back, and a
 * sweep by another process ends it as overdue: a failure of a job that never began. So none is taken ahead whose time is short.
 */
import type { ClaimedJob } from '../store/claims.ts'

/** The longest that a job taken ahead should wait for its slot. */
const AHEAD_MS = 20
/** However fast they are: with so many in hand, more would not be worked on any faster. */
const MOST_IN_HAND = 1_000
/** So many runs of a type are watched first. */
const RUNS_KNOWN = 10
/** The weight of the latest run in the average. A slow one counts at once. */
const LATEST_WEIGHT = 1 / 16
/** A type that allows its attempts less is not taken ahead: handlers block the thread for seconds, if they do, and hardly ever for longer. */
const SHORTEST_TIMEOUT_MS = 10_000
/** Of the inputs, and results so far, of all that is in hand. An input may have 256 KB, and a thousand of them would fill the memory. */
const MOST_CHARACTERS = 4 * 1024 * 1024
/** Jobs that were taken lately: the mean of their sizes follows the latest claims, and a single large one does not throw it off. */
const TAKEN_LATELY = 16
/** After jobs were given back, so many must run before one more is taken ahead again. */
const RUNS_FOR_ONE_MORE = 10

interface TypeRuns {
  count: number
  averageMs: number
  /** By the policy that its latest job came with. */
  hasShortTimeout: boolean
}

export class ClaimAhead {
  readonly #runs: ReadonlyMap<string, TypeRuns>
  /** Runs that are to the credit of jobs ahead. */
  #credit = MOST_IN_HAND * RUNS_FOR_ONE_MORE
  #meanCharacters = 0

  constructor(types: Iterable<string>) {
    this.#runs = new Map([...types].map((type) => [type, { count: 0, averageMs: 0, hasShortTimeout: false }]))
  }

  /** Jobs have been claimed. */
  took(jobs: readonly Pick<ClaimedJob, 'input' | 'results'>[]): void {
    if (jobs.length === 0) return
    let characters = 0
    for (const { input, results } of jobs) {
      characters += input.length
      if (results.length > 0) characters += results.reduce((sum, result) => sum + result.length, 0)
    }
    const mean = characters / jobs.length
    const weight = this.#meanCharacters === 0 ? 1 : jobs.length / (jobs.length + TAKEN_LATELY)
    this.#meanCharacters += (mean - this.#meanCharacters) * weight
  }

  /** A job kept its slot for so long. */
  note({ type, policy: { timeoutMs } }: Pick<ClaimedJob, 'type' | 'policy'>, ms: number): void {
    const runs = this.#runs.get(type)
    if (runs === undefined) return
    runs.count += 1
    runs.hasShortTimeout = timeoutMs !== null && timeoutMs < SHORTEST_TIMEOUT_MS
    runs.averageMs = ms > runs.averageMs ? ms : runs.averageMs + (ms - runs.averageMs) * LATEST_WEIGHT
    if (this.#credit < MOST_IN_HAND * RUNS_FOR_ONE_MORE) this.#credit += 1
  }

  /**
   * Some were given back, and so many are left in hand. That is the most for now: else what was given back would be taken again, over and
   * over. So of all jobs, a tenth as many as have run are given back at the most, and those of the first time.
   */
  gaveBack(left: number): void {
    this.#credit = Math.min(this.#credit, left * RUNS_FOR_ONE_MORE)
  }

  /** At most so many jobs beyond the slots, with `concurrency` of them. */
  most(concurrency: number): number {
    let slowestMs = 0
    for (const { count, averageMs, hasShortTimeout } of this.#runs.values()) {
      if (count < RUNS_KNOWN || averageMs > AHEAD_MS || hasShortTimeout) return 0
      if (averageMs > slowestMs) slowestMs = averageMs
    }
    // What was not measured bounds nothing: a division by 0 is infinite.
    const bySpeed = (concurrency * AHEAD_MS) / slowestMs
    const bySize = MOST_CHARACTERS / this.#meanCharacters
    const byCredit = this.#credit / RUNS_FOR_ONE_MORE
    return Math.max(0, Math.floor(Math.min(MOST_IN_HAND - concurrency, bySpeed, bySize, byCredit)))
  }
}
