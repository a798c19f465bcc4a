/** A transaction of the application's sees the database as of another moment than Millrace does. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob } from '../../src/index.ts'
import type { EnqueueOptions } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import type { OwnConnection } from '../support/test-database.ts'
import { within } from '../support/wait-for-event.ts'

interface Shop extends TestMill {
  readonly own: OwnConnection
}

async function openShop(context: TestContext): Promise<Shop> {
  const opened = await openTestMill(context, {}, () => postgresDatabase())
  return { ...opened, own: await opened.connect() }
}

const KINDS: readonly (readonly [kind: string, options: EnqueueOptions])[] = [
  ['a job', {}],
  ['a job with a key', { key: 'k' }],
  ['a job with labels', { labels: { course: 'c1' } }],
]

for (const [kind, options] of KINDS) {
  describe(`${kind} that is added in a transaction`, () => {
    for (const level of ['REPEATABLE READ', 'SERIALIZABLE']) {
      test(`at ${level} is added though its type is younger than what the transaction sees`, async (context) => {
        const { mill, own } = await openShop(context)
        const fresh = defineJob('order.pack', { service: 'shop', queue: 'packing' })
        await own.run(`BEGIN ISOLATION LEVEL ${level}`)
        await own.rows('SELECT 1')
        const adding = Promise.resolve(mill.enqueueIn(own.connection, fresh, { n: 1 }, options))
        assert.equal((await within('adding the job', adding)).outcome, 'created')
        await own.run('COMMIT')
        assert.equal((await mill.counts({ type: 'order.pack' })).queued, 1)
      })
    }
  })
}
