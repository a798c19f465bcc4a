/** Which new jobs share a commit. Those with keys go by themselves: whether they are added is decided call by call. */
import type { MillraceError } from '../core/errors.ts'
import type { Enqueued, NewJob } from '../store/jobs.ts'
import type { Database } from './database.ts'
import { StaleTypes, addJobs, addKeyedJobs, created, isKeyed, placeJobs } from './enqueue.ts'
import type { PlacedJob } from './enqueue.ts'
import { Lane } from './lane.ts'
import type { Names } from './names.ts'

export interface EnqueuerOptions {
  readonly db: Database
  readonly names: Names
  readonly asError: (error: unknown) => MillraceError
}

type Call = readonly NewJob[]

/** So many jobs share a statement at most, unless one call brings more. */
const CALLS_A_COMMIT = 1_000

export class Enqueuer {
  readonly #options: EnqueuerOptions
  readonly #bare: Lane<Call, readonly Enqueued[]>
  readonly #keyed: Lane<Call, readonly Enqueued[]>

  constructor(options: EnqueuerOptions) {
    const { asError } = options
    this.#options = options
    this.#bare = new Lane({ most: CALLS_A_COMMIT, run: (calls) => this.#addBare(calls), asError })
    this.#keyed = new Lane({ most: CALLS_A_COMMIT, run: (calls) => this.#addKeyed(calls), asError })
  }

  add(jobs: Call): Promise<readonly Enqueued[]> {
    return jobs.some(isKeyed) ? this.#keyed.call(jobs) : this.#bare.call(jobs)
  }

  async #addBare(calls: readonly Call[]): Promise<readonly (readonly Enqueued[])[]> {
    const { db } = this.#options
    const jobs = calls.flat()
    if (jobs.length === 0) return calls.map(() => [])
    const added = await this.#freshly(jobs, async (placed) => {
      if (!db.mayAutocommit) return db.write(async (tx) => fresh(await addJobs(tx.rows, tx.now, placed)))
      return fresh(await addJobs(db.rows, db.virtualNow, placed))
    })
    return calls.map((call) => call.map((job) => created(job, added)))
  }

  async #addKeyed(calls: readonly Call[]): Promise<readonly (readonly Enqueued[])[]> {
    const { db } = this.#options
    const outcomes = await this.#freshly(calls.flat(), async (placed) => {
      try {
        return await db.write(async (tx) => whole(await addKeyedJobs(tx.rows, tx.now, placed)))
      } catch (error) {
        const { cause } = error as { readonly cause?: unknown }
        // Of several calls, made again one by one, only the one that it is about is refused.
        if (cause instanceof Undone && calls.length === 1) return cause.outcomes
        throw error
      }
    })
    let end = 0
    return calls.map(({ length }) => outcomes.slice(end, (end += length)))
  }

  /** Looks the names up, and again where a type has changed since. */
  async #freshly<T>(jobs: readonly NewJob[], add: (placed: readonly PlacedJob[]) => Promise<T>): Promise<T> {
    const { names } = this.#options
    for (;;) {
      try {
        return await add(await placeJobs(names, jobs))
      } catch (error) {
        const { cause } = error as { readonly cause?: unknown }
        if (!(cause instanceof StaleTypes) && !(error instanceof StaleTypes)) throw error
        names.forgetTypes()
      }
    }
  }
}

function fresh<T extends { readonly fresh: boolean }>(added: T): T {
  if (!added.fresh) throw new StaleTypes()
  return added
}

/** Thrown to undo what must leave no trace: a key that was used for another input refuses all of its call. */
class Undone extends Error {
  readonly outcomes: readonly Enqueued[]

  constructor(outcomes: readonly Enqueued[]) {
    super('undone on purpose')
    this.outcomes = outcomes
  }
}

function whole(outcomes: readonly Enqueued[]): readonly Enqueued[] {
  if (outcomes.some(({ outcome }) => outcome === 'key-reused')) throw new Undone(outcomes)
  return outcomes
}
