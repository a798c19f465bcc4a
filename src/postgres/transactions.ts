/** Jobs that come and go with a transaction of the application's own, in the same database. */
import { InvalidInputError, MillraceError } from '../core/errors.ts'
import type { Enqueued, NewJob } from '../store/jobs.ts'
import type { CallerConnection, PostgresConnection, StoreTransactions } from '../store/transactions.ts'
import type { Database } from './database.ts'
import { NOW } from './database.ts'
import type { PgValue, Row, RunRows } from './driver.ts'
import { StaleTypes, addInChunks, addKeyedJobs, asPlaced, created, isKeyed, placeJobs } from './enqueue.ts'
import type { PlacedJob } from './enqueue.ts'
import { storeError } from './failures.ts'
import { inSchema } from './location.ts'
import type { Names } from './names.ts'
import type { Notices } from './notices.ts'
import { alreadyInTransaction, endedByBody, notInTransaction, storeClosed } from '../store/refusals.ts'

export interface PostgresTransactionsParts {
  readonly db: Database
  readonly names: Names
  readonly notices: Notices
  /** Tells this store from another. */
  readonly storeId: string
  readonly onCommit: () => void
}

const SAVEPOINT = 'SAVEPOINT millrace'
const UNDO = 'ROLLBACK TO SAVEPOINT millrace'
const STORE_TABLE = 'SELECT to_regclass($1) IS NOT NULL AS there'
const STORE_ID = "SELECT content FROM millrace.meta WHERE name = 'store'"
const CLOCK = `SELECT ${NOW} AS now`

export class PostgresTransactions implements StoreTransactions {
  readonly #parts: PostgresTransactionsParts
  readonly #checked = new WeakSet<CallerConnection>()
  /** Those of one connection run one after the other: each begins when the one before has ended. */
  readonly #last = new WeakMap<CallerConnection, Promise<unknown>>()
  readonly #running = new Set<Promise<unknown>>()
  #closed = false

  constructor(parts: PostgresTransactionsParts) {
    this.#parts = parts
  }

  async enqueue(caller: CallerConnection, jobs: readonly NewJob[]): Promise<readonly Enqueued[]> {
    if (this.#closed && this.#running.size === 0) throw storeClosed()
    const { db, names, notices } = this.#parts
    const run = this.#adopt(caller)
    try {
      await begin(run)
      await this.#checkStore(caller, run)
      const [clock] = await run(CLOCK, db.virtualNow)
      const outcomes = await this.#add(run, Number(clock?.['now']), jobs)
      const undo = outcomes.some(({ outcome }) => outcome === 'key-reused')
      await run(undo ? UNDO : 'RELEASE SAVEPOINT millrace')
      // PostgreSQL delivers it when the transaction is committed, and not before.
      if (!undo) await run(notices.statement.sql, ...notices.statement.values)
      return outcomes
    } catch (error) {
      names.forgetTypes()
      if (!(error instanceof MillraceError)) await run(UNDO).catch(() => undefined)
      throw storeError(error, db.where)
    }
  }

  /**
   * A type that has changed since it was looked up is looked up again, by a connection of the store's own; then that is what counts. The
   * caller's transaction may see the database as it was before, however often one looks.
   */
  async #add(run: RunRows, now: number, jobs: readonly NewJob[]): Promise<readonly Enqueued[]> {
    const { names } = this.#parts
    try {
      return await addPlaced(run, now, await placeJobs(names, jobs))
    } catch (error) {
      if (!(error instanceof StaleTypes)) throw error
    }
    names.forgetTypes()
    await run(UNDO)
    return addPlaced(run, now, asPlaced(await placeJobs(names, jobs)))
  }

  async run<T>(caller: CallerConnection, body: () => T | Promise<T>): Promise<T> {
    if (this.#closed) throw storeClosed()
    const run = this.#adopt(caller)
    const running = (this.#last.get(caller) ?? Promise.resolve()).then(() => this.#run(run, body))
    this.#last.set(
      caller,
      running.catch(() => undefined),
    )
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  async #run<T>(run: RunRows, body: () => T | Promise<T>): Promise<T> {
    await refuseOpenTransaction(run)
    await run('BEGIN')
    let returned: T
    try {
      returned = await body()
    } catch (error) {
      await run('ROLLBACK').catch(() => undefined)
      throw error
    }
    await commitCaller(run, this.#parts.db.where)
    this.#parts.onCommit()
    return returned
  }

  /** Waits for the transactions that have been asked for; no more are begun. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running)
  }

  #adopt(caller: CallerConnection): RunRows {
    const { query } = caller as Partial<PostgresConnection>
    if (typeof query !== 'function') {
      throw new InvalidInputError({
        path: 'connection',
        expected: 'a connected client of "pg", or an object with query(text, values) that answers { rows }',
      })
    }
    const { schema } = this.#parts.db
    return async (sql: string, ...values: readonly PgValue[]): Promise<readonly Row[]> => {
      const { rows } = await query.call(caller, inSchema(sql, schema), values)
      return rows as readonly Row[]
    }
  }

  async #checkStore(caller: CallerConnection, run: RunRows): Promise<void> {
    if (this.#checked.has(caller)) return
    const { db, storeId } = this.#parts
    const [there] = await run(STORE_TABLE, `"${db.schema}".meta`)
    const [store] = there?.['there'] === true ? await run(STORE_ID) : []
    if (store?.['content'] !== storeId) {
      throw new MillraceError(
        'other-database',
        `The connection is open on another database than this Millrace, which is on ${db.where} (schema ${db.schema}). ` +
          'A job can only be committed together with rows of the same database.',
        { details: { store: db.where, schema: db.schema } },
      )
    }
    this.#checked.add(caller)
  }
}

async function addPlaced(run: RunRows, now: number, placed: readonly PlacedJob[]): Promise<readonly Enqueued[]> {
  if (placed.some(({ job }) => isKeyed(job))) return addKeyedJobs(run, now, placed)
  const added = await addInChunks(run, now, placed)
  if (!added.fresh) throw new StaleTypes()
  return placed.map(({ job }) => created(job, added))
}

/** The savepoint is what a refused enqueue goes back to, and there is none outside a transaction. */
async function begin(run: RunRows): Promise<void> {
  if (!(await setSavepoint(run))) throw notInTransaction()
}

async function refuseOpenTransaction(run: RunRows): Promise<void> {
  if (!(await setSavepoint(run))) return
  await run('RELEASE SAVEPOINT millrace')
  throw alreadyInTransaction()
}

async function commitCaller(run: RunRows, where: string): Promise<void> {
  try {
    if (!(await setSavepoint(run))) throw endedByBody()
    await run('COMMIT')
  } catch (error) {
    await run('ROLLBACK').catch(() => undefined)
    throw storeError(error, where)
  }
}

const NO_ACTIVE_TRANSACTION = '25P01'

/** False: no transaction is open, and so there is none. Only the connection itself knows. */
async function setSavepoint(run: RunRows): Promise<boolean> {
  try {
    await run(SAVEPOINT)
    return true
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === NO_ACTIVE_TRANSACTION) return false
    throw error
  }
}
