/**
 * The port: what Millrace needs of a database, one small interface per aggregate. Ours to change: users choose a store, they don't write
 * one. Every promise resolves after the commit that it speaks of. Times are the store's own: callers send durations.
 */
import type { ArtifactStore } from './artifacts.ts'
import type { AuditStore } from './audit.ts'
import type { CleanupTurnStore } from './cleanup-turns.ts'
import type { ClaimStore } from './claims.ts'
import type { EventStore } from './events.ts'
import type { IntegrityStore } from './integrity.ts'
import type { JobTypeStore } from './job-types.ts'
import type { JobStore, NewJob } from './jobs.ts'
import type { QueueStore } from './queues.ts'
import type { RetentionStore } from './retention.ts'
import type { SessionStore } from './sessions.ts'
import type { StoreTransactions } from './transactions.ts'

export interface Store {
  readonly jobs: JobStore
  readonly claims: ClaimStore
  readonly sessions: SessionStore
  readonly jobTypes: JobTypeStore
  readonly queues: QueueStore
  readonly events: EventStore
  readonly artifacts: ArtifactStore
  readonly audit: AuditStore
  readonly retention: RetentionStore
  readonly cleanupTurns: CleanupTurnStore
  readonly integrity: IntegrityStore
  readonly transactions: StoreTransactions
  /** The store's present time, epoch milliseconds. */
  now(): Promise<number>
  /** Calls back soon after anything was committed, by this process or another; many commits may share one call. Returns the way out. */
  onChange(listener: () => void): () => void
  /**
   * Calls back when jobs are about to be added through this store: in the middle of the call, before they are committed, so that a claim
   * that is made at once may share their commit. Returns the way out.
   */
  onEnqueue(listener: (jobs: readonly NewJob[]) => void): () => void
  /** What the store is, for people: `sqlite:./jobs.db (SQLite 3.53.0, WAL, synchronous FULL)`. */
  readonly description: string
  /**
   * No more calls are taken; resolves when those under way have come to an end and nothing is left that would keep the process alive.
   *
   * @param cut when it fires, nothing is waited for any more: what has no answer is refused or left open, and connections and threads are ended.
   *   Default: it never does
   */
  close(cut?: AbortSignal): Promise<void>
}
