/**
 * Somewhere in the database a transaction stays open: a report, a forgotten session. Until it ends nothing of what was changed since can be
 * cleared away, neither rows nor entries of indexes.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { seededWords } from '../../src/runtime/seeded-random.ts'
import { startMillRun, STEADY, STEADY_WORK_MS } from '../support/mill-run.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { take } from '../support/wait-for-event.ts'

const WORK_MS = scaled(STEADY_WORK_MS)

test('work goes on while a transaction elsewhere keeps the dead rows from being cleared away', async (context) => {
  const opened = await openTestMill(context, { maintenance: false }, () => postgresDatabase())
  const { run: runSql, rows } = await opened.connect()
  await runSql('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class')
  const run = await startMillRun({ opened, random: seededWords(seedOf(context)), context })
  await run.startWorker({ options: STEADY })
  await run.startWorker({ options: STEADY })
  run.produce(opened.mill)
  run.produce(await opened.open())
  await take(WORK_MS)
  const [seen] = await rows(`SELECT count(*) AS jobs FROM ${opened.database.table('jobs')}`)
  assert.equal(Number(seen?.['jobs']), 0, 'it still sees what was there when it began')
  await run.settle({ mayLose: false })
  await runSql('COMMIT')
})
