import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { COMPLETE_ONLY_PHASE, RUN_NOW } from '../../src/core/plans.ts'
import { openBench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

export function queuesContract(open: OpenStore): void {
  describe('queues', () => {
    test('nothing of a paused queue is claimed until it is resumed', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      const stopped = await bench.add({ queue: 'slow', priority: -5 })
      const free = await bench.add({ queue: 'fast' })
      assert.ok(await bench.store.queues.pause('slow', 'ann'))
      assert.deepEqual(
        (await bench.claim(holder)).map(({ claim }) => claim.jobId),
        [free],
      )
      assert.deepEqual(await bench.claim(holder), [])
      assert.ok(await bench.store.queues.resume('slow', 'ann'))
      assert.deepEqual(
        (await bench.claim(holder)).map(({ claim }) => claim.jobId),
        [stopped],
      )
    })

    test('what runs goes on, and what is due waits in the queue', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const waiting = await bench.add({ delayMs: 10 })
      const other = await bench.add({ delayMs: 10_000 })
      await bench.store.queues.pause('map.export', 'ann')
      bench.advance(10)
      assert.deepEqual(await bench.claim(claim.holder), [])
      await bench.must(RUN_NOW, other)
      assert.deepEqual([(await bench.details(waiting)).state, (await bench.details(other)).state], ['queued', 'queued'])
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
    })

    test('a paused queue says since when and by whom, and a second pause changes nothing', async (t) => {
      const bench = await openBench(t, open)
      const now = await bench.store.now()
      assert.equal(await bench.store.queues.pause('slow', 'ann'), true)
      bench.advance(5)
      assert.equal(await bench.store.queues.pause('slow', 'bob'), false)
      const { paused } = await dumpStore(bench.store)
      assert.deepEqual(paused, [{ name: 'slow', pausedAt: now, pausedBy: 'ann', resumedAt: null, resumedBy: null }])
      assert.equal(await bench.store.queues.resume('slow', 'ann'), true)
      assert.equal(await bench.store.queues.resume('slow', 'ann'), false)
      assert.equal(await bench.store.queues.resume('never heard of', 'ann'), false)
      const queues = await bench.store.queues.list()
      assert.ok(queues.every(({ pausedAt, pausedBy }) => pausedAt === null && pausedBy === null))
    })

    test('a queue that is not paused any more says since when and by whom, until it is paused again', async (t) => {
      const bench = await openBench(t, open)
      await bench.store.queues.pause('slow', 'ann')
      bench.advance(5)
      const now = await bench.store.now()
      await bench.store.queues.resume('slow', 'bob')
      bench.advance(5)
      assert.equal(await bench.store.queues.resume('slow', 'cid'), false)
      const slow = async (): Promise<unknown> => (await bench.store.queues.list()).find(({ name }) => name === 'slow')
      assert.deepEqual(await slow(), { name: 'slow', pausedAt: null, pausedBy: null, resumedAt: now, resumedBy: 'bob' })
      const pausedAt = await bench.store.now()
      await bench.store.queues.pause('slow', 'ann')
      assert.deepEqual(await slow(), { name: 'slow', pausedAt, pausedBy: 'ann', resumedAt: null, resumedBy: null })
    })

    test('a queue may be paused before it has had a job', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      await bench.store.queues.pause('map.export', 'ann')
      await bench.add()
      assert.deepEqual(await bench.claim(holder), [])
    })

    test('of many pauses at once one changes something', async (t) => {
      const bench = await openBench(t, open)
      const answers = await Promise.all(['a', 'b', 'c'].map((actor) => bench.store.queues.pause('slow', actor)))
      assert.equal(answers.filter((changed) => changed).length, 1)
    })

    test('types that share a queue pause together', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      await bench.add({ type: 'a', queue: 'shared' })
      await bench.add({ type: 'b', queue: 'shared' })
      const free = await bench.add({ type: 'a', queue: 'own' })
      await bench.store.queues.pause('shared', 'ann')
      assert.deepEqual(
        (await bench.claim(holder, 9, ['a', 'b'])).map(({ claim }) => claim.jobId),
        [free],
      )
    })
  })
}
