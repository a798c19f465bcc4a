import type { JobRow } from '../../src/core/job-row.ts'
import type { JobState } from '../../src/core/states.ts'

/** Present time of these rows. */
export const NOW = 5_000

/** A sound job of two phases, of ann at acme, that was just queued; with changes. */
export function jobRow(changes: Partial<JobRow> = {}): JobRow {
  return {
    id: 'job-1',
    tenant: 'acme',
    owner: 'ann',
    state: 'queued',
    runAt: 1_000,
    attempt: 0,
    failures: 0,
    strikes: 0,
    suspect: false,
    fence: 0,
    generation: 1,
    holder: null,
    phase: 0,
    phaseCount: 2,
    phaseStartedAt: null,
    progress: 0,
    createdAt: 1_000,
    startedAt: null,
    finishedAt: null,
    deadlineAt: null,
    cancelRequestedAt: null,
    cancelledBy: null,
    cancelReason: null,
    uniqueKey: null,
    eventSeq: 1,
    ...changes,
  }
}

const STARTED: Partial<JobRow> = { attempt: 1, fence: 1, startedAt: 2_000, phaseStartedAt: 2_000, eventSeq: 2 }
const OVER: Partial<JobRow> = { ...STARTED, finishedAt: 4_000, eventSeq: 3 }
const CANCEL: Partial<JobRow> = { cancelRequestedAt: 3_000, cancelledBy: 'ann', cancelReason: 'wrong region' }

const ROWS: Readonly<Record<JobState, Partial<JobRow>>> = {
  scheduled: { runAt: 9_000 },
  queued: {},
  running: { ...STARTED, holder: 7, deadlineAt: 6_000 },
  retrying: { ...STARTED, failures: 1, runAt: 9_000, eventSeq: 3 },
  completed: { ...OVER, phase: 2, progress: 100 },
  failed: { ...OVER, failures: 1 },
  cancelled: { ...OVER, ...CANCEL },
}

/** A sound job in the state; with changes. */
export function rowIn(state: JobState, changes: Partial<JobRow> = {}): JobRow {
  return jobRow({ state, ...ROWS[state], ...changes })
}

/** The same with a cancel pending. */
export function stopping(changes: Partial<JobRow> = {}): JobRow {
  return rowIn('running', { ...CANCEL, ...changes })
}
