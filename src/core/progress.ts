import { InvalidInputError } from './errors.ts'

/** Progress told more often than this is written once. */
export const PROGRESS_WRITE_MS = 250
/** An event about progress is at least this long after the one before it. */
export const PROGRESS_EVENT_MS = 1_000

export interface ProgressStep {
  /** The progress of the attempt so far, percent. */
  readonly current: number
  /** The progress that was told now, percent. */
  readonly next: number
}

/**
 * The progress that holds after a new one was told: within an attempt it never falls, so a smaller one is ignored. The same one again is
 * accepted, as a sign of life.
 *
 * @throws InvalidInputError if `next` is not a number from 0 to 100
 */
export function acceptProgress({ current, next }: ProgressStep): number | 'ignored' {
  if (typeof next !== 'number' || !(next >= 0 && next <= 100)) {
    const received = typeof next === 'number' ? `${next}` : typeof next
    throw new InvalidInputError({ path: 'progress', expected: 'a number from 0 to 100', received })
  }
  return next < current ? 'ignored' : next
}

export interface ProgressMoment {
  /** When progress of this attempt was last written; absent: never. Epoch milliseconds, like all instants here. */
  readonly lastWriteAt?: number | undefined
  /** When an event last told the progress of this attempt; absent: never. */
  readonly lastEventAt?: number | undefined
  /** The percent that event told; absent: the 0 that every attempt begins with. */
  readonly lastEventPercent?: number | undefined
  readonly now: number
  /** The accepted progress, percent. */
  readonly percent: number
}

export interface ProgressDecision {
  /** Write the progress now. */
  readonly write: boolean
  /** Let the write carry an event; never without `write`. */
  readonly event: boolean
  /** How long until the progress may be written, if nothing newer comes; 0 if it may be written now. Milliseconds. */
  readonly dueInMs: number
}

/**
 * What to do with an accepted progress: it is written at most every 250 ms, and told by an event only when the whole percent is another
 * than in the last event and that event is at least a second old. A clock that was set back holds nothing up.
 */
export function progressDecision({
  lastWriteAt,
  lastEventAt,
  lastEventPercent = 0,
  now,
  percent,
}: ProgressMoment): ProgressDecision {
  const dueInMs = remainingMs(PROGRESS_WRITE_MS, lastWriteAt, now)
  const write = dueInMs === 0
  const told = Math.floor(percent) === Math.floor(lastEventPercent)
  return { write, event: write && !told && remainingMs(PROGRESS_EVENT_MS, lastEventAt, now) === 0, dueInMs }
}

function remainingMs(intervalMs: number, lastAt: number | undefined, now: number): number {
  if (lastAt === undefined || now < lastAt) return 0
  return Math.max(0, lastAt + intervalMs - now)
}

export interface PhaseProgress {
  /** How many phases are done, which is the place of the phase that runs: 0 is the first. */
  readonly phaseIndex: number
  readonly phaseCount: number
  /** The progress of the phase that runs, percent. */
  readonly phaseProgress: number
}

/** The progress of a job, percent, each of its phases counting alike. 100 when every phase is done. */
export function jobProgress({ phaseIndex, phaseCount, phaseProgress }: PhaseProgress): number {
  if (phaseIndex >= phaseCount) return 100
  return (phaseIndex * 100 + phaseProgress) / phaseCount
}
