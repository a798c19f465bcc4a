/** Jobs that come and go with a transaction of the application's own. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob, handle } from '../../src/index.ts'
import type { EnqueueOptions, EnqueueResult } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import type { OwnConnection } from '../support/test-database.ts'
import { Announcements, nextTurn, take, within } from '../support/wait-for-event.ts'

const ship = defineJob('order.ship', { service: 'shop' })

interface Shop extends TestMill {
  readonly own: OwnConnection
  /** An order of the application's own. */
  readonly order: (name: string) => Promise<void>
  readonly orders: () => Promise<readonly unknown[]>
  readonly enqueue: (input: number, options?: EnqueueOptions) => Promise<EnqueueResult>
  readonly queued: () => Promise<number>
}

/** An application's table beside ours, and a connection of its own. */
async function openShop(context: TestContext): Promise<Shop> {
  const opened = await openTestMill(context)
  const { mill } = opened
  const own = await opened.connect()
  await own.run('CREATE TABLE orders (name TEXT PRIMARY KEY)')
  return {
    ...opened,
    own,
    order: (name) => own.run(`INSERT INTO orders VALUES ('${name}')`),
    orders: async () => {
      const rows = await own.rows('SELECT name FROM orders ORDER BY name')
      return rows.map(({ name }) => name)
    },
    // A connection that answers at once may throw at once.
    enqueue: async (input, options = {}) => mill.enqueueIn(own.connection, ship, input, options),
    queued: async () => (await mill.counts()).queued,
  }
}

describe('in a transaction that the application has begun, a job', () => {
  test('is committed together with the rows of the application, and gone with them', async (context) => {
    const { own, order, orders, enqueue, queued } = await openShop(context)
    await own.run('BEGIN')
    await order('kept')
    assert.equal((await enqueue(1)).outcome, 'created')
    assert.equal(await queued(), 0, 'nobody sees it yet')
    await own.run('COMMIT')
    assert.equal(await queued(), 1)
    await own.run('BEGIN')
    await order('dropped')
    await enqueue(2)
    await own.run('ROLLBACK')
    assert.equal(await queued(), 1)
    assert.deepEqual(await orders(), ['kept'])
  })

  test('that was rolled back has left nothing: neither its type nor its queue nor its key', async (context) => {
    const { mill, own, work } = await openShop(context)
    const pack = defineJob('order.pack', { service: 'shop', queue: 'packing' })
    for (const ending of ['ROLLBACK', 'COMMIT']) {
      await own.run('BEGIN')
      const { outcome } = await mill.enqueueIn(own.connection, pack, 1, { key: 'k' })
      assert.equal(outcome, 'created', ending)
      await own.run(ending)
    }
    await work([handle(pack, () => 'packed')])
    const { jobs } = await mill.list()
    assert.equal(jobs.length, 1)
    assert.equal((await mill.waitFor(jobs[0]?.id ?? '')).output, 'packed')
  })

  test('whose key was used for another input is refused, and the transaction goes on', async (context) => {
    const { own, order, orders, enqueue, queued } = await openShop(context)
    await own.run('BEGIN')
    const { job } = await enqueue(1, { key: 'k' })
    await assert.rejects(enqueue(2, { key: 'k' }), { code: 'key-reused' })
    const again = await enqueue(1, { key: 'k' })
    assert.deepEqual([again.outcome, again.job.id], ['duplicate', job.id])
    await order('kept')
    await own.run('COMMIT')
    assert.equal(await queued(), 1)
    assert.deepEqual(await orders(), ['kept'])
  })

  test('is heard of by the workers once it is committed', async (context) => {
    const { own, enqueue, work } = await openShop(context)
    const announce = new Announcements()
    await work([handle(ship, ({ input }) => announce.tell('shipped', input))])
    for (let nth = 1; nth <= 3; nth += 1) {
      await own.run('BEGIN')
      await enqueue(nth)
      assert.equal(announce.count('shipped'), nth - 1)
      await own.run('COMMIT')
      assert.equal(await announce.hear('shipped', { nth }), nth)
    }
  })

  test('keeps nobody else from enqueueing for longer than the transaction lasts', async (context) => {
    const { mill, own, enqueue, queued } = await openShop(context)
    await own.run('BEGIN')
    await enqueue(1)
    const other = mill.enqueue(ship, 2)
    await take(100)
    await own.run('COMMIT')
    assert.equal((await other).outcome, 'created')
    assert.equal(await queued(), 2)
  })
})

describe('mill.transaction', () => {
  test('commits what its body did, or nothing where it throws', async (context) => {
    const { mill, own, order, orders, enqueue, queued } = await openShop(context)
    const { job } = await mill.transaction(own.connection, async () => {
      await order('kept')
      return enqueue(1)
    })
    assert.equal((await mill.get(job)).input, 1)
    const failing = mill.transaction(own.connection, async () => {
      await order('dropped')
      await enqueue(2)
      throw new Error('out of stock')
    })
    await assert.rejects(failing, /out of stock/)
    assert.equal(await queued(), 1)
    assert.deepEqual(await orders(), ['kept'])
  })

  test('begins on a connection when the one before has ended, however many are asked for', async (context) => {
    const { mill, own, enqueue, queued } = await openShop(context)
    let open = 0
    const body = async (): Promise<void> => {
      open += 1
      assert.equal(open, 1)
      await enqueue(1)
      await mill.counts()
      open -= 1
    }
    await Promise.all(Array.from({ length: 5 }, () => mill.transaction(own.connection, body)))
    assert.equal(await queued(), 5)
  })

  test('keeps no worker from its lease, however long it takes', async (context) => {
    const { mill, own, work } = await openShop(context)
    const announce = new Announcements()
    const end = Promise.withResolvers<void>()
    await work(
      [
        handle(ship, async ({ signal }) => {
          announce.tell('begun')
          await end.promise
          return signal.aborted
        }),
      ],
      // On a busy machine a thread may take some tenths of a second to come up.
      { lease: '1s' },
    )
    const { job } = await mill.enqueue(ship, 1)
    await announce.hear('begun')
    await mill.transaction(own.connection, () => take(2_500))
    await mill.maintenance.runOnce()
    end.resolve()
    const { state, attempt, output } = await mill.waitFor(job)
    assert.deepEqual({ state, attempt, output }, { state: 'completed', attempt: 1, output: false })
  })

  test('that is under way is waited for by close(), and none is begun after it', async (context) => {
    const { mill, own, database, enqueue } = await openShop(context)
    const announce = new Announcements()
    const end = Promise.withResolvers<void>()
    const order: string[] = []
    const running = mill.transaction(own.connection, async () => {
      await enqueue(1)
      announce.tell('enqueued')
      await end.promise
    })
    await announce.hear('enqueued')
    const closed = mill.close().then(() => order.push('closed'))
    const committed = running.then(() => order.push('committed'))
    await nextTurn()
    end.resolve()
    await within('the end of close()', Promise.all([closed, committed]))
    assert.deepEqual(order, ['committed', 'closed'])
    const refused = mill.transaction(own.connection, () => undefined)
    await assert.rejects(refused, { code: 'store-closed' })
    await assert.rejects(enqueue(2), { code: 'store-closed' })
    assert.equal((await own.rows(`SELECT id FROM ${database.table('jobs')}`)).length, 1)
  })
})

test('a connection without a transaction, or with one of its own where one is to be begun, is refused', async (context) => {
  const { mill, own, enqueue, queued } = await openShop(context)
  await assert.rejects(enqueue(1), { code: 'not-in-transaction' })
  await assert.rejects(async () => mill.enqueueIn({}, ship, 1), { code: 'option-invalid' })
  await own.run('BEGIN')
  await assert.rejects(
    mill.transaction(own.connection, () => undefined),
    { code: 'option-invalid' },
  )
  await enqueue(1)
  await own.run('COMMIT')
  const ended = mill.transaction(own.connection, () => own.run('ROLLBACK'))
  await assert.rejects(ended, { code: 'not-in-transaction' })
  assert.equal(await queued(), 1)
})
