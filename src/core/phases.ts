/**
 * Phases. A job stores its list of phase names, the index of the first one that is not done, and a row for each that is. Every other state
 * of a phase follows from these and the job's state, so it can't disagree with them.
 */
import type { JobState } from './states.ts'

export type PhaseState = 'pending' | 'running' | 'done' | 'failed' | 'cancelled'

/** The name of the one phase of a job that declares none. */
export const ONLY_PHASE = 'run'

export interface PhaseFacts {
  readonly jobState: JobState
  /** Index of the first phase not done. */
  readonly phase: number
  readonly index: number
}

/** The state of the phase at `index`. However a cancellation came, every phase that is not done is cancelled; after a failure, later ones stay pending. */
export function phaseState({ jobState, phase, index }: PhaseFacts): PhaseState {
  if (index < phase) return 'done'
  if (jobState === 'cancelled') return 'cancelled'
  if (index > phase) return 'pending'
  if (jobState === 'running') return 'running'
  return jobState === 'failed' ? 'failed' : 'pending'
}

export type PhaseAlignment =
  | { readonly outcome: 'same' }
  /** The job's list becomes `names`; it goes on at `phase`. */
  | { readonly outcome: 'adopt'; readonly names: readonly string[]; readonly phase: number }
  /** `phase` is new and stands before one that is done. */
  | { readonly outcome: 'changed'; readonly phase: string }

/**
 * A job was made with one list of phases, and the handler that works on it now declares another. Done phases are matched by name: those
 * the handler does not know are kept and passed over, new ones run in the handler's order, and a new one before a done one can't be.
 */
export function alignPhases(
  jobPhases: readonly string[],
  done: number,
  handlerPhases: readonly string[],
): PhaseAlignment {
  if (sameNames(jobPhases, handlerPhases)) return { outcome: 'same' }
  const doneNames = jobPhases.slice(0, done)
  const remaining = handlerPhases.filter((name) => !doneNames.includes(name))
  const lastDone = handlerPhases.findLastIndex((name) => doneNames.includes(name))
  const tooEarly = remaining.find((name) => handlerPhases.indexOf(name) < lastDone)
  if (tooEarly !== undefined) return { outcome: 'changed', phase: tooEarly }
  const names = [...doneNames, ...remaining]
  return sameNames(names, jobPhases) ? { outcome: 'same' } : { outcome: 'adopt', names, phase: done }
}

function sameNames(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false
  // Asked for each job, so it makes no function.
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false
  return true
}

export interface RetryChoice {
  readonly names: readonly string[]
  /** Index of the first phase not done. */
  readonly phase: number
  readonly state: JobState
  readonly fromStart: boolean
  readonly from: string | null
}

/**
 * Where a retry begins: at the first phase not done, which may be none but the completion; at the start, if asked or if the job completed;
 * or at a named phase that has been reached.
 * `null`: the job has no such phase, or phases before it are not done.
 */
export function retryPhase({ names, phase, state, fromStart, from }: RetryChoice): number | null {
  if (fromStart) return 0
  if (from === null) return state === 'completed' ? 0 : phase
  const index = names.indexOf(from)
  return index === -1 || index > phase ? null : index
}
