/** New jobs that arrive while others are being added share the next commit. */
import type { MillraceError } from '../core/errors.ts'
import type { Claimed, ClaimRequest } from '../store/claims.ts'
import type { Enqueued, NewJob } from '../store/jobs.ts'
import { LOCKED_WITHIN_MS, claimIn } from './claim.ts'
import type { Claiming } from './claim.ts'
import type { Database, Statement } from './database.ts'
import type { Row, RunRows } from './driver.ts'
import { StaleTypes, addInChunks, addJobs, addKeyedJobs, chunksOf, created, isKeyed, placeJobs } from './enqueue.ts'
import type { Added, PlacedJob } from './enqueue.ts'
import { jobStates } from './jobs.ts'
import { GroupCommit } from './group-commit.ts'
import { Names } from './names.ts'
import type { Timer } from '../runtime/runtime.ts'

export interface EnqueuerOptions {
  readonly db: Database
  readonly names: Names
  readonly claiming: Claiming
  readonly asError: (error: unknown) => MillraceError
  /** A notice that goes behind the statement of the next commit; null: not now. */
  readonly ride: () => Statement | null
  /** After each commit, and whether a notice of it went with it. */
  readonly onCommit: (told: boolean) => void
}

/** What becomes of a batch's notice. */
interface Riding {
  told: boolean
  /** They may have been added with what was to be taken along. */
  mayBeMade: boolean
}

type Call = readonly NewJob[]

/** Somebody who asks for jobs while new ones are on their way. */
interface Rider {
  readonly request: ClaimRequest
  /** Null: it has to ask by itself. */
  readonly resolve: (claimed: Claimed | null) => void
}

const CALLS_A_COMMIT = 1_000

export class Enqueuer {
  readonly #options: EnqueuerOptions
  readonly #calls: GroupCommit<Call, readonly Enqueued[]>
  #riders: Rider[] = []

  constructor(options: EnqueuerOptions) {
    const { asError } = options
    this.#options = options
    this.#calls = new GroupCommit({ most: CALLS_A_COMMIT, weigh, run: (calls) => this.#add(calls), asError })
  }

  /** In the order of the calls. */
  add(jobs: Call): Promise<readonly Enqueued[]> {
    return this.#calls.call(jobs)
  }

  /**
   * Takes jobs in the transaction that adds those which were handed over in this turn: so an idle worker has a new job a commit sooner.
   * Null: nothing was taken along.
   */
  takeAlong(request: ClaimRequest): Promise<Claimed | null> {
    return new Promise((resolve) => this.#riders.push({ request, resolve }))
  }

  async #add(calls: readonly Call[]): Promise<readonly (readonly Enqueued[])[]> {
    const riding: Riding = { told: false, mayBeMade: false }
    const hasKeys = calls.some((jobs) => jobs.some(isKeyed))
    const riders = this.#riders
    this.#riders = []
    try {
      const enqueued = hasKeys ? await this.#addKeyed(calls) : await this.#addBare(calls, riding, riders)
      this.#options.onCommit(riding.told)
      return enqueued
    } finally {
      // For whoever was not taken along there may be something now.
      for (const { resolve } of riders) resolve(null)
    }
  }

  async #addBare(calls: readonly Call[], riding: Riding, riders: Rider[]): Promise<readonly (readonly Enqueued[])[]> {
    const { db, names } = this.#options
    const jobs = calls.flat()
    if (jobs.length === 0) return calls.map(() => [])
    const added = await this.#freshly(async () => {
      const placed = await placeJobs(names, jobs)
      // One is enough: for the others there may be nothing left. And nobody has to wait for a claim that takes its time.
      const { cursors } = this.#options.claiming
      const mayRide = chunksOf(placed).length === 1 && !cursors.isSlow && !cursors.isHeldUp
      const rider = mayRide ? riders.shift() : undefined
      if (rider !== undefined) {
        try {
          return await this.#addAndTake(placed, rider)
        } catch (error) {
          // Jobs are not refused because others could not be taken.
          if (isOutOfReach(error)) throw error
          riding.mayBeMade = true
        }
      }
      if (!db.mayAutocommit || chunksOf(placed).length > 1) {
        return db.write(async (tx) => fresh(await addInChunks(tx.rows, tx.now, placed)))
      }
      const addOnce: RunRows = (sql, ...values) => this.#addOnce({ sql, values }, jobs, riding)
      return fresh(await addJobs(addOnce, db.virtualNow, placed))
    })
    return calls.map((call) => call.map((job) => created(job, added)))
  }

  /**
   * Both are sent at once, the one behind the other, and no more is taken than is added. Where the answer to the COMMIT is lost, whoever takes
   * jobs has to know which, however long it takes; whoever adds them waits no longer than ever.
   */
  async #addAndTake(placed: readonly PlacedJob[], rider: Rider): Promise<Added> {
    const { db, claiming, onCommit } = this.#options
    const request = { ...rider.request, limit: Math.min(rider.request.limit, placed.length) }
    const late = Promise.withResolvers<never>()
    let patience: Timer | null = null
    let isLate = false
    const giveUp = (error: Error): void => {
      isLate = true
      late.reject(error)
    }
    const both = db.write(
      async (tx) => {
        const adding = addJobs(tx.rows, tx.now, placed)
        const taking = claimIn(tx, claiming, request)
        const [added, claimed] = await Promise.allSettled([adding, taking])
        // Where the first has failed, the second says no more than that.
        if (added.status === 'rejected') throw added.reason
        if (claimed.status === 'rejected') throw claimed.reason
        return { added: fresh(added.value), claimed: claimed.value }
      },
      { insists: true, lockedWithinMs: LOCKED_WITHIN_MS, whenLost: () => (patience ??= db.outOfPatience(giveUp)) },
    )
    const settle = (claimed: Claimed | null): void => {
      patience?.cancel()
      rider.resolve(claimed)
      if (isLate) onCommit(false)
    }
    void both.then(
      ({ claimed }) => settle(claimed),
      () => settle(null),
    )
    return (await Promise.race([both, late.promise])).added
  }

  /** A statement that is committed by itself, and whose answer may be lost: then the ids tell whether it was. */
  async #addOnce(statement: Statement, jobs: readonly NewJob[], riding: Riding): Promise<readonly Row[]> {
    const { db, ride } = this.#options
    return db.rowsUnlessMade(statement, {
      mayBeMade: riding.mayBeMade,
      again: async () => {
        const states = await jobStates(
          db.rows,
          jobs.map(({ id }) => id),
        )
        if (states.size < jobs.length) return null
        const scheduled = [...states].filter(([, state]) => state === 'scheduled').map(([id]) => id)
        return [{ fresh: true, added: jobs.length, scheduled: scheduled.join(',') || null }]
      },
      behind: () => {
        // One that rode with an earlier try is lost with its connection.
        const notice = ride()
        riding.told = notice !== null
        return notice
      },
    })
  }

  async #addKeyed(calls: readonly Call[]): Promise<readonly (readonly Enqueued[])[]> {
    const outcomes = await this.#freshly(async () => {
      try {
        return await this.#addInDraft(calls.flat())
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

  /** A type that is new belongs to the transaction: should it be undone, the type is not there. */
  async #addInDraft(jobs: readonly NewJob[]): Promise<readonly Enqueued[]> {
    const { db, names } = this.#options
    const [draft, outcomes] = await db.write(async (tx) => {
      const drafted = new Names(tx.rows, names)
      const added = await addKeyedJobs(tx.rows, tx.now, await placeJobs(drafted, jobs))
      return [drafted, whole(added)] as const
    })
    names.adopt(draft)
    return outcomes
  }

  /** Once more where a type has changed since its name was looked up. */
  async #freshly<T>(add: () => Promise<T>): Promise<T> {
    const { names } = this.#options
    for (;;) {
      try {
        return await add()
      } catch (error) {
        const { cause } = error as { readonly cause?: unknown }
        if (!(cause instanceof StaleTypes) && !(error instanceof StaleTypes)) throw error
        names.forgetTypes()
      }
    }
  }
}

function isOutOfReach(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown }
  return code === 'store-unreachable' || code === 'store-closed'
}

function weigh(jobs: Call): number {
  return jobs.reduce((sum, { input }) => sum + input.length, 0)
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
