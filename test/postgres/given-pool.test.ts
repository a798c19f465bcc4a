/** A pool of the application's is borrowed from: nothing is left on its connections, and it stays open. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import pg from 'pg'

import { defineJob, handle, openMillrace } from '../../src/index.ts'
import type { Millrace } from '../../src/index.ts'
import { newSchemaName } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { scaled } from '../support/scale.ts'
import { within } from '../support/wait-for-event.ts'

const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Of the whole file: some are given once for each process. */
const warnings: Error[] = []
process.on('warning', (warning) => void warnings.push(warning))

interface Borrower {
  readonly pool: pg.Pool
  readonly mill: Millrace
}

async function openBorrower(context: TestContext, most: number): Promise<Borrower> {
  const artifacts = mkdtempSync(join(tmpdir(), 'millrace-pool-'))
  const schema = newSchemaName()
  const pool = new pg.Pool({ connectionString: await postgresUrl(), max: most })
  const mill = await openMillrace({ pool }, { schema, artifacts, logger })
  context.after(async () => {
    await mill.close()
    await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
    await pool.end()
    rmSync(artifacts, { recursive: true })
  })
  return { pool, mill }
}

const count = defineJob('count', { service: 'counters' })
const steps = defineJob('count.steps', { service: 'counters', phases: ['one', 'two'] })

/** Enqueues, works, reads, cancels and fails: whatever borrows a connection. */
async function work(mill: Millrace, jobs: number): Promise<void> {
  const handlers = [
    handle(count, ({ input, log }) => {
      log.info('counting')
      return input
    }),
    handle(steps)
      .phase('one', () => 1)
      .phase('two', ({ results }) => results.one),
  ]
  const worker = await mill.work(handlers, { concurrency: 10 })
  const added = await Promise.all(
    Array.from({ length: jobs }, (_, n) =>
      mill.enqueue(n % 2 === 0 ? count : steps, n, n % 3 === 0 ? { key: `k${n}`, labels: { n: 'x' } } : {}),
    ),
  )
  const later = await mill.enqueue(count, 0, { delay: '1h' })
  await mill.cancel(later.job)
  const done = await Promise.all(added.map(({ job }) => mill.waitFor(job)))
  assert.ok(done.every(({ state }) => state === 'completed'))
  assert.equal((await mill.counts()).completed, jobs)
  await mill.maintenance.runOnce()
  await worker.stop()
}

/** What differs from how a new connection is. */
const LEFT_BEHIND = `
  SELECT name || ' = ' || setting AS what FROM pg_settings WHERE source = 'session'
  UNION ALL SELECT 'prepared: ' || statement FROM pg_prepared_statements
  UNION ALL SELECT 'listens: ' || channel FROM pg_listening_channels() AS channel
  UNION ALL SELECT 'lock: ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`

async function leftBehind(pool: pg.Pool): Promise<readonly unknown[]> {
  const clients = await Promise.all(Array.from({ length: pool.options.max }, () => pool.connect()))
  const rows: object[] = []
  for (const client of clients) rows.push(...(await client.query<object>(LEFT_BEHIND)).rows)
  for (const client of clients) client.release()
  return rows
}

test('its connections come back as they were, and it is not closed', async (context) => {
  const { pool, mill } = await openBorrower(context, 5)
  const { rows: before } = await pool.query<object>(LEFT_BEHIND)
  assert.deepEqual(before, [])
  await work(mill, 20)
  await mill.close()
  assert.deepEqual(await leftBehind(pool), [])
  assert.equal(pool.ended, false)
  assert.equal(pool.idleCount, pool.totalCount)
})

test('three connections are enough for a busy worker', async (context) => {
  const { mill } = await openBorrower(context, 3)
  await within('the work', work(mill, scaled(60)))
})

test('its driver has nothing to warn of', async (context) => {
  const { mill } = await openBorrower(context, 4)
  await work(mill, 10)
  assert.deepEqual(warnings, [])
})
