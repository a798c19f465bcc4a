/** The server is ended without warning and started again, in the middle of everything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { seededWords } from '../../src/runtime/seeded-random.ts'
import { LEASE_MS, startMillRun } from '../support/mill-run.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { take } from '../support/wait-for-event.ts'

const RESTARTS = scaled(3)
/** Between two of them. */
const UP_MS = 1_500
/** Every second time it is down for longer than a lease. */
const DOWN_MS = [0, LEASE_MS + 500]

test('workers, producers and subscribers live through a server that is ended at once and started again', async (context) => {
  const random = seededWords(seedOf(context))
  const server = await startPostgres()
  const { restart } = server
  if (restart === null) return context.skip('the server is not ours to restart')
  const opened = await openTestMill(context, { maintenance: false }, () => postgresDatabase({ server: server.url }))
  context.after(() => server.stop())
  const run = await startMillRun({ opened, random, context })
  await run.startWorker()
  await run.startWorker()
  run.produce(opened.mill)
  run.produce(await opened.open())
  const downMs: number[] = []
  for (let restarts = 0; restarts < RESTARTS; restarts += 1) {
    await take(UP_MS)
    const downAt = performance.now()
    await restart(() => take(DOWN_MS[restarts % DOWN_MS.length] ?? 0))
    downMs.push(performance.now() - downAt)
  }
  context.diagnostic(`down for ${downMs.map((ms) => `${ms.toFixed(0)} ms`).join(', ')}`)
  await run.settle({ heldUpMs: Math.max(...downMs) })
  assert.equal(downMs.length, RESTARTS)
})
