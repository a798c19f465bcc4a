/** Every impossible state of a job, made by hand. */
import type { JobState } from '../../src/index.ts'
import type { TestDatabase } from './test-database.ts'

export const ON_POSTGRES: boolean = process.env['MILLRACE_TEST_STORE'] === 'postgres'

/** Only PostgreSQL has it. */
export function commitsOf(table: TestDatabase['table']): string {
  return table('events').replace('events', 'commits')
}

/** A job as it was, and what is done to its row. */
export interface Damage {
  readonly code: string
  readonly job: 'queued' | 'scheduled' | 'completed' | 'two-phases' | 'cancelled'
  /** Columns and what they are set to; or a whole statement on another table, which names the job as `$job`. */
  readonly set?: string
  readonly sql?: (table: TestDatabase['table']) => string
  /** The state that a repair leaves; absent: a person has to choose. */
  readonly repaired?: JobState
}

export const DAMAGES: readonly Damage[] = [
  { code: 'progress-out-of-range', job: 'queued', set: 'progress = 150', repaired: 'queued' },
  {
    code: 'running-without-holder',
    job: 'queued',
    set: 'state = 3, attempt = 1, fence = 1, started_at = run_at, phase_started_at = run_at',
    repaired: 'queued',
  },
  { code: 'holder-without-running', job: 'queued', set: 'holder = 5', repaired: 'queued' },
  { code: 'deadline-without-running', job: 'queued', set: 'deadline_at = 5', repaired: 'queued' },
  { code: 'final-without-finished-at', job: 'completed', set: 'finished_at = NULL', repaired: 'completed' },
  { code: 'finished-at-without-final', job: 'queued', set: 'finished_at = created_at', repaired: 'queued' },
  {
    code: 'cancel-forgotten',
    job: 'queued',
    set: "cancel_requested_at = created_at, cancelled_by = 'ann'",
    repaired: 'cancelled',
  },
  {
    code: 'cancelled-without-request',
    job: 'cancelled',
    set: 'cancel_requested_at = NULL, cancelled_by = NULL, cancel_reason = NULL',
    repaired: 'cancelled',
  },
  { code: 'cancel-incomplete', job: 'completed', set: 'cancel_requested_at = finished_at', repaired: 'completed' },
  { code: 'completed-below-full', job: 'completed', set: 'progress = 50', repaired: 'completed' },
  { code: 'completed-with-phases-left', job: 'completed', set: 'phase = 0' },
  { code: 'field-missing', job: 'queued', set: 'input = NULL' },
  { code: 'state-unknown', job: 'queued', set: 'state = 9' },
  { code: 'fence-behind-attempts', job: 'completed', set: 'fence = 0' },
  { code: 'failures-beyond-attempts', job: 'queued', set: 'failures = 4' },
  { code: 'strikes-beyond-attempts', job: 'queued', set: 'strikes = 4' },
  { code: 'scheduled-after-start', job: 'scheduled', set: 'attempt = 1, fence = 1, started_at = created_at' },
  { code: 'retrying-without-failure', job: 'queued', set: 'state = 4' },
  { code: 'instants-out-of-order', job: 'completed', set: 'finished_at = created_at - 100000' },
  { code: 'reference-unknown', job: 'queued', set: 'lane = 999' },
  { code: 'events-gap', job: 'completed', set: 'started_in = NULL' },
  // The same event twice is one event too few.
  { code: 'events-gap', job: 'completed', set: 'created_in = started_in' },
  {
    code: 'events-gap',
    job: 'two-phases',
    sql: (table) => `DELETE FROM ${table('events')} WHERE job = $job AND seq = 2`,
  },
  {
    code: 'final-events-mismatch',
    job: 'completed',
    sql: (table) =>
      ON_POSTGRES
        ? `UPDATE ${commitsOf(table)} SET code = 9 WHERE n = (SELECT completed_in FROM ${table('jobs')} WHERE id = $job)`
        : `UPDATE ${table('events')} SET code = 9 WHERE job = $job AND seq = 3`,
  },
  {
    code: 'results-mismatch',
    job: 'two-phases',
    sql: (table) => `DELETE FROM ${table('phases')} WHERE job = $job AND ordinal = 0`,
  },
]
