import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'

import type { Contender, Load } from '../../benchmarks/queues/contenders/contender.ts'
import { millrace } from '../../benchmarks/queues/contenders/millrace.ts'
import { raw } from '../../benchmarks/queues/contenders/raw.ts'

const TABLES = { jobs: 'n', events: 'job, seq', event_lists: 'position', phases: 'job' } as const
/** So many that what happens to them together stands in lists. */
const JOBS = 10
/** What differs from run to run. */
const CHANCE = new Set([
  'id',
  'n',
  'job',
  'jobs',
  'position',
  'session',
  'at',
  'run_at',
  'created_at',
  'updated_at',
  'started_at',
  'finished_at',
  'phase_started_at',
])

/** Where a list is, is chance; whether there is one is not. */
const LISTS = new Set(['created_in', 'started_in', 'completed_in'])

/** The rows that a few jobs leave in the tables, without what is chance. */
async function rowsLeftBy(context: TestContext, contender: Contender, load: Load): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-test-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const { place } = await contender.host(folder)
  const queue = await contender.open(place, load)
  await queue.enqueueMany(Array.from({ length: JOBS }, (_, index) => ({ index })))
  const working = await queue.work(() => undefined)
  await working.drained(JOBS)
  await working.stop()
  await queue.close()
  const db = new DatabaseSync(place.address)
  const left = Object.entries(TABLES).map(([table, key]) => {
    const rows = db.prepare(`SELECT * FROM millrace_${table} ORDER BY ${key}`).all()
    return rows.map((row) => {
      const kept = Object.entries(row).filter(([column]) => !CHANCE.has(column))
      return Object.fromEntries(kept.map(([column, found]) => [column, LISTS.has(column) ? found !== null : found]))
    })
  })
  db.close()
  return left
}

for (const load of ['plain', 'phases'] as const) {
  test(`raw leaves the rows in the tables that Millrace leaves there: ${load}`, async (context) => {
    const own = await rowsLeftBy(context, millrace('best'), load)
    assert.deepEqual(await rowsLeftBy(context, raw('raw'), load), own)
  })
}
