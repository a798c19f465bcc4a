/** Jobs that come and go with a transaction of the application's own, in the same database file. */
import { realpathSync } from 'node:fs'
import { InvalidInputError, MillraceError } from '../core/errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Enqueued, NewJob } from '../store/jobs.ts'
import type { CallerConnection, StoreTransactions } from '../store/transactions.ts'
import { Database } from './database.ts'
import { isBusy, storeError } from './driver.ts'
import type { Connection, Statement } from './driver.ts'
import { enqueueJobs } from './enqueue.ts'
import type { Link } from './link.ts'
import { IN_MEMORY } from './location.ts'

export interface TransactionParts {
  readonly file: string
  readonly link: Link
  readonly clock: () => number
  readonly runtime: Runtime
  readonly onCommit: () => void
}

const RETRY_MS = 1
const GIVE_UP_MS = 30_000

export class SqliteTransactions implements StoreTransactions {
  readonly #parts: TransactionParts
  readonly #databases = new WeakMap<CallerConnection, Database>()
  /** Transactions run one after the other: each begins when the one before has ended. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: TransactionParts) {
    this.#parts = parts
  }

  enqueue(caller: CallerConnection, jobs: readonly NewJob[]): readonly Enqueued[] {
    const db = this.#databaseOf(caller)
    if (!db.connection.isTransaction) throw notInTransaction()
    // What an earlier transaction of the caller's added may have been rolled back.
    db.forget()
    db.beginUnit()
    db.connection.exec('SAVEPOINT millrace')
    try {
      const outcomes = enqueueJobs(db, jobs)
      if (outcomes.some(({ outcome }) => outcome === 'key-reused')) db.connection.exec('ROLLBACK TO millrace')
      db.connection.exec('RELEASE millrace')
      return outcomes
    } catch (error) {
      if (db.connection.isTransaction) db.connection.exec('ROLLBACK TO millrace; RELEASE millrace')
      throw storeError(error, this.#parts.file)
    }
  }

  run<T>(caller: CallerConnection, body: () => T | Promise<T>): Promise<T> {
    const { connection } = this.#databaseOf(caller)
    if (connection.isTransaction) {
      throw new MillraceError(
        'option-invalid',
        'The connection has a transaction open already. Enqueue into it with enqueueIn, or commit it first.',
      )
    }
    const turn = this.#last.then(() => this.#run(connection, body))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #run<T>(connection: Connection, body: () => T | Promise<T>): Promise<T> {
    const { link, onCommit } = this.#parts
    await link.pause()
    try {
      await this.#begin(connection)
      const returned = await body()
      connection.exec('COMMIT')
      onCommit()
      return returned
    } catch (error) {
      if (connection.isTransaction) connection.exec('ROLLBACK')
      throw error
    } finally {
      link.resume()
    }
  }

  /** Waits for the lock without blocking the thread it runs on. */
  async #begin(connection: Connection): Promise<void> {
    const { runtime, file } = this.#parts
    for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
      try {
        connection.exec('BEGIN IMMEDIATE')
        return
      } catch (error) {
        if (!isLocked(error) || waitedMs >= GIVE_UP_MS) throw storeError(error, file)
      }
      await new Promise<void>((resolve) => {
        runtime.after(RETRY_MS, resolve)
      })
    }
  }

  #databaseOf(caller: CallerConnection): Database {
    const known = this.#databases.get(caller)
    if (known !== undefined) return known
    const connection = adopt(caller)
    refuseOtherDatabase(connection, this.#parts.file)
    const db = new Database(connection, this.#parts.clock)
    this.#databases.set(caller, db)
    return db
  }
}

function notInTransaction(): MillraceError {
  return new MillraceError(
    'not-in-transaction',
    'The connection has no open transaction, so there is nothing to be committed with. Begin one, or use mill.transaction(connection, fn), or plain enqueue.',
  )
}

/** `node:sqlite` says it by code, better-sqlite3 by name. */
function isLocked(error: unknown): boolean {
  return isBusy(error) || (error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY'))
}

interface Foreign {
  readonly prepare: (sql: string) => Statement
  readonly exec: (sql: string) => void
  readonly isTransaction?: boolean
  readonly inTransaction?: boolean
}

/** A connection of `node:sqlite` or better-sqlite3 as the adapter asks for it. */
function adopt(caller: CallerConnection): Connection {
  const foreign = caller as Partial<Foreign>
  if (typeof foreign.prepare !== 'function' || typeof foreign.exec !== 'function') {
    throw new InvalidInputError({
      path: 'connection',
      expected: 'an open connection of node:sqlite (DatabaseSync) or better-sqlite3',
    })
  }
  const { prepare, exec } = foreign
  return {
    prepare: (sql) => prepare.call(caller, sql),
    exec: (sql) => exec.call(caller, sql),
    get isTransaction() {
      return (foreign.isTransaction ?? foreign.inTransaction) === true
    },
  }
}

function refuseOtherDatabase(connection: Connection, file: string): void {
  const main = connection.prepare("SELECT file FROM pragma_database_list WHERE name = 'main'").get()?.['file']
  const same =
    file !== IN_MEMORY && typeof main === 'string' && main !== '' && realpathSync(main) === realpathSync(file)
  if (same) return
  throw new MillraceError(
    'other-database',
    `The connection is open on ${typeof main === 'string' && main !== '' ? main : 'a database in memory'}, and this Millrace on ${file}. ` +
      'A job can only be committed together with rows of the same database file.',
    { details: { file } },
  )
}
