/**
 * One update of many jobs by their keys. A range of keys is walked once, row by row; a list is first gathered into a table of its own, then
 * the rows are found, and then they are found once more to be written. So where keys count on, as those of jobs that were added together do,
 * a statement for each run of them takes half the time.
 */
import type { ManyJobs, PlanInputs } from './compile.ts'
import type { Database } from './database.ts'
import { keyRuns } from './key-runs.ts'

/** With fewer keys a run on the average, statements cost more than they save. */
const LEAST_IN_RUN = 8

/** How many rows were changed. No key may be named twice. */
export function updateMany(
  db: Database,
  { listSql, rangeSql, values }: ManyJobs,
  inputs: Omit<PlanInputs, 'key'>,
  keys: readonly number[],
): number {
  const runs = keyRuns(keys)
  if (runs.length * LEAST_IN_RUN > keys.length) {
    return db.run(listSql, ...values({ ...inputs, key: JSON.stringify(keys) }))
  }
  return runs.reduce(
    (changed, [, first, count]) => changed + db.run(rangeSql, ...values({ ...inputs, key: first }), first + count - 1),
    0,
  )
}
