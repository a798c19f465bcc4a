/**
 * How a statement tells what it has done, in the log.
 *
 * Each that writes events adds one row to `commits`. What happens to most jobs in their lives (created, started, completed, with nothing more
 * to tell) stands in that row itself, as a list of jobs, and a job's own row says in which commits it is told of: that takes a small part of
 * what a row of `events` for each takes. Every other event has its row. A commit may have both.
 */

/** The number of the next commit, for statements that write it into rows of jobs. */
export const NEXT_COMMIT = "nextval('millrace.commits_n_seq')"
/** It, where `next` has it: asked for as one value, which is cheaper than a join for each row. */
export const COMMIT = '(SELECT n FROM next)'

/** `numbered`: the commit of events that all have rows, one for each row of `from`. */
export function numberedSql(from: string, at = '$1::bigint'): string {
  return `numbered AS (INSERT INTO millrace.commits (at, events) SELECT ${at}, count(*) FROM ${from} HAVING count(*) > 0 RETURNING n)`
}
