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
