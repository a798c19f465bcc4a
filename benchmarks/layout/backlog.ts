import { openFile } from './file.ts'
import { LANE, makeJobs, NOW } from './layout.ts'
import { openLean, PLAIN } from './lean.ts'
import { median } from './measure.ts'
import { thousands } from './report.ts'

const BATCH = 1_000

/** Drains one lane, first alone and then with a million jobs that wait in another, in one file. */
export function backlogFigures(jobs: number, rounds: number): string[][] {
  const file = openFile()
  const store = openLean(file.db, PLAIN)
  const drain = (): number => {
    const input = makeJobs(jobs)
    for (let at = 0; at < jobs; at += BATCH) file.transaction(() => store.enqueue(input.slice(at, at + BATCH)))
    const startedAt = performance.now()
    for (let held = store.claim(0), done = false; !done; done = held.length === 0) {
      held = file.transaction(() => {
        if (held.length > 0) store.complete(held)
        return store.claim(BATCH)
      })
    }
    return (jobs * 1_000) / (performance.now() - startedAt)
  }
  const rates = (): string => thousands(median(Array.from({ length: rounds }, drain)))
  const alone = rates()
  file.db
    .prepare(
      `WITH RECURSIVE k (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 1000000)
      INSERT INTO millrace_jobs (id, lane, state, priority, run_at, event_seq, tenant, created_at, input)
      SELECT unhex(printf('%032x', i)), ?, 2, 5, ?, 1, 'acme', ?, '{}' FROM k`,
    )
    .run(LANE - 1, NOW, NOW)
  const crowded = rates()
  file.remove()
  return [
    ['0', alone],
    ['1,000,000', crowded],
  ]
}
