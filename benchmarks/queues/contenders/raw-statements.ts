/**
 * The statements of `raw.ts`: what a queue on Millrace's tables has to write at the least. States: 2 queued, 3 running, 5 completed.
 * Events: 2 queued, 3 started, 5 completed, 12 phase completed. What happens to a batch is told by one list, and jobs of several phases have
 * rows for all but the first.
 *
 * These forms were measured, drains of 40,000 jobs in batches of 1,000, thousands of jobs a second in three rounds: a statement a row 89, 86
 * and 89; a statement a set 138, 132 and 133, with the set found by its holder, and 115, 128 and 109, found by a list in JSON. A set found by
 * the range of its keys is a quarter faster still, with claims that are read before they are made instead of returned by the update. So
 * everything goes by ranges, under the guard of the holder, which a batch shares and no other batch has. Jobs are inserted ten rows a statement,
 * with what they share bound once: 1.6 microseconds a job, where a statement a row takes 2.9 and a list in JSON 2.3.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { RawLayers } from './raw-layers.ts'

/** The numbers under which the file knows the job type; Millrace gave them when it registered it. */
export interface TypeNumbers {
  readonly type: number
  readonly lane: number
  readonly phaseList: number
  readonly session: number
}

/** A job as it was before its claim. */
export type ReadyRow = readonly [n: number, fence: number, input: string]

export const ROWS_A_STATEMENT = 10

const INTO_EVENTS = 'INSERT INTO millrace_events (job, seq, code, at, attempt'
const LAST_POSITION = "(SELECT seq FROM sqlite_sequence WHERE name = 'millrace_events')"

export interface RawStatements {
  /** Where the next list will be. */
  readonly nextPosition: StatementSync
  /** Position, jobs, code, seq, attempt, at, the jobs. */
  readonly list: StatementSync
  /** By how much the log has grown. */
  readonly moveOn: StatementSync
  /** At, phases, position of the list, then id and input of one job. */
  readonly insertJob: StatementSync
  /** The same of `ROWS_A_STATEMENT` jobs. */
  readonly insertJobs: StatementSync
  /** Limit; answers a `ReadyRow` each. */
  readonly ready: StatementSync
  /** Holder, at, position of the list or null, first key, last key. */
  readonly claim: StatementSync
  /** At, detail, holder, fence, first key, last key. */
  readonly started: StatementSync
  /** At, output, phases, steps of `event_seq`, holder, fence, first key, last key, position of the list or null. */
  readonly complete: StatementSync
  /** At, steps of `event_seq`, holder, fence, first key, last key. */
  readonly completed: StatementSync
}

export function prepareRaw(db: DatabaseSync, numbers: TypeNumbers, layers: RawLayers): RawStatements {
  const { lane, session } = numbers
  /** Of holder, fence, first and last key, from the parameter of that number on. */
  const fenced = (from: number): string =>
    `holder = ?${from} AND ${layers.guard ? `fence = ?${from + 1}` : `?${from + 1} IS NOT NULL`} AND n BETWEEN ?${from + 2} AND ?${from + 3}`
  const ready = db.prepare(
    `SELECT n, fence, input FROM millrace_jobs WHERE lane = ${lane} AND state = 2 ORDER BY priority, run_at, n LIMIT ?`,
  )
  ready.setReturnArrays(true)
  return {
    ready,
    insertJob: db.prepare(insertSql(numbers, 1)),
    insertJobs: db.prepare(insertSql(numbers, ROWS_A_STATEMENT)),
    nextPosition: db.prepare(`SELECT ${LAST_POSITION} + 1 AS position`),
    list: db.prepare(
      'INSERT INTO millrace_event_lists (position, events, code, seq, attempt, at, jobs) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    moveOn: db.prepare("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'millrace_events'"),
    claim:
      db.prepare(`UPDATE millrace_jobs NOT INDEXED SET state = 3, holder = ?1, session = ${session}, attempt = attempt + 1,
      ${layers.guard ? 'fence = fence + 1,' : ''} event_seq = event_seq + 1, started_at = ?2, phase_started_at = ?2, updated_at = ?2,
      deadline_at = ?2 + 1800000, progress = 0, started_in = ?3 WHERE state = 2 AND n BETWEEN ?4 AND ?5`),
    started: db.prepare(
      `${INTO_EVENTS}, detail) SELECT n, event_seq, 3, ?1, attempt, ?2 FROM millrace_jobs NOT INDEXED WHERE ${fenced(3)}`,
    ),
    complete:
      db.prepare(`UPDATE millrace_jobs NOT INDEXED SET state = 5, holder = NULL, deadline_at = NULL, event_seq = event_seq + ?4, phase = ?3,
      progress = 100, finished_at = ?1, updated_at = ?1, output = ?2, completed_in = ?9 WHERE ${fenced(5)}`),
    // Before the completion and under the same guard: afterwards the claim is gone.
    completed: db.prepare(
      `${INTO_EVENTS}) SELECT n, event_seq + ?2, 5, ?1, attempt FROM millrace_jobs NOT INDEXED WHERE ${fenced(3)}`,
    ),
  }
}

function insertSql({ type, lane, phaseList }: TypeNumbers, rows: number): string {
  const columns =
    'type, lane, state, priority, run_at, phase_count, phase_list, created_at, updated_at, created_in, id, input'
  const places = Array.from({ length: rows }, (_, row) => {
    const own = `?${4 + 2 * row}, ?${5 + 2 * row}`
    return `(${type}, ${lane}, 2, 0, ?1, ?2, ${phaseList}, ?1, ?1, ?3, ${own})`
  })
  return `INSERT INTO millrace_jobs (${columns}) VALUES ${places.join(', ')}`
}

export interface CheckpointStatements {
  /** At, ordinal, result, holder, fence, first key, last key. */
  readonly keepPhase: StatementSync
  /** At, detail, holder, fence, first key, last key. */
  readonly phaseCompleted: StatementSync
  /** At, phase, progress, holder, fence, first key, last key. */
  readonly moveOn: StatementSync
}

export function prepareCheckpoints(db: DatabaseSync): CheckpointStatements {
  return {
    keepPhase:
      db.prepare(`INSERT INTO millrace_phases (job, ordinal, generation, attempt, started_at, finished_at, result)
      SELECT n, ?2, generation, attempt, phase_started_at, ?1, ?3 FROM millrace_jobs NOT INDEXED
      WHERE holder = ?4 AND fence = ?5 AND n BETWEEN ?6 AND ?7`),
    phaseCompleted: db.prepare(
      `${INTO_EVENTS}, detail) SELECT n, event_seq + 1, 12, ?1, attempt, ?2 FROM millrace_jobs NOT INDEXED WHERE holder = ?3 AND fence = ?4 AND n BETWEEN ?5 AND ?6`,
    ),
    moveOn:
      db.prepare(`UPDATE millrace_jobs NOT INDEXED SET phase = ?2, phase_started_at = ?1, updated_at = ?1, progress = ?3,
      strikes = 0, suspect = 0, event_seq = event_seq + 1 WHERE holder = ?4 AND fence = ?5 AND n BETWEEN ?6 AND ?7`),
  }
}
