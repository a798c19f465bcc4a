/** Columns of a job's row as the rules see them. */
import type { JobRow } from '../core/job-row.ts'
import type { Scoped } from '../core/scope.ts'
import { stateOf } from './codes.ts'

export type Columns = Readonly<Record<string, unknown>>

export function nullableNumber(column: unknown): number | null {
  return column === null || column === undefined ? null : Number(column)
}

export function nullableText(column: unknown): string | null {
  return typeof column === 'string' ? column : null
}

/** From the columns of a job's row; `id` and `suspect` are kept by each database in a way of its own. */
export function jobRowOf(row: Columns, own: Pick<JobRow, 'id' | 'suspect'>): JobRow {
  return {
    ...own,
    tenant: String(row['tenant']),
    owner: nullableText(row['owner']),
    state: stateOf(row['state']),
    runAt: Number(row['run_at']),
    attempt: Number(row['attempt']),
    failures: Number(row['failures']),
    strikes: Number(row['strikes']),
    fence: Number(row['fence']),
    generation: Number(row['generation']),
    holder: nullableNumber(row['holder']),
    phase: Number(row['phase']),
    phaseCount: Number(row['phase_count']),
    phaseStartedAt: nullableNumber(row['phase_started_at']),
    progress: Number(row['progress']),
    createdAt: Number(row['created_at']),
    startedAt: nullableNumber(row['started_at']),
    finishedAt: nullableNumber(row['finished_at']),
    deadlineAt: nullableNumber(row['deadline_at']),
    cancelRequestedAt: nullableNumber(row['cancel_requested_at']),
    cancelledBy: nullableText(row['cancelled_by']),
    cancelReason: nullableText(row['cancel_reason']),
    uniqueKey: nullableText(row['unique_key']),
    eventSeq: Number(row['event_seq']),
  }
}

/** Whose a job is. */
export function scopedRow(row: Columns): Scoped {
  return { tenant: String(row['tenant']), owner: nullableText(row['owner']) }
}
