/** Holding a thread as a handler does that never lets go of it, for as long as something takes that others do. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'

const LOOK_EVERY_MS = 5
const MOST_LOOKS = 4_000

/**
 * Blocks this thread until so many jobs of the SQLite file are as `condition` says, and then for a while.
 *
 * @param condition - SQL over a row of `millrace_jobs`
 */
export function blockUntil(file: string, jobs: number, condition: string, thenMs: number): void {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 })
  const counted = database.prepare(`SELECT count(*) AS jobs FROM millrace_jobs WHERE ${condition}`)
  const found = (): unknown => counted.get()?.['jobs']
  for (let looks = 0; looks < MOST_LOOKS && found() !== jobs; looks += 1) Atomics.wait(cell, 0, 0, LOOK_EVERY_MS)
  assert.equal(found(), jobs, condition)
  database.close()
  Atomics.wait(cell, 0, 0, thenMs)
}
