import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { TypeRecord } from '../../src/store/job-types.ts'
import { ONE_PHASE, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

async function typesOf(bench: Bench): Promise<readonly TypeRecord[]> {
  const { types } = await dumpStore(bench.store)
  return types
}

export function jobTypesContract(open: OpenStore): void {
  describe('job types', () => {
    test('a registered type is listed with its service and its policy', async (t) => {
      const bench = await openBench(t, open)
      assert.deepEqual(await typesOf(bench), [])
      const now = await bench.store.now()
      const retention = { completed: { ageMs: 5, count: null }, failed: { ageMs: null } }
      const policy = { ...THREE_PHASES, timeoutMs: 1_000, retention }
      const registered = await bench.store.jobTypes.register('maps', [
        { type: 'b', queue: 'slow', policy },
        { type: 'a', queue: 'a', policy: ONE_PHASE },
      ])
      assert.deepEqual(registered, { accepted: true, epoch: 1 })
      const owned = { service: 'maps', registeredAt: now, epoch: 1, ownedSince: now, transfer: null }
      assert.deepEqual(await typesOf(bench), [
        { type: 'a', queue: 'a', policy: ONE_PHASE, ...owned },
        { type: 'b', queue: 'slow', policy, ...owned },
      ])
    })

    test('a type that only producers know is listed without a service', async (t) => {
      const bench = await openBench(t, open)
      await bench.add({ type: 'a', policy: THREE_PHASES })
      assert.deepEqual(await typesOf(bench), [
        {
          type: 'a',
          queue: 'a',
          policy: THREE_PHASES,
          service: null,
          registeredAt: null,
          epoch: 0,
          ownedSince: null,
          transfer: null,
        },
      ])
    })

    test("the owner's newest policy counts, for jobs that are there too", async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add()
      await bench.register({ ...ONE_PHASE, maxAttempts: 7 })
      assert.equal((await bench.details(id)).policy.maxAttempts, 7)
      assert.equal((await bench.details(id)).service, 'workers')
      await bench.register({ ...ONE_PHASE, maxAttempts: 8 })
      const { jobs } = await bench.store.jobs.list({ scope: { role: 'operator' }, limit: 1, after: null })
      assert.equal(jobs[0]?.policy.maxAttempts, 8)
      await bench.add({ policy: { ...ONE_PHASE, maxAttempts: 9 } })
      assert.equal((await bench.details(id)).policy.maxAttempts, 8)
    })

    test("until the owner has registered, the newest producer's policy counts", async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ policy: { ...ONE_PHASE, maxAttempts: 4 } })
      assert.equal((await bench.details(id)).policy.maxAttempts, 4)
      await bench.add({ policy: { ...ONE_PHASE, maxAttempts: 5 } })
      assert.equal((await bench.details(id)).policy.maxAttempts, 5)
      await bench.add({ policy: { ...ONE_PHASE, maxAttempts: 5 }, queue: 'slow' })
      assert.deepEqual(
        (await typesOf(bench)).map(({ queue }) => queue),
        ['slow'],
      )
    })

    test('a type that belongs to another service is refused, and nothing of the call is registered', async (t) => {
      const bench = await openBench(t, open)
      await bench.register(ONE_PHASE, 'a', 'maps')
      const before = await dumpStore(bench.store)
      const refused = await bench.store.jobTypes.register('books', [
        { type: 'new', queue: 'new', policy: ONE_PHASE },
        { type: 'a', queue: 'a', policy: THREE_PHASES },
        { type: 'newer', queue: 'newer', policy: ONE_PHASE },
      ])
      assert.deepEqual(refused, { accepted: false, type: 'a', service: 'maps' })
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('a session claims no job of a type that another service owns', async (t) => {
      const bench = await openBench(t, open)
      await bench.register(ONE_PHASE, 'a', 'maps')
      await bench.add({ type: 'a', queue: 'a' })
      const [books, maps] = [await bench.session({ service: 'books' }), await bench.session({ service: 'maps' })]
      assert.deepEqual((await bench.store.claims.claim({ holder: books, types: ['a'], limit: 1 })).jobs, [])
      assert.equal((await bench.take(maps, ['a'])).type, 'a')
    })

    test('of two services that come at once one becomes the owner', async (t) => {
      const bench = await openBench(t, open)
      const policy = ONE_PHASE
      const answers = await Promise.all(
        ['one', 'two', 'three'].map((service) =>
          bench.store.jobTypes.register(service, [{ type: 'a', queue: 'a', policy }]),
        ),
      )
      assert.equal(answers.filter(({ accepted }) => accepted).length, 1)
      const [type] = await typesOf(bench)
      assert.ok(answers.every((answer) => answer.accepted || answer.service === type?.service))
    })

    test('a registration of nothing is accepted', async (t) => {
      const bench = await openBench(t, open)
      assert.deepEqual(await bench.store.jobTypes.register('maps', []), { accepted: true, epoch: 1 })
      assert.deepEqual(await typesOf(bench), [])
    })
  })
}
