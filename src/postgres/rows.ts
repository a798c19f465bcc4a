/** Rows as the port's plain data. */
import type { JobRow } from '../core/job-row.ts'
import type { AppliedRow } from '../store/claims.ts'
import { jobRowOf, nullableText } from '../store/columns.ts'
import type { JobSummary } from '../store/jobs.ts'
import { decodePolicy } from '../store/policy-text.ts'
import type { Row } from './driver.ts'

/** The columns that `jobRow` reads, of `millrace.jobs AS j`. */
export const ROW_COLUMNS =
  'j.id, j.tenant, j.owner, j.state, j.run_at, j.attempt, j.failures, j.strikes, j.suspect, j.fence, j.generation, j.holder, j.phase, ' +
  'j.phase_count, j.phase_started_at, j.progress, j.created_at, j.started_at, j.finished_at, j.deadline_at, j.cancel_requested_at, ' +
  'j.cancelled_by, j.cancel_reason, j.unique_key, j.event_seq'

/** The columns that `jobSummary` reads, from `JOB_TABLES`. */
export const SUMMARY_COLUMNS =
  `${ROW_COLUMNS}, j.priority, j.idempotency_key, j.updated_at, j.session, t.name AS type_name, t.service, t.policy, q.name AS queue, ` +
  'p.names AS phase_names, (SELECT json_object_agg(b.name, b.content ORDER BY b.name)::text FROM millrace.labels AS b WHERE b.job = j.id) AS labels'

/** What stands beside a job's row by number. */
export const BESIDE_JOB =
  'JOIN millrace.types AS t ON t.n = j.type JOIN millrace.lanes AS l ON l.n = j.lane JOIN millrace.queues AS q ON q.n = l.queue ' +
  'JOIN millrace.phase_lists AS p ON p.n = j.phase_list'

export function jobRow(row: Row): JobRow {
  return jobRowOf(row, { id: String(row['id']), suspect: row['suspect'] === true })
}

export function appliedRow({ state, cancelRequestedAt, cancelledBy, cancelReason }: JobRow): AppliedRow {
  return { state, cancelRequestedAt, cancelledBy, cancelReason }
}

export function jobSummary(row: Row): JobSummary {
  return {
    ...jobRow(row),
    type: String(row['type_name']),
    queue: String(row['queue']),
    service: nullableText(row['service']),
    priority: Number(row['priority']),
    labels: labelsOf(row['labels']),
    key: nullableText(row['idempotency_key']),
    updatedAt: Number(row['updated_at']),
    policy: decodePolicy(String(row['policy'])),
    phaseNames: JSON.parse(String(row['phase_names'])) as readonly string[],
  }
}

export function labelsOf(text: unknown): Readonly<Record<string, string>> {
  return typeof text === 'string' ? (JSON.parse(text) as Record<string, string>) : {}
}
