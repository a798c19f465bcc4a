/**
 * Events that are told by lists, for many jobs at once. Most jobs live alike: they are created, started, and completed at the first attempt,
 * with nothing more to tell of it. A store may keep one list of jobs for what a transaction does to many of them, and note on each job's row in
 * which lists it stands, which takes a small part of what a row for each event takes. Every other event has a row of its own.
 */
export interface ListedEvent {
  /** Of the job's row: where the list is. */
  readonly column: 'created_in' | 'started_in' | 'completed_in'
  /** Which of the job's events it must be. A job for which it is another one has a row for it. */
  readonly seq: number
  readonly attempt: number
}

export const CREATED: ListedEvent = { column: 'created_in', seq: 1, attempt: 0 }
export const STARTED: ListedEvent = { column: 'started_in', seq: 2, attempt: 1 }
export const COMPLETED: ListedEvent = { column: 'completed_in', seq: 3, attempt: 1 }

/** Whatever ends a claim from outside raises the fence, and so does the next claim: only a job that was taken once, and not since, has this one. */
export const FIRST_FENCE = 1
