/** A job's row as an auditor sees it, whatever has become of it. */
import type { JobRow } from '../core/job-row.ts'
import type { JobState } from '../core/states.ts'
import { STATE_CODES } from './codes.ts'
import { jobRowOf } from './columns.ts'
import type { Columns } from './columns.ts'
import type { AuditedJob } from './integrity.ts'

const KNOWN_STATES: ReadonlySet<number> = new Set(Object.values(STATE_CODES))
const REFERENCES = ['type', 'lane', 'queue', 'phase list'] as const

/**
 * The columns `has_type`, `has_lane`, `has_queue`, `has_phase_list`, `has_input`, `results`, `events`, `last_seq` and `finals` stand beside the
 * row's.
 */
export function auditedJob(row: Columns, own: Pick<JobRow, 'id' | 'suspect'>): AuditedJob {
  const code = Number(row['state'])
  const isKnown = KNOWN_STATES.has(code)
  const job = jobRowOf(isKnown ? row : { ...row, state: STATE_CODES.scheduled }, own)
  return {
    ...job,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is none, and that is to be told
    ...(isKnown ? {} : { state: String(row['state']) as JobState }),
    unknown: REFERENCES.filter((name) => Number(row[`has_${name.replace(' ', '_')}`]) !== 1),
    missing: Number(row['has_input']) === 1 ? [] : ['input'],
    results: Number(row['results']),
    events: {
      count: Number(row['events']),
      lastSeq: Number(row['last_seq']),
      // Each generation before this one was closed by one.
      finals: Number(row['finals']) - (job.generation - 1),
    },
  }
}
