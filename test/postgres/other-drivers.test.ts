/** A job is added inside a transaction of whatever driver or query builder the application has: with pg itself, and through three lines for others. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob, handle } from '../../src/index.ts'
import type { Millrace } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { Announcements } from '../support/wait-for-event.ts'
import { DRIVERS } from './drivers.ts'
import type { Driver } from './drivers.ts'
import { newDatabase } from './own-server.ts'

const order = defineJob('order.ship', { service: 'shop' })

interface Shop extends TestMill, Driver {}

for (const [name, openDriver] of Object.entries(DRIVERS)) {
  const openShop = async (context: TestContext): Promise<Shop> => ({
    ...(await openTestMill(context, {}, () => postgresDatabase())),
    ...(await openDriver(context)),
  })

  describe(`with ${name} a job`, () => {
    test('comes with the transaction that it was added in, key, labels and all', async (context) => {
      const { mill, transact } = await openShop(context)
      const ids: string[] = []
      await transact(async (connection) => {
        const first = await mill.enqueueIn(connection, order, { n: 1 })
        const options = { key: 'order-2', tenant: 'acme', labels: { a: '"b",\\' } }
        const second = await mill.enqueueIn(connection, order, { n: 2 }, options)
        const later = await mill.enqueueIn(connection, order, { n: 3 }, { delay: '1h' })
        ids.push(first.job.id, second.job.id, later.job.id)
        assert.deepEqual([first.state, second.state, later.state], ['queued', 'queued', 'scheduled'])
        assert.equal((await mill.counts()).queued, 0, 'nobody sees it before the commit')
      })
      const jobs = await Promise.all(ids.map((id) => mill.get(id)))
      assert.deepEqual(
        jobs.map(({ input, state }) => [input, state]),
        [
          [{ n: 1 }, 'queued'],
          [{ n: 2 }, 'queued'],
          [{ n: 3 }, 'scheduled'],
        ],
      )
      assert.deepEqual(jobs[1]?.labels, { a: '"b",\\' })
      const again = await mill.enqueue(order, { n: 2 }, { key: 'order-2', tenant: 'acme' })
      assert.deepEqual([again.outcome, again.job.id], ['duplicate', ids[1]])
    })

    test('goes with the transaction that is rolled back', async (context) => {
      const { mill, transact } = await openShop(context)
      const rolledBack = transact(async (connection) => {
        await mill.enqueueIn(connection, order, { n: 1 }, { key: 'order-1' })
        throw new Error('the card was refused')
      })
      await assert.rejects(rolledBack, /the card was refused/)
      assert.equal((await mill.counts()).queued, 0)
      assert.equal((await mill.enqueue(order, { n: 5 }, { key: 'order-1' })).outcome, 'created')
    })

    test('is heard of by a worker elsewhere when the transaction is committed, and not before', async (context) => {
      const { open, mill, transact } = await openShop(context)
      const announce = new Announcements()
      const elsewhere = await open()
      await elsewhere.work([handle(order, ({ input }) => announce.tell('shipped', input))], { drain: '1s' })
      await transact(async (connection) => {
        await mill.enqueueIn(connection, order, { n: 1 })
        // Whatever the worker is told of meanwhile, it does not find this one.
        await mill.run(order, { n: 2 })
        assert.equal(announce.count('shipped'), 1)
      })
      assert.deepEqual(await announce.hear('shipped', { nth: 2 }), { n: 1 })
    })

    test('whose key was used for another input is refused alone, and the transaction goes on', async (context) => {
      const { mill, transact } = await openShop(context)
      await transact(async (connection) => {
        await mill.enqueueIn(connection, order, { n: 1 }, { key: 'k' })
        await assert.rejects(async () => mill.enqueueIn(connection, order, { n: 2 }, { key: 'k' }), {
          code: 'key-reused',
        })
        const again = await mill.enqueueIn(connection, order, { n: 1 }, { key: 'k' })
        assert.equal(again.outcome, 'duplicate')
        await mill.enqueueIn(connection, order, { n: 3 })
      })
      assert.deepEqual(await inputsOf(mill), [{ n: 3 }, { n: 1 }])
    })

    test('is refused where no transaction is open, or the connection is on another database', async (context) => {
      const { mill, borrow, transact } = await openShop(context)
      const add = async (to: Millrace, connection: object): Promise<unknown> =>
        to.enqueueIn(connection, order, { n: 1 })
      await borrow((connection) => assert.rejects(add(mill, connection), { code: 'not-in-transaction' }))
      const { url: server, drop } = await newDatabase()
      const other = await openTestMill(context, {}, () => postgresDatabase({ server }))
      context.after(drop)
      await transact(async (connection) => {
        await assert.rejects(add(other.mill, connection), { code: 'other-database', message: /same database/ })
        await add(mill, connection)
      })
      assert.deepEqual(await inputsOf(mill), [{ n: 1 }])
    })
  })
}

async function inputsOf(mill: Millrace): Promise<readonly unknown[]> {
  const { jobs } = await mill.list()
  const all = await Promise.all(jobs.map(({ id }) => mill.get(id)))
  return all.map(({ input }) => input)
}
