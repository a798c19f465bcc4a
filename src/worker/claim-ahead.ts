/**
 * How many jobs a worker may take beyond its free slots. A job that takes microseconds would otherwise wait for a commit of the store each
 * time a few slots become free. What is taken ahead is begun within a few hundredths of a second, so the worker must know how long jobs of
 * its types take: until it has seen some of each, and while one of them is slow, it takes none.
 */

/** The longest that a job taken ahead should wait for its slot. */
const AHEAD_MS = 20
/** However fast they are: with so many in hand, more would not be worked on any faster. */
const MOST_IN_HAND = 1_000
/** So many runs of a type are watched first. */
const RUNS_KNOWN = 10
/** The weight of the latest run in the average. A slow one counts at once. */
const LATEST_WEIGHT = 1 / 16
/** After jobs were given back, so many must run before one more is taken ahead again. */
const RUNS_FOR_ONE_MORE = 10

interface TypeRuns {
  count: number
  averageMs: number
}

export class ClaimAhead {
  readonly #runs: ReadonlyMap<string, TypeRuns>
  /** Runs that are to the credit of jobs ahead. */
  #credit = MOST_IN_HAND * RUNS_FOR_ONE_MORE

  constructor(types: Iterable<string>) {
    this.#runs = new Map([...types].map((type) => [type, { count: 0, averageMs: 0 }]))
  }

  /** A job of the type kept its slot for so long. */
  note(type: string, ms: number): void {
    const runs = this.#runs.get(type)
    if (runs === undefined) return
    runs.count += 1
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
    for (const { count, averageMs } of this.#runs.values()) {
      if (count < RUNS_KNOWN || averageMs > AHEAD_MS) return 0
      slowestMs = Math.max(slowestMs, averageMs)
    }
    const most = Math.min(Math.max(0, MOST_IN_HAND - concurrency), Math.floor(this.#credit / RUNS_FOR_ONE_MORE))
    return slowestMs === 0 ? most : Math.min(most, Math.floor((concurrency * AHEAD_MS) / slowestMs))
  }
}
