/** Transactions are committed in another order than they were numbered in; a reader of the log passes over none of them all the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import * as fc from 'fast-check'
import pg from 'pg'

import { COMPLETE_ONLY_PHASE, LOG, PROGRESS_TOLD } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { EventRecord } from '../../src/store/events.ts'
import type { Store } from '../../src/store/store.ts'
import { benchOf, openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { openPostgres } from '../support/open-postgres.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { scaled } from '../support/scale.ts'
import type { StoreUnderTest } from '../support/store-under-test.ts'

/** Goes on where it was, a few events at a time. */
class Reader {
  readonly #store: Store
  readonly seen: EventRecord[] = []

  constructor(store: Store) {
    this.#store = store
  }

  async readOn(): Promise<void> {
    for (;;) {
      const after = this.seen.at(-1)?.position ?? 0
      const page = await this.#store.events.read({ scope: OPERATOR, after, limit: 3, jobId: null })
      if (page.length === 0) return
      this.seen.push(...page)
    }
  }

  get jobs(): readonly string[] {
    return this.seen.map(({ jobId }) => jobId)
  }
}

/** Each event once, places that only rise, and the events of a job in their order without a gap. */
function assertInOrder(events: readonly EventRecord[]): void {
  const positions = events.map(({ position }) => position)
  assert.deepEqual(
    positions,
    [...new Set(positions)].toSorted((one, other) => one - other),
  )
  for (const [jobId, own] of Map.groupBy(events, (event) => event.jobId)) {
    assert.deepEqual(
      own.map(({ seq }) => seq),
      own.map((_, index) => index + 1),
      jobId,
    )
  }
}

interface OpenTransaction {
  readonly id: string
  /** Commits it, or rolls it back. */
  readonly end: (how: 'COMMIT' | 'ROLLBACK') => Promise<void>
}

/** A transaction of an application's that has added a job, and so has its number in the log. */
async function addAndWait({ store, job }: Pick<Bench, 'store' | 'job'>): Promise<OpenTransaction> {
  const client = new pg.Client(await postgresUrl())
  await client.connect()
  await client.query('BEGIN')
  const added = job()
  await store.transactions.enqueue(client, [added])
  return {
    id: added.id,
    async end(how) {
      await client.query(how)
      await client.end()
    },
  }
}

async function anotherOf(context: TestContext, bench: StoreUnderTest): Promise<Bench> {
  const opened = await bench.another?.()
  assert.ok(opened !== undefined)
  context.after(() => opened.close())
  return benchOf(opened)
}

test('what was numbered first and committed last is read last, and not passed over', async (context) => {
  const bench = await openBench(context, openPostgres)
  const elsewhere = await anotherOf(context, bench)
  const reader = new Reader(elsewhere.store)
  const first = await addAndWait(bench)
  const second = await addAndWait(bench)
  const third = await bench.add()
  await reader.readOn()
  assert.deepEqual(reader.jobs, [third])
  await second.end('COMMIT')
  await reader.readOn()
  assert.deepEqual(reader.jobs, [third, second.id])
  await first.end('COMMIT')
  await reader.readOn()
  assert.deepEqual(reader.jobs, [third, second.id, first.id])
  assertInOrder(reader.seen)
  const again = new Reader(bench.store)
  await again.readOn()
  assert.deepEqual(again.seen, reader.seen, 'it is the same log to everybody')
})

test('what was rolled back leaves no place that a reader would wait for', async (context) => {
  const bench = await openBench(context, openPostgres)
  const reader = new Reader(bench.store)
  const undone = await addAndWait(bench)
  const id = await bench.add()
  await undone.end('ROLLBACK')
  await reader.readOn()
  assert.deepEqual(reader.jobs, [id])
  assert.equal(await bench.store.events.latest(), reader.seen.at(-1)?.position)
})

test('in whatever order transactions are committed, a reader that looks after each sees every event once', async (context) => {
  const bench = await openBench(context, openPostgres)
  const reader = new Reader(bench.store)
  const orders = fc.array(fc.record({ commits: fc.nat(), undone: fc.boolean() }), { minLength: 2, maxLength: 6 })
  const property = fc.asyncProperty(orders, async (order) => {
    const before = reader.seen.length
    const open = await Promise.all(order.map(() => addAndWait(bench)))
    const committed: string[] = []
    for (const { commits, undone } of order) {
      const [one] = open.splice(commits % open.length, 1)
      assert.ok(one !== undefined)
      await one.end(undone ? 'ROLLBACK' : 'COMMIT')
      if (!undone) committed.push(one.id)
      await reader.readOn()
      assert.deepEqual(reader.jobs.slice(before), committed)
    }
  })
  await fc.assert(property, { numRuns: scaled(20) })
  assertInOrder(reader.seen)
})

test('several stores that write and read at once read one log, each job in its order', async (context) => {
  const bench = await openBench(context, openPostgres)
  const stores = [bench, await anotherOf(context, bench), await anotherOf(context, bench)]
  const readers = stores.map(({ store }) => new Reader(store))
  const writing = new Set(stores)
  const write = async (own: Bench): Promise<void> => {
    const holder = await own.session()
    for (let round = 0; round < scaled(10); round += 1) {
      await own.store.jobs.enqueue(Array.from({ length: 5 }, () => own.job()))
      const claimed = await own.claim(holder, 5)
      await Promise.all(
        claimed.map(async ({ claim }) => {
          await own.act(PROGRESS_TOLD, claim, { progress: 10 })
          await own.act(LOG, claim, {}, { detail: '{}' })
          await own.act(COMPLETE_ONLY_PHASE, claim, { output: '1' })
        }),
      )
    }
    writing.delete(own)
  }
  const read = async (reader: Reader): Promise<void> => {
    while (writing.size > 0) await reader.readOn()
    await reader.readOn()
  }
  await Promise.all([...stores.map(write), ...readers.map(read)])
  const [first] = readers
  for (const { seen } of readers) {
    assertInOrder(seen)
    assert.deepEqual(seen, first?.seen)
  }
  assert.equal(first?.seen.at(-1)?.position, await bench.store.events.latest())
})
