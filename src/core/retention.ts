/**
 * How long jobs that are over are kept. A store has one rule for each final state, a type may have its own, and each part that a type does not
 * name is the store's. A job that is deleted is gone whole; its `job:deleted` event alone stays for a while.
 */
import type { FinalState } from './states.ts'

/** Each bound is `null` where there is none. */
export interface RetentionRule {
  /** Milliseconds since the job ended. */
  readonly ageMs: number | null
  /** How many of a type are kept: those that ended last. */
  readonly count: number | null
}

export type Retention = Readonly<Record<FinalState, RetentionRule>>

/** What a type says for itself. */
export type TypeRetention = Readonly<Partial<Record<FinalState, Partial<RetentionRule>>>>

const DAY_MS = 86_400_000
const COMPLETED_DAYS = 7
const OTHERS_DAYS = 30

export const DEFAULT_RETENTION: Retention = {
  completed: { ageMs: COMPLETED_DAYS * DAY_MS, count: null },
  failed: { ageMs: OTHERS_DAYS * DAY_MS, count: null },
  cancelled: { ageMs: OTHERS_DAYS * DAY_MS, count: null },
}

/** The rule that counts for jobs of a type in one state. */
export function retentionRule(own: TypeRetention | undefined, store: Retention, state: FinalState): RetentionRule {
  return { ...store[state], ...own?.[state] }
}

/** Jobs that ended by then have been kept for as long as the rule says; null: none ever has. */
export function latestExpiredEnd({ ageMs }: RetentionRule, now: number): number | null {
  return ageMs === null ? null : now - ageMs
}

/** So many go in one transaction, which claims may have to wait for. */
const BATCH_JOBS = 500
const BATCH_EVENTS = 5_000

/** In transactions that take about as long whether jobs have told little or much. */
export function purgeBatches<Job extends { readonly eventSeq: number }>(
  jobs: readonly Job[],
): readonly (readonly Job[])[] {
  const batches: Job[][] = []
  let batch: Job[] = []
  let events = Number.POSITIVE_INFINITY
  for (const job of jobs) {
    if (batch.length >= BATCH_JOBS || events + job.eventSeq > BATCH_EVENTS) {
      batches.push((batch = []))
      events = 0
    }
    batch.push(job)
    events += job.eventSeq
  }
  return batches
}
