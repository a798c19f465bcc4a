/**
 * Transactions on a pool of connections.
 *
 * A connection may break at any moment, also between a COMMIT and its answer. So a transaction learns its number when it begins, and where
 * the answer is lost the server is asked what became of it: what was committed is not made again, and what was not is. One that is still in
 * progress (the server has not noticed that we are gone) is waited for. Nothing is guessed (see `lost-commit.ts`).
 *
 * On a pool of its own the settings are made once for each connection. On one of the application's, or through a pooler, they are made for each
 * transaction, so that nothing is left behind.
 */
import { MillraceError } from '../core/errors.ts'
import { pause } from '../runtime/pause.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { commit, listsOf, rowsOf, send } from './driver.ts'
import type { PgPool, PgValue, PooledClient, Row, RunRows } from './driver.ts'
import { writeSettings } from './write-settings.ts'
import type { WriteSettings } from './write-settings.ts'
import { isConnectionLost, isTransient, storeError, unanswered, violatedIndex } from './failures.ts'
import { inSchema } from './location.ts'
import { Loans } from './loans.ts'
import { hasLeftEvents } from './lost-commit.ts'
import type { LostCommit } from './lost-commit.ts'

export interface DatabaseOptions extends WriteSettings {
  /** For what is written, and what is read on the way; `readPool` for what is only read. */
  readonly pool: PgPool
  readonly readPool: PgPool
  /** Whether each transaction makes its settings for itself, since the connections are the application's or a pooler's. */
  readonly settings: 'connection' | 'transaction'
  readonly schema: string
  /** For messages: never with a password. */
  readonly where: string
  readonly runtime: Runtime
  /** A virtual clock; null: the database's. */
  readonly clock: (() => number) | null
  readonly prepared: boolean
  /** How long a call waits for the database to come back. */
  readonly patienceMs: number
}

export interface WriteOptions {
  /** Where the answer to the COMMIT was lost, waits for the database as long as it takes to tell, for those to whom not knowing would do harm. */
  readonly insists?: boolean
  /** How long it waits for a row that somebody else has locked. Default: half the time that a statement has. */
  readonly lockedWithinMs?: number
  /** It only prepares what is read, so nothing else comes with it. */
  readonly forRead?: boolean
  /** Where its connection is borrowed. Default: where those of all writes are. */
  readonly pool?: PgPool | undefined
  /** The answer to the COMMIT was lost, and the database is going to be asked. */
  readonly whenLost?: () => void
}

export type Statement = { readonly sql: string; readonly values: readonly PgValue[] }

/** A transaction that has begun, and what is to be done in it. */
interface Begun<T> {
  readonly tx: Transaction
  /** Its number. */
  readonly xid: string
  readonly work: (tx: Transaction) => Promise<T>
}

export interface UnlessMade {
  /** What came of it where its answer was lost; null: nothing. */
  readonly again: () => Promise<readonly Row[] | null>
  /** What is sent right behind the statement, asked for at each try; nobody waits for its answer. */
  readonly behind: () => Statement | null
  /** It was tried before, in another way. */
  readonly mayBeMade: boolean
}

export type Lists = readonly (readonly unknown[])[]

/** One transaction under way. */
export interface Transaction {
  /** Epoch milliseconds, by the database's clock when it began. */
  readonly now: number
  readonly rows: RunRows
  readonly lists: (sql: string, ...values: readonly PgValue[]) => Promise<Lists>
}

/** The database's present time. `$1` is null unless a test moves the clock. */
export const NOW = 'coalesce($1::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)'

/** The time of the transaction that a statement is part of; `$1` is the same as for `NOW`. */
export const TRANSACTION_NOW = 'coalesce($1::bigint, floor(extract(epoch FROM transaction_timestamp()) * 1000)::bigint)'

const BEGIN_READ = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'
const BEGIN_COUNT = `${BEGIN_READ}; SET LOCAL enable_seqscan = on`
const BEGUN = `SELECT pg_current_xact_id()::text AS xid, ${TRANSACTION_NOW} AS now`
export const NOW_ALONE = `SELECT ${NOW} AS now`

const LEAST_WAIT_MS = 20
const MOST_WAIT_MS = 500
/** A transaction that others keep in its way gives up after so many tries. */
const TRANSIENT_TRIES = 20

export class Database {
  readonly #options: DatabaseOptions
  readonly #texts = new Map<string, string>()
  readonly #beginWrite: string
  /** What was sent behind the last statement on a connection, and has no answer yet. */
  readonly #followed = new WeakMap<PooledClient, Promise<unknown>>()
  #closed = false
  readonly #loans = new Loans()
  /** Before each write while a test moves the clock: beats. */
  onBegin: (() => Promise<void>) | null = null

  constructor(options: DatabaseOptions) {
    this.#options = options
    const settings = options.settings === 'transaction' ? writeSettings(options) : []
    this.#beginWrite = ['BEGIN ISOLATION LEVEL READ COMMITTED', ...settings.map((one) => `SET LOCAL ${one}`)].join('; ')
  }

  get where(): string {
    return this.#options.where
  }

  get schema(): string {
    return this.#options.schema
  }

  /** The virtual clock's time, for statements that read the clock themselves; null: the database's own. */
  get virtualNow(): number | null {
    return this.#options.clock?.() ?? null
  }

  /** Nobody else uses its connections, and they are what they seem: no pooler hands them out. */
  get ownsConnections(): boolean {
    return this.#options.settings === 'connection'
  }

  /** Whether a statement that is committed by itself is as durable as it must be. */
  get mayAutocommit(): boolean {
    return (
      (this.#options.settings === 'connection' || this.#options.synchronousCommit === null) && this.onBegin === null
    )
  }

  /**
   * Runs `work` in a transaction and commits it. `work` may run more than once, each time in a new transaction after the one before has
   * come to nothing, so it must change nothing outside. Work that writes no event may be made again although it was committed.
   */
  async write<T>(work: (tx: Transaction) => Promise<T>, how: WriteOptions = {}): Promise<T> {
    return this.#write(async (client) => ({ ...(await this.#begin(client, how)), work }), how)
  }

  /**
   * The same where the first statement is known before the transaction has begun: it goes with its beginning, a trip to the server less.
   *
   * @param first its `$1` is the virtual clock's time or null, from which it makes `TRANSACTION_NOW`; its first row begins with the
   *   transaction's number, as text, and that time
   * @param work is given its rows, as lists of their columns
   */
  async writeFrom<T>(
    first: Statement,
    work: (tx: Transaction, lists: Lists) => Promise<T>,
    how: WriteOptions = {},
  ): Promise<T> {
    return this.#write(async (client) => {
      const begun = send(client, this.#beginning(how))
      const sent = listsOf(client, this.#text(first.sql), [this.virtualNow, ...first.values], this.#options)
      const [, lists] = await Promise.all([begun, sent])
      const [xid, now] = lists[0] ?? []
      const tx = this.#transaction(client, Number(now))
      return { tx, xid: String(xid), work: (begunTx) => work(begunTx, lists) }
    }, how)
  }

  async #write<T>(
    begin: (client: PooledClient) => Promise<Begun<T>>,
    { insists = false, forRead = false, pool, whenLost }: WriteOptions,
  ): Promise<T> {
    if (!forRead) await this.onBegin?.()
    let asked: { readonly answer: T; readonly commit: LostCommit } | null = null
    const attempt = async (client: PooledClient, tried: number): Promise<T | typeof RETRY> => {
      asked = null
      try {
        const { tx, xid, work } = await begin(client)
        const answer = await work(tx)
        asked = { answer, commit: { xid, now: tx.now } }
        if (!(await commit(client)))
          throw new MillraceError('internal', 'a transaction that had failed was to be committed')
        return answer
      } catch (error) {
        if (isConnectionLost(error)) throw error
        await rollBack(client)
        if (!isTransient(error) || tried >= TRANSIENT_TRIES) throw error
        return RETRY
      }
    }
    return this.#insist(attempt, {
      pool,
      afterLoss: async () => {
        if (asked === null) return RETRY
        whenLost?.()
        return (await this.#wasCommitted(asked.commit, insists)) ? asked.answer : RETRY
      },
    })
  }

  #wasCommitted(lost: LostCommit, insists: boolean): Promise<boolean> {
    const { runtime } = this.#options
    return hasLeftEvents({ runtime, rows: this.rows, insists: () => insists && !this.#closed }, lost)
  }

  #beginning({ lockedWithinMs }: WriteOptions): string {
    const limit = lockedWithinMs === undefined ? '' : `; SET LOCAL lock_timeout = ${lockedWithinMs}`
    return `${this.#beginWrite}${limit}`
  }

  async #begin(client: PooledClient, how: WriteOptions): Promise<{ readonly tx: Transaction; readonly xid: string }> {
    const begun = send(client, this.#beginning(how))
    const facts = this.#rows(client, BEGUN, [this.virtualNow])
    const [, [row]] = await Promise.all([begun, facts])
    return { tx: this.#transaction(client, Number(row?.['now'])), xid: String(row?.['xid']) }
  }

  #transaction(client: PooledClient, now: number): Transaction {
    return {
      now,
      rows: (sql, ...values) => this.#rows(client, sql, values),
      lists: (sql, ...values) => listsOf(client, this.#text(sql), values, this.#options),
    }
  }

  #rows(client: PooledClient, sql: string, values: readonly PgValue[]): Promise<readonly Row[]> {
    return rowsOf(client, this.#text(sql), values, this.#options)
  }

  #text(sql: string): string {
    const known = this.#texts.get(sql)
    if (known !== undefined) return known
    const text = inSchema(sql, this.#options.schema)
    this.#texts.set(sql, text)
    return text
  }

  /**
   * All that `work` reads is of one moment.
   *
   * @param how `counts`: it goes through many rows, and may read a table from end to end
   */
  async read<T>(
    work: (tx: Transaction) => Promise<T>,
    { counts = false }: { readonly counts?: boolean } = {},
  ): Promise<T> {
    return this.#insist(
      async (client) => {
        try {
          const begun = send(client, counts ? BEGIN_COUNT : BEGIN_READ)
          const [, [row]] = await Promise.all([begun, this.#rows(client, NOW_ALONE, [this.virtualNow])])
          const answer = await work(this.#transaction(client, Number(row?.['now'])))
          await commit(client)
          return answer
        } catch (error) {
          if (!isConnectionLost(error)) await rollBack(client)
          throw error
        }
      },
      { pool: this.#options.readPool },
    )
  }

  /** One statement that only reads. */
  readonly ask: RunRows = (sql, ...values) =>
    this.#insist((client) => this.#rows(client, sql, values), { pool: this.#options.readPool })

  /** One statement, committed by itself. It may be made more than once, so it must come to the same. */
  readonly rows: RunRows = (sql, ...values) => this.#insist((client) => this.#rows(client, sql, values))

  /** Statements whose text is made up as they go, several to a text, in one transaction with plain settings: for migrations. */
  async script<T>(work: (run: RunRows, script: (sql: string) => Promise<unknown>) => Promise<T>): Promise<T> {
    return this.#insist(async (client) => {
      try {
        await send(client, 'BEGIN')
        const answer = await work(
          (sql, ...values) => rowsOf(client, this.#text(sql), values, { prepared: false }),
          (sql) => send(client, sql),
        )
        await commit(client)
        return answer
      } catch (error) {
        if (!isConnectionLost(error)) await rollBack(client)
        throw error
      }
    })
  }

  /** One statement that is not to be made twice. */
  async rowsUnlessMade({ sql, values }: Statement, { again, behind, mayBeMade }: UnlessMade): Promise<readonly Row[]> {
    return this.#insist(async (client, tried) => {
      try {
        const rows = this.#rows(client, sql, values)
        const follower = behind()
        if (follower !== null) this.#follow(client, follower)
        return await rows
      } catch (error) {
        const isFirst = tried === 0 && !mayBeMade
        const made = isFirst || violatedIndex(error) === null ? null : await again()
        if (made === null) throw error
        return made
      }
    })
  }

  /** The connection is not given back before it has been answered. */
  #follow(client: PooledClient, { sql, values }: Statement): void {
    this.#followed.set(
      client,
      this.#rows(client, sql, values).catch(() => undefined),
    )
  }

  /** Once a call has waited for the database as long as it may. */
  outOfPatience(callback: (error: MillraceError) => void): Timer {
    const { runtime, patienceMs } = this.#options
    return runtime.after(patienceMs, () => callback(unanswered(this.where)), { idle: true })
  }

  /** Tries again for as long as the database can't be reached, within the patience. */
  async #insist<T>(
    work: (client: PooledClient, tried: number) => Promise<T | typeof RETRY>,
    { pool = this.#options.pool, afterLoss }: InsistOptions<T> = {},
  ): Promise<T> {
    const { runtime, patienceMs, where } = this.#options
    const begunAt = runtime.monotonic()
    for (let tried = 0; ; tried += 1) {
      try {
        const answer = await this.#withClient(pool, (client) => work(client, tried))
        if (answer !== RETRY) return answer
      } catch (error) {
        const settled = isConnectionLost(error) ? await afterLoss?.() : undefined
        if (settled !== undefined && settled !== RETRY) return settled
        const isLast = this.#closed || runtime.monotonic() - begunAt >= patienceMs
        if (!isConnectionLost(error) || isLast) throw storeError(error, where)
      }
      const waitMs = Math.min(MOST_WAIT_MS, LEAST_WAIT_MS * 2 ** Math.min(tried, 8))
      await pause(runtime, waitMs * (0.5 + runtime.random() / 2))
    }
  }

  async #withClient<T>(pool: PgPool, work: (client: PooledClient) => Promise<T>): Promise<T> {
    const client = await this.#loans.borrow(pool)
    let broken: Error | null = null
    // Without a listener an error on an idle socket would end the process.
    const onError = (error: Error): void => {
      broken = error
    }
    client.on('error', onError)
    try {
      return await work(client)
    } catch (error) {
      if (isConnectionLost(error)) broken ??= error as Error
      throw error
    } finally {
      const release = (): void => {
        client.removeListener('error', onError)
        this.#loans.giveBack(client, broken)
      }
      const followed = this.#followed.get(client)
      this.#followed.delete(client)
      if (followed === undefined) release()
      else void followed.then(release)
    }
  }

  /** No call waits for the database any more. */
  close(): void {
    this.#closed = true
  }

  /** Nor for an answer: the connections that are in use are given up. */
  cut(): void {
    this.#closed = true
    this.#loans.cut()
  }
}

const RETRY = Symbol('retry')

interface InsistOptions<T> {
  /** Default: the one for what is written. */
  readonly pool?: PgPool | undefined
  /**
   * What came of it where the connection was lost. It is asked when that has been given back: whoever asks takes another one, and there may be
   * no more than those that have been lost.
   */
  readonly afterLoss?: () => Promise<T | typeof RETRY>
}

async function rollBack(client: PooledClient): Promise<void> {
  try {
    await send(client, 'ROLLBACK')
  } catch {
    // The connection is broken, which whoever releases it finds out.
  }
}
