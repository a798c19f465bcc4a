/**
 * The one writer of a process, and group commit: whatever calls have arrived while a commit was under way share the next transaction, and
 * each is answered after it. A lone call commits at once. Within a transaction calls are carried out kind by kind (see WRITES), in the
 * order of their arrival within a kind; calls in one transaction were all under way at the same time, so any order is a true one.
 *
 * Refusals are answers. An exception is a surprise: the kind's savepoint is rolled back and its calls are replayed one by one, each in a
 * savepoint of its own, so that only the call that failed is refused.
 */
import type { MillraceError } from '../core/errors.ts'
import { Database } from './database.ts'
import type { DiskReserve } from './disk-reserve.ts'
import { isFull, storeError } from './driver.ts'
import type { OwnConnection } from './driver.ts'
import { beginWrite, leaveGap, rollBack } from './locks.ts'
import { Undo, WRITES } from './operations.ts'
import type { WriteName } from './operations.ts'
import type { SessionKeeper } from './session-keeper.ts'

export interface WriteCall {
  readonly name: WriteName
  readonly args: unknown
}

export type CallOutcome = { readonly answer: unknown } | { readonly error: MillraceError }

export interface WriterOptions {
  readonly connection: OwnConnection
  readonly file: string
  readonly clock: () => number
  readonly keeper: SessionKeeper
  readonly reserve: DiskReserve
}

type RunWrite = (db: Database, args: unknown) => unknown

const KINDS = Object.entries(WRITES) as readonly (readonly [WriteName, RunWrite])[]

/** A full disk refuses what makes it fuller. What ends jobs or frees room goes on, from the reserve. */
const REFUSED_WHEN_FULL: ReadonlySet<WriteName> = new Set(['jobs.enqueue', 'claims.claim', 'sessions.open'])

export class Writer {
  readonly #options: WriterOptions
  readonly #db: Database

  constructor(options: WriterOptions) {
    this.#options = options
    this.#db = new Database(options.connection, options.clock)
  }

  get db(): Database {
    return this.#db
  }

  /** Carries the calls out in one transaction and returns after its commit, with an outcome for each in the order given. */
  commit(calls: readonly WriteCall[]): readonly CallOutcome[] {
    const { reserve } = this.#options
    reserve.refill()
    const outcomes = this.#attempt(calls)
    if (!outcomes.some((outcome) => 'error' in outcome && isFull(outcome.error))) return outcomes
    if (!reserve.open()) return outcomes
    return this.#attempt(calls)
  }

  #attempt(calls: readonly WriteCall[]): readonly CallOutcome[] {
    const { connection, file } = this.#options
    try {
      return this.#transact(calls)
    } catch (error) {
      rollBack(connection)
      this.#db.forget()
      const refusal = storeError(error, file)
      return calls.map(() => ({ error: refusal }))
    }
  }

  #transact(calls: readonly WriteCall[]): readonly CallOutcome[] {
    const { connection, file, keeper } = this.#options
    beginWrite(connection, file)
    const others = this.#db.beginUnit()
    keeper.beatDue(this.#db)
    const outcomes: CallOutcome[] = []
    for (const [name, run] of KINDS) this.#runKind(name, run, calls, outcomes)
    connection.exec('COMMIT')
    if (others) leaveGap()
    return outcomes
  }

  #runKind(name: WriteName, run: RunWrite, calls: readonly WriteCall[], outcomes: CallOutcome[]): void {
    const mine = calls.flatMap((call, index) => (call.name === name ? [index] : []))
    if (mine.length === 0) return
    const { connection, file, reserve } = this.#options
    if (reserve.isOpen && REFUSED_WHEN_FULL.has(name)) {
      const error = reserve.refusal()
      for (const index of mine) outcomes[index] = { error }
      return
    }
    connection.exec('SAVEPOINT kind')
    try {
      for (const index of mine) outcomes[index] = { answer: run(this.#db, calls[index]?.args) }
      connection.exec('RELEASE kind')
    } catch (error) {
      if (!connection.isTransaction) throw storeError(error, file)
      this.#undoKind()
      for (const index of mine) outcomes[index] = this.#runAlone(run, calls[index]?.args)
    }
  }

  #runAlone(run: RunWrite, args: unknown): CallOutcome {
    const { connection, file } = this.#options
    connection.exec('SAVEPOINT kind')
    try {
      const answer = run(this.#db, args)
      connection.exec('RELEASE kind')
      return { answer }
    } catch (error) {
      if (!connection.isTransaction) throw storeError(error, file)
      this.#undoKind()
      return error instanceof Undo ? { answer: error.answer } : { error: storeError(error, file) }
    }
  }

  #undoKind(): void {
    this.#options.connection.exec('ROLLBACK TO kind')
    this.#options.connection.exec('RELEASE kind')
    this.#db.forget()
  }

  /** Whether another connection has committed since this was last asked, or a transaction last began. */
  othersCommitted(): boolean {
    return this.#db.checkDataVersion()
  }

  close(): void {
    this.#options.reserve.close()
    this.#options.connection.close()
  }
}
