/**
 * Deleting what is over. Which jobs may go is decided above, by rules; a store finds those that are over, and deletes those it is told of. As a
 * sweep does, it works above all scopes.
 */
import type { FinalState } from '../core/states.ts'

/** A job that is over. */
export interface FinishedJob {
  readonly id: string
  readonly finishedAt: number
  /** How many events it has told. */
  readonly eventSeq: number
}

export interface FinishedQuery {
  readonly type: string
  readonly state: FinalState
  /** In the order in which they ended or in that in which they were made, as suits the store. */
  readonly from: 'oldest' | 'newest'
  /** Those that ended by then, and perhaps some later ones; null: all. From the oldest only. */
  readonly until: number | null
  readonly limit: number
  /** The `next` of an earlier page; null: from the beginning. */
  readonly after: string | null
}

export interface FinishedPage {
  readonly jobs: readonly FinishedJob[]
  readonly next: string | null
}

export interface Purged {
  /** The jobs that were deleted. */
  readonly jobs: readonly string[]
  /** Files that nothing refers to any more, relative to the artifact folder. */
  readonly paths: readonly string[]
}

export interface SweepUp {
  readonly eventsMs: number
  readonly sessionsMs: number
  readonly limit: number
}

export interface SweptUp {
  readonly deletedEvents: number
  readonly sessions: number
  /** Artifacts whose time was over. */
  readonly artifacts: number
  /** Files of these artifacts. */
  readonly paths: readonly string[]
}

export interface RetentionStore {
  /** Changes nothing. */
  finished(query: FinishedQuery): Promise<FinishedPage>
  /**
   * Deletes those of the jobs that are still over and ended when they were seen to end, with all that belongs to them, in one transaction. Each
   * leaves one event, `job:deleted`. Idempotency keys are held on where their time is not over. Whoever else deletes at this moment is not
   * waited for: then none is deleted.
   */
  purge(jobs: readonly Pick<FinishedJob, 'id' | 'finishedAt'>[]): Promise<Purged>
  /**
   * Deletes up to `limit` of each: artifacts that have expired; `job:deleted` events of more than `eventsMs` ago; sessions that ended more
   * than `sessionsMs` ago, before the oldest job that is kept was made.
   */
  sweepUp(options: SweepUp): Promise<SweptUp>
  /** Those of the artifacts' ids that have a row, with its path. What is not there is an orphan. */
  artifactPaths(ids: readonly string[]): Promise<ReadonlyMap<string, string>>
}
