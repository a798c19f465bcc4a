/** Closing takes one time, whoever holds the file. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'

import { defineJob } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { within } from '../support/wait-for-event.ts'

const sow = defineJob('field.sow', { service: 'farm' })

test('what waits for a lock that another process keeps is refused when the time of the closing is over', async (context) => {
  const { mill, open, database } = await openTestMill(context)
  const { job } = await mill.enqueue(sow)
  const other = new DatabaseSync(database.url.slice('sqlite:'.length))
  context.after(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  const refused = assert.rejects(mill.cancel(job), { code: 'store-closed' })
  await assert.rejects(within('the closing', mill.close({ timeout: '2s' }), 20_000), {
    code: 'close-timeout',
    details: { timeoutMs: 2_000, unfinished: ['store'] },
  })
  await refused
  other.exec('ROLLBACK')
  assert.equal((await (await open()).get(job)).state, 'queued')
})

test('a transaction of the application’s that never ends holds up no closing', async (context) => {
  const { mill, connect } = await openTestMill(context)
  const { connection } = await connect()
  const { promise: begun, resolve } = Promise.withResolvers<void>()
  void mill
    .transaction(connection, async () => {
      resolve()
      await new Promise<never>(() => undefined)
    })
    .catch(() => undefined)
  await begun
  await assert.rejects(within('the closing', mill.close({ timeout: '2s' }), 20_000), { code: 'close-timeout' })
})
