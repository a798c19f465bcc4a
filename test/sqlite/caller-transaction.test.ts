/** What only SQLite makes of an application's transaction: one writer at a time, a store with a thread and one without, and its drivers. */
import assert from 'node:assert/strict'
import { symlinkSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { OPERATOR } from '../../src/core/scope.ts'
import type { Enqueued } from '../../src/store/jobs.ts'
import { elapsed, newFile, openSqlite } from './sqlite-bench.ts'
import type { SqliteBench } from './sqlite-bench.ts'

interface Shop extends SqliteBench {
  readonly connection: DatabaseSync
  /** An order of the application's own. */
  order(name: string): void
  orders(): readonly unknown[]
  enqueue(key?: string, input?: string): readonly Enqueued[]
  queued(): Promise<number>
}

/** An application's tables beside ours, and a connection of its own. */
async function openShop(t: TestContext, thread: boolean = true): Promise<Shop> {
  const bench = await openSqlite(t, { thread })
  const connection = new DatabaseSync(bench.file)
  t.after(() => connection.close())
  connection.exec('CREATE TABLE orders (name TEXT PRIMARY KEY)')
  return {
    ...bench,
    connection,
    order: (name) => {
      connection.prepare('INSERT INTO orders VALUES (?)').run(name)
    },
    orders: () =>
      connection
        .prepare('SELECT name FROM orders ORDER BY name')
        .all()
        .map(({ name }) => name),
    enqueue: (key, input = '1') => {
      const answer = bench.store.transactions.enqueue(connection, [bench.job({ key: key ?? null, input })])
      assert.ok(!(answer instanceof Promise), 'this store enqueues at once')
      return answer
    },
    queued: async () => (await bench.store.jobs.counts({ scope: OPERATOR })).queued,
  }
}

test('a key that was used for another input adds nothing of its call, and the transaction goes on', async (t) => {
  const shop = await openShop(t)
  shop.connection.exec('BEGIN')
  shop.enqueue('k', '1')
  const answer = shop.store.transactions.enqueue(shop.connection, [shop.job(), shop.job({ key: 'k', input: '2' })])
  assert.partialDeepStrictEqual(answer, [{ outcome: 'created' }, { outcome: 'key-reused' }])
  shop.order('kept')
  shop.connection.exec('COMMIT')
  assert.equal(await shop.queued(), 1)
  assert.deepEqual(shop.orders(), ['kept'])
})

for (const thread of [true, false]) {
  const where = thread ? 'with a thread' : 'without a thread'

  test(`transaction() commits what its body did, or nothing where it throws, ${where}`, async (t) => {
    const shop = await openShop(t, thread)
    const { transactions } = shop.store
    const answer = await transactions.run(shop.connection, async () => {
      shop.order('kept')
      await Promise.resolve()
      return shop.enqueue()
    })
    assert.partialDeepStrictEqual(answer, [{ outcome: 'created' }])
    const failing = transactions.run(shop.connection, () => {
      shop.order('dropped')
      shop.enqueue()
      throw new Error('out of stock')
    })
    await assert.rejects(failing, /out of stock/)
    assert.equal(await shop.queued(), 1)
    assert.deepEqual(shop.orders(), ['kept'])
  })

  test(`transactions begun at once run one after the other, on one connection or two, ${where}`, async (t) => {
    const shop = await openShop(t, thread)
    const second = new DatabaseSync(shop.file)
    t.after(() => second.close())
    let open = 0
    const body = async (): Promise<void> => {
      open += 1
      assert.equal(open, 1)
      await shop.store.jobs.counts({ scope: OPERATOR })
      open -= 1
    }
    const { transactions } = shop.store
    const connections = [shop.connection, shop.connection, second, shop.connection]
    const running = connections.map((connection) => transactions.run(connection, body))
    await Promise.resolve()
    await Promise.all([...running, ...connections.map((connection) => transactions.run(connection, body))])
    const { promise, resolve } = Promise.withResolvers<void>()
    const first = transactions.run(shop.connection, () => promise)
    const late = shop.store.now().then(() => transactions.run(shop.connection, body))
    resolve()
    await Promise.all([first, late])
  })

  test(`calls made while a transaction is open are carried out after it, ${where}`, async (t) => {
    const shop = await openShop(t, thread)
    const { promise: opened, resolve: tellOpened } = Promise.withResolvers<void>()
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    const running = shop.store.transactions.run(shop.connection, async () => {
      shop.enqueue()
      tellOpened()
      await mayEnd
    })
    await opened
    const later = shop.add()
    assert.equal(await shop.queued(), 0)
    end()
    await Promise.all([running, later])
    assert.equal(await shop.queued(), 2)
  })

  test(`a session is kept through a transaction that takes longer than its lease, ${where}`, async (t) => {
    const shop = await openShop(t, thread)
    let lost = 0
    const holder = await shop.session({ leaseMs: 120 }, () => {
      lost += 1
    })
    await shop.add()
    await shop.take(holder)
    await shop.store.transactions.run(shop.connection, () => elapsed(400))
    assert.equal((await shop.sweep()).jobsReaped, 0)
    assert.equal(lost, 0)
  })

  test(`an open transaction of the application's delays the store's calls and does not hang it, ${where}`, async (t) => {
    const shop = await openShop(t, thread)
    shop.connection.exec('BEGIN IMMEDIATE')
    const call = shop.add()
    await elapsed(100)
    shop.connection.exec('COMMIT')
    await call
    assert.equal(await shop.queued(), 1)
  })

  test(`close waits for a transaction under way, and begins no more, ${where}`, async (t) => {
    const shop = await openShop(t, thread)
    const { transactions } = shop.store
    const { promise, resolve } = Promise.withResolvers<void>()
    const running = transactions.run(shop.connection, async () => {
      shop.enqueue()
      await promise
    })
    const closed = shop.store.close()
    await assert.rejects(
      transactions.run(shop.connection, () => undefined),
      { code: 'store-closed' },
    )
    resolve()
    await running
    await closed
    assert.throws(() => transactions.enqueue(shop.connection, []), { code: 'store-closed' })
    assert.equal(shop.connection.prepare('SELECT count(*) AS jobs FROM millrace_jobs').get()?.['jobs'], 1)
  })
}

test('enqueueing through a connection waits for the writer, and says so where it never could', async (t) => {
  const shop = await openShop(t)
  let calls: Promise<unknown>[] = []
  for (let n = 0; n < 40; n += 1) {
    calls.push(shop.add())
    await shop.store.now()
    shop.connection.exec('BEGIN')
    shop.enqueue()
    shop.connection.exec('COMMIT')
  }
  await Promise.all(calls)
  assert.equal(await shop.queued(), 80)
  calls = []
  shop.connection.exec('BEGIN')
  assert.deepEqual(shop.orders(), [])
  await shop.add()
  assert.throws(() => shop.enqueue(), { code: 'store-busy', message: /BEGIN IMMEDIATE/ })
  shop.connection.exec('ROLLBACK')
})

test('what a connection must be: open on this database, with a transaction', async (t) => {
  const shop = await openShop(t)
  const { transactions } = shop.store
  assert.throws(() => shop.enqueue(), { code: 'not-in-transaction' })
  const other = new DatabaseSync(newFile(t))
  const inMemory = new DatabaseSync(':memory:')
  for (const connection of [other, inMemory]) {
    connection.exec('BEGIN')
    assert.throws(() => transactions.enqueue(connection, [shop.job()]), { code: 'other-database' })
    await assert.rejects(
      transactions.run(connection, () => undefined),
      { code: 'other-database' },
    )
    connection.close()
  }
  assert.throws(() => transactions.enqueue({}, []), { code: 'option-invalid' })
  shop.connection.exec('BEGIN')
  await assert.rejects(
    transactions.run(shop.connection, () => undefined),
    { code: 'option-invalid' },
  )
  shop.connection.exec('COMMIT')
  const ended = transactions.run(shop.connection, () => shop.connection.exec('ROLLBACK'))
  await assert.rejects(ended, { code: 'not-in-transaction' })
  const memory = await openSqlite(t, { url: 'sqlite::memory:' })
  await assert.rejects(memory.store.transactions.run(inMemory, () => undefined))
})

test('a connection that reads rows as arrays or integers as bigints will do', async (t) => {
  const shop = await openShop(t)
  for (const options of [{ readBigInts: true }, { returnArrays: true }, { readBigInts: true, returnArrays: true }]) {
    const connection = new DatabaseSync(shop.file, options)
    const answer = await shop.store.transactions.run(connection, () =>
      shop.store.transactions.enqueue(connection, [shop.job({ key: 'k', labels: { a: 'b' } })]),
    )
    assert.equal(answer.length, 1)
    connection.close()
  }
  assert.equal(await shop.queued(), 1)
})

test('a path through a symbolic link names the same database', async (t) => {
  const shop = await openShop(t)
  const link = `${shop.file}-link`
  symlinkSync(shop.file, link)
  const linked = await openSqlite(t, { file: link })
  await linked.store.transactions.run(shop.connection, () =>
    linked.store.transactions.enqueue(shop.connection, [shop.job()]),
  )
  assert.equal(await linked.store.jobs.counts({ scope: OPERATOR }).then(({ queued }) => queued), 1)
})

test('what is added in several calls of a transaction is told in order, without what was rolled back', async (t) => {
  const shop = await openShop(t)
  const add = (...delays: readonly number[]): readonly string[] => {
    const jobs = delays.map((delayMs) => shop.job({ delayMs }))
    void shop.store.transactions.enqueue(shop.connection, jobs)
    return jobs.map(({ id }) => id)
  }
  shop.connection.exec('BEGIN')
  const first = add(0, 60_000, 0)
  shop.connection.exec('SAVEPOINT part')
  add(0, 0, 60_000)
  shop.connection.exec('ROLLBACK TO part')
  const second = add(60_000, 0)
  shop.connection.exec('COMMIT')
  const third = [await shop.add()]
  const events = await shop.store.events.read({ scope: OPERATOR, after: 0, limit: 10, jobId: null })
  assert.deepEqual(
    events.map(({ jobId, seq }) => [jobId, seq]),
    [...first, ...second, ...third].map((id) => [id, 1]),
  )
  assert.deepEqual(
    events.map(({ position }) => position),
    [1, 2, 3, 4, 5, 6],
  )
  const names = events.map(({ name }) => name)
  assert.deepEqual(names.slice(0, 5), ['job:queued', 'job:scheduled', 'job:queued', 'job:scheduled', 'job:queued'])
})
