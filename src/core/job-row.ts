import type { JobState } from './states.ts'

/** Who runs a job: the random key of a session (or of a lock taken by hand) and the fence at which it took the job. Every write names it. */
export interface Claim {
  readonly jobId: string
  readonly holder: number
  readonly fence: number
  /** Where the store keeps the job: a number that is never another job's, and spares the store a look-up. Only a store gives it. */
  readonly row?: number
  /** Where its row lay when it was taken: it may lie elsewhere by now, and another job's there. Only a store gives it. */
  readonly ctid?: string
}

/**
 * A job as the rules see it: the part of the stored row that plans read and change. Instants are epoch milliseconds by the store's clock,
 * `null` where the thing has not happened.
 */
export interface JobRow {
  readonly id: string
  readonly tenant: string
  readonly owner: string | null
  readonly state: JobState
  /** When it may start. Kept when it starts. */
  readonly runAt: number
  /** How often it was claimed, over its whole life. */
  readonly attempt: number
  /** Failed attempts of this generation: what `maxAttempts` bounds. */
  readonly failures: number
  /** Workers that died with this job as their suspect. */
  readonly strikes: number
  /** Was in flight when a worker died: one of a worker's suspects runs at a time, so that the guilty one can be told. */
  readonly suspect: boolean
  /** Grows with every claim and with every act that ends one from outside; it never falls. */
  readonly fence: number
  /** One life up to a final state. A retry begins the next. */
  readonly generation: number
  /** The key of whoever runs it; null unless running. */
  readonly holder: number | null
  /** Index of the first phase that is not done. */
  readonly phase: number
  readonly phaseCount: number
  readonly phaseStartedAt: number | null
  /** 0 to 100. */
  readonly progress: number
  readonly createdAt: number
  /** When the latest attempt began. */
  readonly startedAt: number | null
  readonly finishedAt: number | null
  /** When the running attempt will have taken too long; null: never, or not running. */
  readonly deadlineAt: number | null
  readonly cancelRequestedAt: number | null
  readonly cancelledBy: string | null
  readonly cancelReason: string | null
  /** Held by at most one unfinished job of a type in a tenant; null: none. */
  readonly uniqueKey: string | null
  /** Sequence number of the job's latest event: events count from 1 without a gap. */
  readonly eventSeq: number
}
