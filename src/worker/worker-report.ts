import type { JobState } from '../core/states.ts'

/** What became of the jobs that a worker took. */
export interface WorkerReport {
  /** Jobs taken. */
  readonly claimed: number
  readonly completed: number
  /** Failed, and tried again later. */
  readonly retrying: number
  readonly failed: number
  readonly cancelled: number
  /** Given back unfinished. */
  readonly released: number
  /** Ended by somebody else, or the store could not be told. */
  readonly lost: number
}

export type WorkerTally = { -readonly [Count in keyof WorkerReport]: number }

export function emptyTally(): WorkerTally {
  return { claimed: 0, completed: 0, retrying: 0, failed: 0, cancelled: 0, released: 0, lost: 0 }
}

/** Where a job counts whose attempt has ended in that state. */
export function countOf(state: JobState): keyof WorkerReport {
  switch (state) {
    case 'completed':
    case 'retrying':
    case 'failed':
    case 'cancelled':
      return state
    case 'scheduled':
    case 'queued':
    case 'running':
      return 'released'
  }
}
