import type { Enqueued, NewJob } from './jobs.ts'

/** A connection of the application's own, to the same database. What it may be is the store's affair. */
export type CallerConnection = object

/**
 * A connection of the application's: a `pg` client that has begun a transaction, or anything with this one function, by which other drivers
 * and query builders are adapted in a few lines.
 */
export interface PostgresConnection {
  query(text: string, values: readonly unknown[]): Promise<{ readonly rows: readonly object[] }>
}

export interface StoreTransactions {
  /** Adds jobs through the caller's connection, inside the transaction that is open there: committed with it, gone with it. */
  enqueue(connection: CallerConnection, jobs: readonly NewJob[]): readonly Enqueued[] | Promise<readonly Enqueued[]>
  /** Runs `body` in a write transaction on the caller's connection, with the store's own writer out of the way. */
  run<T>(connection: CallerConnection, body: () => T | Promise<T>): Promise<T>
}
