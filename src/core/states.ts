/** The seven states of a job, and the one table of ways between them. Code, documentation, model checker and dashboard read this table. */

export const JOB_STATES = ['scheduled', 'queued', 'running', 'retrying', 'completed', 'failed', 'cancelled'] as const

export type JobState = (typeof JOB_STATES)[number]

/** A job in one of these moves no more, unless a person retries or resets it. */
export const FINAL_STATES = ['completed', 'failed', 'cancelled'] as const satisfies readonly JobState[]

export type FinalState = (typeof FINAL_STATES)[number]

export function isFinal(state: JobState): state is FinalState {
  return (FINAL_STATES as readonly JobState[]).includes(state)
}

/** Everything that can be done to a job. */
export type JobCommand =
  | 'enqueue'
  | 'promote'
  | 'claim'
  | 'checkpoint'
  | 'annotate'
  | 'complete'
  | 'fail'
  | 'release'
  | 'cancel'
  | 'end-of-grace'
  | 'reap'
  | 'time-out'
  | 'force-fail'
  | 'force-reset'
  | 'retry'
  | 'run-now'
  | 'repair'
  | 'purge'

interface Transition {
  readonly from: readonly JobState[]
  readonly to: readonly JobState[]
}

const WAITING: readonly JobState[] = ['scheduled', 'retrying']
/** A job in one of these is not over. */
export const UNFINISHED_STATES: readonly JobState[] = ['scheduled', 'queued', 'running', 'retrying']

/**
 * Which states a command may find a job in, and which it may leave it in. `enqueue` makes the job; `purge` removes it; a `repair` that leaves
 * the state as it is moves nothing.
 */
export const TRANSITIONS: Readonly<Record<JobCommand, Transition>> = {
  enqueue: { from: [], to: ['scheduled', 'queued'] },
  promote: { from: WAITING, to: ['queued'] },
  claim: { from: ['queued'], to: ['running'] },
  checkpoint: { from: ['running'], to: ['running'] },
  annotate: { from: ['running'], to: ['running'] },
  complete: { from: ['running'], to: ['completed'] },
  fail: { from: ['running'], to: ['retrying', 'failed', 'cancelled'] },
  release: { from: ['running'], to: ['queued', 'cancelled'] },
  cancel: { from: UNFINISHED_STATES, to: ['running', 'cancelled'] },
  'end-of-grace': { from: ['running'], to: ['cancelled'] },
  reap: { from: ['running'], to: ['queued', 'failed', 'cancelled'] },
  'time-out': { from: ['running'], to: ['retrying', 'failed', 'cancelled'] },
  'force-fail': { from: UNFINISHED_STATES, to: ['failed'] },
  'force-reset': { from: [...UNFINISHED_STATES, 'failed', 'cancelled'], to: ['queued'] },
  retry: { from: FINAL_STATES, to: ['queued'] },
  'run-now': { from: WAITING, to: ['queued'] },
  repair: { from: UNFINISHED_STATES, to: ['queued', 'cancelled'] },
  purge: { from: FINAL_STATES, to: [] },
}

export function mayMove(command: JobCommand, from: JobState, to: JobState): boolean {
  const { from: sources, to: targets } = TRANSITIONS[command]
  return sources.includes(from) && targets.includes(to)
}
