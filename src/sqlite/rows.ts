/** Rows as the port's plain data. */
import type { JobRow } from '../core/job-row.ts'
import type { AppliedRow } from '../store/claims.ts'
import type { JobSummary } from '../store/jobs.ts'
import { stateOf } from '../store/codes.ts'
import { jobRowOf, nullableNumber, nullableText } from '../store/columns.ts'
import type { Database } from './database.ts'
import type { Row } from './driver.ts'
import { idFromBytes } from './ids.ts'

/** The columns that `jobRow` reads, from `millrace_jobs AS j`. */
export const JOB_COLUMNS =
  'j.n, j.id, j.type, j.lane, j.state, j.priority, j.run_at, j.holder, j.fence, j.attempt, j.failures, j.strikes, j.suspect, ' +
  'j.generation, j.event_seq, j.phase, j.phase_count, j.phase_list, j.progress, j.session, j.created_at, j.updated_at, j.started_at, ' +
  'j.phase_started_at, j.finished_at, j.deadline_at, j.cancel_requested_at, j.cancelled_by, j.cancel_reason, j.tenant, j.owner, ' +
  'j.unique_key, j.idempotency_key'

export function jobRow(row: Row): JobRow {
  return jobRowOf(row, { id: idFromBytes(row['id']), suspect: row['suspect'] === 1 })
}

export function appliedRow(row: Row): AppliedRow {
  return {
    state: stateOf(row['state']),
    cancelRequestedAt: nullableNumber(row['cancel_requested_at']),
    cancelledBy: nullableText(row['cancelled_by']),
    cancelReason: nullableText(row['cancel_reason']),
  }
}

export function jobSummary(db: Database, row: Row): JobSummary {
  const type = db.typeName(Number(row['type']))
  const entry = db.findType(type)
  if (entry === undefined) throw new RangeError(`there is no type ${type}`)
  return {
    ...jobRow(row),
    type,
    queue: db.queueOfLane(Number(row['lane'])),
    service: entry.service,
    priority: Number(row['priority']),
    labels: labelsOf(db, Number(row['n'])),
    key: nullableText(row['idempotency_key']),
    updatedAt: Number(row['updated_at']),
    policy: entry.policy,
    phaseNames: db.phaseNames(Number(row['phase_list'])),
  }
}

const LABELS = 'SELECT name, content FROM millrace_labels WHERE job = ? ORDER BY name'

function labelsOf(db: Database, n: number): Readonly<Record<string, string>> {
  return Object.fromEntries(db.all(LABELS, n).map((row) => [String(row['name']), String(row['content'])]))
}
