import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { CANCEL, COMPLETE_ONLY_PHASE, FAIL_FINAL, FAIL_RETRY, RETRY } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { openBench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

export function keysContract(open: OpenStore): void {
  describe('idempotency keys', () => {
    test('the same key with the same input names the job that is there, and adds nothing', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ key: 'order-7', priority: 1 })
      const before = await dumpStore(bench.store)
      const again = await bench.store.jobs.enqueue([
        bench.job({ key: 'order-7', priority: 2, delayMs: 9, owner: 'bob' }),
      ])
      assert.deepEqual(again, [{ outcome: 'duplicate', id, state: 'queued' }])
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('two inputs are the same if they are the same JSON, in whatever order their keys stand', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ key: 'k', input: '{"a":1,"b":[{"c":2,"d":"\\u00e9"}]}' })
      for (const input of ['{"b":[{"d":"é","c":2}],"a":1}', '{ "a": 1.0, "b": [ { "c": 2e0, "d": "é" } ] }']) {
        const [outcome] = await bench.store.jobs.enqueue([bench.job({ key: 'k', input })])
        assert.deepEqual(outcome, { outcome: 'duplicate', id, state: 'queued' })
      }
      for (const input of ['{"a":1,"b":[{"c":2}]}', '{"a":"1","b":[{"c":2,"d":"é"}]}', 'null', '[]']) {
        const [outcome] = await bench.store.jobs.enqueue([bench.job({ key: 'k', input })])
        assert.deepEqual(outcome, { outcome: 'key-reused', id })
      }
    })

    test('one reused key undoes its whole enqueue, and no other', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ key: 'k', input: '1' })
      const before = await dumpStore(bench.store)
      const jobs = [
        bench.job(),
        bench.job({ key: 'k', input: '2' }),
        bench.job({ type: 'new', key: 'new', uniqueKey: 'u' }),
      ]
      const outcomes = await bench.store.jobs.enqueue(jobs)
      assert.deepEqual(outcomes[1], { outcome: 'key-reused', id })
      assert.deepEqual(await dumpStore(bench.store), before)
      const good = bench.job({ key: 'new', type: 'new', uniqueKey: 'u' })
      const together = [jobs, [good], jobs, [bench.job({ key: 'k', input: '1' })]]
      const answers = await Promise.all(together.map((batch) => bench.store.jobs.enqueue(batch)))
      assert.deepEqual(answers[1], [{ outcome: 'created', id: good.id, state: 'queued' }])
      assert.deepEqual(answers[3], [{ outcome: 'duplicate', id, state: 'queued' }])
      const after = await dumpStore(bench.store)
      assert.deepEqual([after.jobs.length, after.jobs.slice(1)], [2, before.jobs])
    })

    test("a key is one tenant's and one type's", async (t) => {
      const bench = await openBench(t, open)
      const places = [
        { tenant: '' },
        { tenant: 'a' },
        { tenant: 'b' },
        { type: 'other' },
        { type: 'other', tenant: 'a' },
      ]
      const ids = []
      for (const place of places) ids.push(await bench.add({ key: 'k', ...place }))
      assert.equal(new Set(ids).size, places.length)
      for (const [index, place] of places.entries()) {
        const [again] = await bench.store.jobs.enqueue([bench.job({ key: 'k', ...place })])
        assert.equal(again?.id, ids[index])
      }
    })

    test('a key is held through every state of its job, for as long as the job is there', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ key: 'k', delayMs: 5 })
      const stateByKey = async (): Promise<string> => {
        const [outcome] = await bench.store.jobs.enqueue([bench.job({ key: 'k' })])
        assert.ok(outcome?.outcome === 'duplicate' && outcome.id === id)
        return outcome.state
      }
      assert.equal(await stateByKey(), 'scheduled')
      bench.advance(5)
      const holder = await bench.session()
      const { claim } = await bench.take(holder)
      assert.equal(await stateByKey(), 'running')
      await bench.must(FAIL_RETRY, claim, { delayMs: 1 })
      assert.equal(await stateByKey(), 'retrying')
      await bench.must(CANCEL, id, { actor: 'ann', reason: null })
      assert.equal(await stateByKey(), 'cancelled')
      bench.advance(25 * 60 * 60_000)
      assert.equal(await stateByKey(), 'cancelled')
    })

    test('the second of two equal keys in one enqueue is a duplicate of the first', async (t) => {
      const bench = await openBench(t, open)
      const first = bench.job({ key: 'k' })
      const other = bench.job()
      const outcomes = await bench.store.jobs.enqueue([first, bench.job({ key: 'k' }), other])
      assert.deepEqual(outcomes, [
        { outcome: 'created', id: first.id, state: 'queued' },
        { outcome: 'duplicate', id: first.id, state: 'queued' },
        { outcome: 'created', id: other.id, state: 'queued' },
      ])
    })

    test('of many that come with one key at once exactly one makes a job', async (t) => {
      const bench = await openBench(t, open)
      const racing = await Promise.all(
        Array.from({ length: 50 }, () => bench.store.jobs.enqueue([bench.job({ key: 'k' })])),
      )
      const outcomes = racing.flat()
      assert.equal(outcomes.filter(({ outcome }) => outcome === 'created').length, 1)
      assert.equal(outcomes.filter(({ outcome }) => outcome === 'duplicate').length, 49)
      assert.equal(new Set(outcomes.map(({ id }) => id)).size, 1)
      const counts = await bench.store.jobs.counts({ scope: OPERATOR })
      assert.equal(counts.queued, 1)
    })

    test('of many that come with one key and different inputs at once one wins and the others are told', async (t) => {
      const bench = await openBench(t, open)
      const racing = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          bench.store.jobs.enqueue([bench.job({ key: 'k', input: `${index}` })]),
        ),
      )
      const outcomes = racing.flat()
      assert.equal(outcomes.filter(({ outcome }) => outcome === 'created').length, 1)
      assert.equal(outcomes.filter(({ outcome }) => outcome === 'key-reused').length, 19)
    })
  })

  describe('unique keys', () => {
    test('an unfinished job keeps others of its unique key out, with any input, until it has finished', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      const id = await bench.add({ uniqueKey: 'u', delayMs: 5 })
      const enqueueAgain = async (): Promise<object | undefined> => {
        const [outcome] = await bench.store.jobs.enqueue([bench.job({ uniqueKey: 'u', input: '"other"' })])
        return outcome
      }
      assert.deepEqual(await enqueueAgain(), { outcome: 'duplicate', id, state: 'scheduled' })
      bench.advance(5)
      const { claim } = await bench.take(holder)
      assert.deepEqual(await enqueueAgain(), { outcome: 'duplicate', id, state: 'running' })
      await bench.must(FAIL_RETRY, claim, { delayMs: 0 })
      assert.deepEqual(await enqueueAgain(), { outcome: 'duplicate', id, state: 'retrying' })
      const { claim: second } = await bench.take(holder)
      await bench.must(FAIL_FINAL, second)
      const next = await bench.add({ uniqueKey: 'u' })
      assert.notEqual(next, id)
    })

    test("a unique key is one tenant's and one type's", async (t) => {
      const bench = await openBench(t, open)
      for (const place of [{ tenant: '' }, { tenant: 'a' }, { type: 'other' }, { type: 'other', tenant: 'a' }]) {
        await bench.add({ uniqueKey: 'u', ...place })
      }
    })

    test('the second of two equal unique keys in one enqueue is a duplicate of the first', async (t) => {
      const bench = await openBench(t, open)
      const first = bench.job({ uniqueKey: 'u' })
      const outcomes = await bench.store.jobs.enqueue([first, bench.job({ uniqueKey: 'u' })])
      assert.deepEqual(outcomes[1], { outcome: 'duplicate', id: first.id, state: 'queued' })
    })

    test('of many that come with one unique key at once exactly one makes a job', async (t) => {
      const bench = await openBench(t, open)
      const racing = await Promise.all(
        Array.from({ length: 50 }, () => bench.store.jobs.enqueue([bench.job({ uniqueKey: 'u' })])),
      )
      const created = racing.flat().filter(({ outcome }) => outcome === 'created')
      assert.equal(created.length, 1)
    })

    test('a job that was kept out by a unique key has not taken its idempotency key', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ uniqueKey: 'u' })
      const [kept] = await bench.store.jobs.enqueue([bench.job({ uniqueKey: 'u', key: 'k' })])
      assert.deepEqual(kept, { outcome: 'duplicate', id, state: 'queued' })
      await bench.must(CANCEL, id)
      const later = await bench.add({ uniqueKey: 'u', key: 'k' })
      assert.notEqual(later, id)
    })

    test('the idempotency key counts before the unique key', async (t) => {
      const bench = await openBench(t, open)
      const keyed = await bench.add({ key: 'k' })
      await bench.add({ uniqueKey: 'u' })
      const [outcome] = await bench.store.jobs.enqueue([bench.job({ key: 'k', uniqueKey: 'u' })])
      assert.deepEqual(outcome, { outcome: 'duplicate', id: keyed, state: 'queued' })
    })

    test('a retry is refused while another unfinished job holds the unique key, and changes nothing', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ uniqueKey: 'u' })
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
      const other = await bench.add({ uniqueKey: 'u' })
      const { generation: seenGeneration, fence: seenFence } = await bench.details(claim.jobId)
      const before = await dumpStore(bench.store)
      const refused = await bench.act(RETRY, claim.jobId, { phase: 0, seenGeneration, seenFence })
      assert.equal(refused.applied ? null : refused.refusal, 'unique-held')
      assert.deepEqual(await dumpStore(bench.store), before)
      await bench.must(CANCEL, other)
      await bench.must(RETRY, claim.jobId, { phase: 0, seenGeneration, seenFence })
      const [kept] = await bench.store.jobs.enqueue([bench.job({ uniqueKey: 'u' })])
      assert.deepEqual(kept, { outcome: 'duplicate', id: claim.jobId, state: 'queued' })
    })
  })
}
