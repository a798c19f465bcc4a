/** Jobs that come and go with a transaction of the application's own, in the same database file. */
import { realpathSync } from 'node:fs'
import { InvalidInputError, MillraceError } from '../core/errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Enqueued, NewJob } from '../store/jobs.ts'
import type { CallerConnection, StoreTransactions } from '../store/transactions.ts'
import { Database } from './database.ts'
import { isBusy, isStaleSnapshot, storeError } from './driver.ts'
import type { Connection, Statement } from './driver.ts'
import { enqueueJobs } from './enqueue.ts'
import type { Link } from './link.ts'
import { IN_MEMORY } from './location.ts'
import { LOCK_PATIENCE_MS, whenFree } from './locks.ts'
import { alreadyInTransaction, endedByBody, notInTransaction, storeClosed } from '../store/refusals.ts'

export interface TransactionParts {
  readonly file: string
  readonly link: Link
  readonly clock: () => number
  readonly runtime: Runtime
  readonly onCommit: () => void
}

const RETRY_MS = 1
/** How long a synchronous call may block its thread for the lock: a busy writer's commits take a few milliseconds. */
const PATIENCE_MS = 5_000

export class SqliteTransactions implements StoreTransactions {
  readonly #parts: TransactionParts
  readonly #databases = new WeakMap<CallerConnection, Database>()
  /** Transactions run one after the other: each begins when the one before has ended. */
  #last: Promise<unknown> = Promise.resolve()
  #running = false
  #closed = false

  constructor(parts: TransactionParts) {
    this.#parts = parts
  }

  enqueue(caller: CallerConnection, jobs: readonly NewJob[]): readonly Enqueued[] {
    if (this.#closed && !this.#running) throw storeClosed()
    const db = this.#databaseOf(caller)
    const { file } = this.#parts
    if (!db.connection.isTransaction) throw notInTransaction()
    try {
      takeWriteLock(db.connection, file)
      // What an earlier transaction of the caller's added may have been rolled back.
      db.forget()
      db.beginUnit()
      db.connection.exec('SAVEPOINT millrace')
    } catch (error) {
      throw storeError(error, file)
    }
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

  async run<T>(caller: CallerConnection, body: () => T | Promise<T>): Promise<T> {
    if (this.#closed) throw storeClosed()
    const { connection } = this.#databaseOf(caller)
    const turn = this.#last.then(() => this.#run(connection, body))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /** Waits for the transactions that have been asked for; no more are begun. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#last
  }

  async #run<T>(connection: Connection, body: () => T | Promise<T>): Promise<T> {
    const { link, onCommit } = this.#parts
    if (connection.isTransaction) throw alreadyInTransaction()
    await link.pause()
    this.#running = true
    try {
      await this.#begin(connection)
      const returned = await body()
      this.#commit(connection)
      onCommit()
      return returned
    } catch (error) {
      if (connection.isTransaction) connection.exec('ROLLBACK')
      throw error
    } finally {
      this.#running = false
      link.resume()
    }
  }

  #commit(connection: Connection): void {
    if (!connection.isTransaction) throw endedByBody()
    try {
      connection.exec('COMMIT')
    } catch (error) {
      throw storeError(error, this.#parts.file)
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
        if (!isBusy(error) || waitedMs >= LOCK_PATIENCE_MS) throw storeError(error, file)
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
    const db = new Database(connection, this.#parts.clock, false)
    this.#databases.set(caller, db)
    return db
  }
}

/** Writes nothing, but takes the lock that writing takes. A transaction of SQLite's begins without it, unless told otherwise. */
const TOUCH = 'UPDATE millrace_meta SET name = name WHERE FALSE'

function takeWriteLock(connection: Connection, file: string): void {
  try {
    whenFree(file, () => connection.exec(TOUCH), PATIENCE_MS)
  } catch (error) {
    if (!isStaleSnapshot(error)) throw error
    throw new MillraceError(
      'store-busy',
      'The transaction has read the database, and somebody else has written to it since, so it can never write. ' +
        'Begin it with BEGIN IMMEDIATE, or use mill.transaction(connection, fn), and try again.',
      { details: { file }, cause: error },
    )
  }
}

interface Foreign {
  readonly prepare: (sql: string) => ForeignStatement
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
    prepare: (sql) => plainRows(prepare.call(caller, sql)),
    exec: (sql) => exec.call(caller, sql),
    get isTransaction() {
      return (foreign.isTransaction ?? foreign.inTransaction) === true
    },
  }
}

interface ForeignStatement extends Statement {
  readonly setReturnArrays?: (enabled: boolean) => unknown
  readonly setReadBigInts?: (enabled: boolean) => unknown
  readonly safeIntegers?: (enabled: boolean) => unknown
}

/** Whatever the connection was told about its rows, ours come as objects with numbers. */
function plainRows(statement: ForeignStatement): Statement {
  statement.setReturnArrays?.(false)
  statement.setReadBigInts?.(false)
  statement.safeIntegers?.(false)
  return statement
}

function refuseOtherDatabase(connection: Connection, file: string): void {
  // As a statement: the table of the same name would begin to read, and a transaction that has read may come too late to write.
  const databases = connection.prepare('PRAGMA database_list').all()
  const main = databases.find(({ name }) => name === 'main')?.['file']
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
