/**
 * The one writer of a process, and group commit: whatever calls have arrived while a commit was under way share the next transaction, and
 * each is answered after it. A lone call commits at once. Within a transaction calls are carried out kind by kind (see WRITES), in the
 * order of their arrival within a kind; calls in one transaction were all under way at the same time, so any order is a true one.
 *
 * Refusals are answers. An exception is a surprise: the kind's savepoint is rolled back and its calls are replayed one by one, each in a
 * savepoint of its own, so that only the call that failed is refused. An error that ends the whole transaction by itself refuses all.
 *
 * Where the disk is full, the calls that met it (they alone: the others are committed) are tried once more from the reserve. Where a page
 * turns out to be damaged, nothing is written any more: every further page that is written makes a rescue harder.
 */
import type { MillraceError } from '../core/errors.ts'
import type { Database } from './database.ts'
import type { DiskReserve } from './disk-reserve.ts'
import { isFull, storeError } from './driver.ts'
import type { OwnConnection } from './driver.ts'
import { leaveGap, rollBack, whenFree } from './locks.ts'
import { Undo, WRITES, joinParts, partsOf, standsForMany } from './operations.ts'
import type { CallOutcome, WriteName } from './operations.ts'
import type { SessionKeeper } from './session-keeper.ts'

export interface WriteCall {
  readonly name: WriteName
  readonly args: unknown
}

export interface WriterOptions {
  readonly connection: OwnConnection
  readonly db: Database
  readonly file: string
  readonly keeper: SessionKeeper
  readonly reserve: DiskReserve
  /** How long to wait for the lock, blocking the thread. */
  readonly patienceMs: number
}

type RunWrite = (db: Database, calls: readonly unknown[]) => readonly unknown[]

interface KindOfCalls {
  readonly name: WriteName
  readonly run: RunWrite
  readonly calls: readonly WriteCall[]
  /** Indices of the calls of this kind. */
  readonly mine: readonly number[]
}

const KINDS = Object.entries(WRITES) as readonly (readonly [WriteName, RunWrite])[]

/** A full disk refuses what makes it fuller. What ends jobs or frees room goes on, from the reserve. */
const REFUSED_WHEN_FULL: ReadonlySet<WriteName> = new Set([
  'jobs.enqueue',
  'claims.claim',
  'claims.take',
  'sessions.open',
])

export class Writer {
  readonly #options: WriterOptions
  #damage: MillraceError | null = null
  #changed = false

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** Carries the calls out in one transaction and returns after its commit, with an outcome for each in the order given. */
  commit(calls: readonly WriteCall[]): readonly CallOutcome[] {
    const { reserve } = this.#options
    const outcomes = [...this.#attempt(calls)]
    const full = outcomes.flatMap((outcome, index) => ('error' in outcome && isFull(outcome.error) ? [index] : []))
    if (full.length === 0 || !reserve.open()) return outcomes
    const again = this.#attempt(full.flatMap((index) => calls[index] ?? []))
    for (const [position, index] of full.entries()) outcomes[index] = again[position] ?? { answer: undefined }
    return outcomes
  }

  /** Whether anything but beats has been written since this was last asked. */
  takeChanged(): boolean {
    const changed = this.#changed
    this.#changed = false
    return changed
  }

  #attempt(calls: readonly WriteCall[]): readonly CallOutcome[] {
    const { connection, file, db, reserve } = this.#options
    if (this.#damage !== null) return refuseAll(calls, this.#damage)
    try {
      reserve.refill()
      return this.#transact(calls)
    } catch (error) {
      rollBack(connection)
      db.forget()
      if (error instanceof Undo) return [{ answer: error.answer }]
      return refuseAll(calls, this.#refusal(error, file))
    }
  }

  #transact(calls: readonly WriteCall[]): readonly CallOutcome[] {
    const { db, file, keeper, patienceMs } = this.#options
    whenFree(file, () => db.run('BEGIN IMMEDIATE'), patienceMs)
    const others = db.beginUnit()
    keeper.beatDue(db)
    const changesBefore = db.totalChanges()
    const outcomes = this.#runAll(calls)
    const changed = db.totalChanges() > changesBefore
    db.run('COMMIT')
    keeper.committed()
    this.#changed ||= changed
    if (others) leaveGap()
    return outcomes
  }

  #runAll(calls: readonly WriteCall[]): readonly CallOutcome[] {
    const [only] = calls
    // Alone it needs no savepoint: what undoes the call undoes the transaction, unless there are beats in it.
    const { reserve, keeper } = this.#options
    const standsAlone = only !== undefined && calls.length === 1 && !standsForMany(only.name, only.args)
    if (standsAlone && !reserve.isOpen && !keeper.hasBeaten) {
      const run: RunWrite = WRITES[only.name] as RunWrite
      return [{ answer: run(this.#options.db, [only.args])[0] }]
    }
    const outcomes: CallOutcome[] = []
    const byName = Map.groupBy(calls.keys(), (index) => calls[index]?.name)
    for (const [name, run] of KINDS) {
      const mine = byName.get(name)
      if (mine !== undefined) this.#runKind({ name, run, calls, mine }, outcomes)
    }
    return outcomes
  }

  #runKind({ name, run, calls, mine }: KindOfCalls, outcomes: CallOutcome[]): void {
    const { connection, db, file, reserve } = this.#options
    if (reserve.isOpen && REFUSED_WHEN_FULL.has(name)) {
      const error = reserve.refusal()
      for (const index of mine) outcomes[index] = { error }
      return
    }
    db.run('SAVEPOINT kind')
    try {
      const answers = run(
        db,
        mine.map((index) => calls[index]?.args),
      )
      for (const [position, index] of mine.entries()) outcomes[index] = { answer: answers[position] }
      db.run('RELEASE kind')
    } catch (error) {
      if (!connection.isTransaction) throw storeError(error, file)
      this.#undoKind()
      for (const index of mine) outcomes[index] = this.#runAgain({ name, run }, calls[index]?.args)
    }
  }

  /** One call by itself, or, where it stands for many, each of them. */
  #runAgain({ name, run }: Pick<KindOfCalls, 'name' | 'run'>, args: unknown): CallOutcome {
    const outcome = this.#runAlone(run, args)
    const parts = 'error' in outcome ? partsOf(name, args) : null
    if (parts === null) return outcome
    const { connection } = this.#options
    connection.exec('SAVEPOINT parts')
    const outcomes = parts.map((part) => this.#runAlone(run, part))
    const full = outcomes.find((each) => 'error' in each && isFull(each.error))
    // All are tried again from the reserve, so none may have been carried out.
    if (full !== undefined) {
      connection.exec('ROLLBACK TO parts')
      this.#options.db.forget()
    }
    connection.exec('RELEASE parts')
    return full ?? { answer: joinParts(outcomes) }
  }

  #runAlone(run: RunWrite, args: unknown): CallOutcome {
    const { connection, db, file } = this.#options
    connection.exec('SAVEPOINT kind')
    try {
      const [answer] = run(db, [args])
      connection.exec('RELEASE kind')
      return { answer }
    } catch (error) {
      if (!connection.isTransaction) throw storeError(error, file)
      this.#undoKind()
      return error instanceof Undo ? { answer: error.answer } : { error: this.#refusal(error, file) }
    }
  }

  #refusal(error: unknown, file: string): MillraceError {
    const refusal = storeError(error, file)
    if (refusal.code === 'store-damaged') this.#damage ??= refusal
    return refusal
  }

  #undoKind(): void {
    const { connection, db } = this.#options
    connection.exec('ROLLBACK TO kind')
    connection.exec('RELEASE kind')
    db.forget()
  }
}

function refuseAll(calls: readonly WriteCall[], error: MillraceError): readonly CallOutcome[] {
  return calls.map(() => ({ error }))
}
