/**
 * How a statement tells what it has done, in the log.
 *
 * Each that writes events adds one row to `commits`. What happens to most jobs in their lives (created, started, completed, with nothing more
 * to tell) stands in that row itself, as a list of jobs, and a job's own row says in which commits it is told of: that takes a small part of
 * what a row of `events` for each takes. Every other event has its row. A commit may have both.
 */
import type { ListedEvent } from '../store/event-lists.ts'

/** The number of the next commit, for statements that write it into rows of jobs. */
export const NEXT_COMMIT = "nextval('millrace.commits_n_seq')"
/** It, where `next` has it: asked for as one value, which is cheaper than a join for each row. */
export const COMMIT = '(SELECT n FROM next)'

/** `numbered`: the commit of events that all have rows, one for each row of `from`. */
export function numberedSql(from: string, at = '$1::bigint'): string {
  return `numbered AS (INSERT INTO millrace.commits (at, events) SELECT ${at}, count(*) FROM ${from} HAVING count(*) > 0 RETURNING n)`
}

/** The column's new value, of a job `j` as it was before a claim: this commit if its list tells of the start. */
export function startedInSql({ column, seq, attempt }: ListedEvent): string {
  // A job of several phases is told with the name of the one it begins with, which no list has room for.
  const isPlain = `j.event_seq = ${seq - 1} AND j.attempt = ${attempt - 1} AND j.phase_count = 1`
  return `${column} = CASE WHEN ${isPlain} THEN ${COMMIT} ELSE j.${column} END`
}

export interface Telling {
  readonly event: ListedEvent
  readonly code: number
  /** The jobs `m`, as they are now: their `id`, `event_seq`, `attempt`, and the column of the event. */
  readonly from: string
  /** In which order their events are. */
  readonly order: string
  /** Of an event that has a row. */
  readonly detail: string
}

/** `listed`, `numbered` and `told`: what happened to the jobs of `from`, in a list or in rows. `$1` is its time, `next` its commit. */
export function tellSql({ event, code, from, order, detail }: Telling): string {
  const { column, seq, attempt } = event
  const isListed = `m.${column} IS NOT DISTINCT FROM ${COMMIT}`
  return (
    `listed AS MATERIALIZED (SELECT count(*) AS events, count(*) FILTER (WHERE ${isListed}) AS jobs_listed, bool_or(${isListed}) AS any_listed, bool_and(${isListed}) AS all_listed, ` +
    `array_agg(CASE WHEN ${isListed} THEN m.id END ORDER BY ${order}) AS jobs FROM ${from} AS m), ` +
    'numbered AS (INSERT INTO millrace.commits (n, at, events, listed, living, code, seq, attempt, jobs) ' +
    `SELECT ${COMMIT}, $1::bigint, events, jobs_listed, jobs_listed, CASE WHEN any_listed THEN ${code} END, CASE WHEN any_listed THEN ${seq} END, CASE WHEN any_listed THEN ${attempt} END, ` +
    'CASE WHEN any_listed THEN jobs END FROM listed WHERE events > 0), ' +
    'told AS (INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt, detail) ' +
    `SELECT ${COMMIT}, idx, id, event_seq, ${code}, $1::bigint, attempt, detail FROM (SELECT row_number() OVER (ORDER BY ${order}) - 1 AS idx, m.id, ` +
    `m.event_seq, m.attempt, ${detail} AS detail, ${isListed} AS is_listed FROM ${from} AS m) AS x ` +
    // Where lists tell everything, nothing is looked through for the others.
    'WHERE NOT is_listed AND NOT (SELECT all_listed FROM listed))'
  )
}
