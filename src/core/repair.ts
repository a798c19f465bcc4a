/**
 * What can be put right of a job that is in an impossible state, without losing anything and without a choice to make. Everything else is a
 * person's: force-fail, force-reset, or leave it. Where the state moves, that is the command `repair` of the state machine.
 */
import type { EventName } from './events.ts'
import type { JobRow } from './job-row.ts'
import { isFinal, JOB_STATES, mayMove } from './states.ts'
import { validateJob } from './validation.ts'
import type { IssueCode, ValidatedJob } from './validation.ts'

export interface JobRepair {
  /** As it should be. */
  readonly row: JobRow
  /** To be told, with the sequence number that the row has; null: the state did not change. */
  readonly event: Extract<EventName, 'job:queued' | 'job:cancelled'> | null
  /** The attempt that nobody runs any more has ended, as that of a dead worker does. */
  readonly endsAttempt: boolean
  readonly fixed: readonly IssueCode[]
}

/** Whoever nobody is known to be. */
const SYSTEM = 'system'

/** Null: there is nothing that can be repaired. */
export function repairJob(job: ValidatedJob, now: number): JobRepair | null {
  const before = validateJob(job)
  if (!before.some(({ repairable }) => repairable) || !JOB_STATES.includes(job.state)) return null
  const { results: _results, events: _events, unknown: _unknown, missing: _missing, ...stored } = job
  const row: JobRow = { ...stored }
  for (const step of STEPS) Object.assign(row, step(row, now))
  const isMoved = row.state !== job.state
  if (isMoved) Object.assign(row, { eventSeq: row.eventSeq + 1 })
  const left = new Set(validateJob(row).map(({ code }) => code))
  const fixed = before.filter(({ code, repairable }) => repairable && !left.has(code)).map(({ code }) => code)
  return {
    row,
    event: isMoved ? eventOf(row) : null,
    endsAttempt: job.state === 'running' && isMoved,
    fixed,
  }
}

function eventOf({ state }: JobRow): NonNullable<JobRepair['event']> {
  return state === 'cancelled' ? 'job:cancelled' : 'job:queued'
}

type Step = (row: JobRow, now: number) => Partial<JobRow>

/** In this order: who holds it, whether it is to end, when it ended. */
const STEPS: readonly Step[] = [
  ({ progress }) => (progress >= 0 && progress <= 100 ? {} : { progress: progress > 100 ? 100 : 0 }),
  ({ state, holder, fence }) =>
    state === 'running' && holder === null ? { state: 'queued', deadlineAt: null, fence: fence + 1 } : {},
  // Whoever believes to hold it does not any more.
  ({ state, holder, fence }) => (state !== 'running' && holder !== null ? { holder: null, fence: fence + 1 } : {}),
  ({ state, deadlineAt }) => (state !== 'running' && deadlineAt !== null ? { deadlineAt: null } : {}),
  completeCancel,
  (row, now) => {
    const { state, cancelRequestedAt } = row
    if (cancelRequestedAt === null || state === 'running') return {}
    if (state === 'failed') return { cancelRequestedAt: null, cancelledBy: null, cancelReason: null }
    // A cancel is never lost: it was asked for, and nobody runs the job.
    return mayMove('repair', state, 'cancelled') ? { state: 'cancelled', finishedAt: now } : {}
  },
  ({ state, finishedAt }, now) => (isFinal(state) && finishedAt === null ? { finishedAt: now } : {}),
  ({ state, finishedAt }) => (!isFinal(state) && finishedAt !== null ? { finishedAt: null } : {}),
  ({ state, cancelRequestedAt, cancelledBy, finishedAt }) =>
    state === 'cancelled' && cancelRequestedAt === null
      ? { cancelRequestedAt: finishedAt, cancelledBy: cancelledBy ?? SYSTEM }
      : {},
  ({ state, progress }) => (state === 'completed' && progress < 100 ? { progress: 100 } : {}),
]

/** When, by whom and why belong together. */
function completeCancel({ state, cancelRequestedAt, cancelledBy }: JobRow): Partial<JobRow> {
  if (cancelRequestedAt !== null) return { cancelledBy: cancelledBy ?? SYSTEM }
  if (state === 'cancelled') return {}
  return { cancelledBy: null, cancelReason: null }
}
