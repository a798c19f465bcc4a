import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { CANCEL, CHECKPOINT, COMPLETE, COMPLETE_ONLY_PHASE, FAIL_RETRY, LOG, PROGRESS } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { openBench, THREE_PHASES } from '../support/contract-bench.ts'
import { listAll } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

export function batchesContract(open: OpenStore): void {
  describe('calls that arrive together', () => {
    test('a thousand enqueues at once are each answered and kept', async (t) => {
      const bench = await openBench(t, open)
      const jobs = Array.from({ length: 1_000 }, (_, index) =>
        bench.job({ input: `${index}`, labels: { n: `${index % 7}` } }),
      )
      const answers = await Promise.all(jobs.map((job) => bench.store.jobs.enqueue([job])))
      assert.deepEqual(
        answers,
        jobs.map(({ id }) => [{ outcome: 'created', id, state: 'queued' }]),
      )
      const listed = await listAll(bench.store)
      assert.deepEqual(new Set(listed.map(({ id }) => id)), new Set(jobs.map(({ id }) => id)))
      assert.equal(await bench.store.events.latest().then((latest) => latest >= 1_000), true)
      const { jobs: labelled } = await bench.store.jobs.list({
        scope: OPERATOR,
        limit: 500,
        after: null,
        labels: { n: '3' },
      })
      assert.equal(labelled.length, 143)
    })

    test('a thousand completions at once are each answered and kept', async (t) => {
      const bench = await openBench(t, open)
      await bench.store.jobs.enqueue(Array.from({ length: 1_000 }, () => bench.job()))
      const claimed = await bench.claim(await bench.session(), 1_000)
      const results = await Promise.all(
        claimed.map(({ claim }, index) => bench.act(COMPLETE_ONLY_PHASE, claim, { output: `${index}` })),
      )
      assert.ok(results.every(({ applied }) => applied))
      assert.equal((await bench.store.jobs.counts({ scope: OPERATOR })).completed, 1_000)
      for (const index of [0, 1, 499, 999]) {
        const { jobId } = claimed[index]?.claim ?? { jobId: '' }
        assert.equal((await bench.details(jobId)).output, `${index}`)
      }
    })

    test('acts on one job are carried out in the order in which they were made', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ policy: THREE_PHASES })
      const results = await Promise.all([
        bench.act(LOG, claim, {}, { detail: '{"n":1}' }),
        bench.act(CHECKPOINT, claim, { progress: 33 }, { result: '1' }),
        bench.act(LOG, claim, {}, { detail: '{"n":2}' }),
        bench.act(CHECKPOINT, claim, { progress: 66 }, { result: '2' }),
        bench.act(COMPLETE, claim),
        bench.act(CHECKPOINT, claim, { progress: 100 }, { result: '3' }),
        bench.act(COMPLETE, claim),
        bench.act(LOG, claim, {}, { detail: '{"n":3}' }),
        bench.act(CANCEL, claim.jobId),
      ])
      assert.deepEqual(
        results.map((result) => (result.applied ? 'applied' : result.refusal)),
        ['applied', 'applied', 'applied', 'applied', 'phases-left', 'applied', 'applied', 'lease-lost', 'final'],
      )
      const events = await bench.events(claim.jobId)
      assert.deepEqual(
        events.slice(2).map(({ name }) => name),
        ['job:log', 'phase:completed', 'job:log', 'phase:completed', 'phase:completed', 'job:completed'],
      )
    })

    test('acts on many jobs, good and refused in any mixture, are each answered for themselves', async (t) => {
      const bench = await openBench(t, open)
      await bench.store.jobs.enqueue(Array.from({ length: 60 }, () => bench.job()))
      const claimed = await bench.claim(await bench.session(), 60)
      const calls = claimed.map(({ claim }, index) => {
        const stale = { ...claim, fence: claim.fence + 1 }
        const target = index % 3 === 0 ? stale : claim
        if (index % 4 === 0) return bench.act(FAIL_RETRY, target, { delayMs: 5 })
        if (index % 4 === 1) return bench.act(COMPLETE, target)
        if (index % 4 === 2) return bench.act(PROGRESS, target, { progress: 10 })
        return bench.act(COMPLETE_ONLY_PHASE, target, { output: '1' })
      })
      const results = await Promise.all(calls)
      const said = results.map((result) => (result.applied ? 'applied' : result.refusal))
      const expected = claimed.map((_claim, index) => {
        if (index % 3 === 0) return 'lease-lost'
        return index % 4 === 1 ? 'phases-left' : 'applied'
      })
      assert.deepEqual(said, expected)
      const counts = await bench.store.jobs.counts({ scope: OPERATOR })
      assert.deepEqual([counts.retrying, counts.completed, counts.running], [10, 10, 40])
    })

    test('an enqueue and a claim of the same moment lose no job and give none out twice', async (t) => {
      const bench = await openBench(t, open)
      const holders = [await bench.session(), await bench.session()]
      const taken: string[] = []
      for (let round = 0; round < 20; round += 1) {
        const [, ...claims] = await Promise.all([
          bench.store.jobs.enqueue([bench.job(), bench.job(), bench.job()]),
          bench.claim(holders[0] ?? 0, 1),
          bench.claim(holders[1] ?? 0, 5),
        ])
        taken.push(...claims.flat().map(({ claim }) => claim.jobId))
      }
      taken.push(...(await bench.claim(holders[0] ?? 0, 100)).map(({ claim }) => claim.jobId))
      assert.equal(taken.length, 60)
      assert.equal(new Set(taken).size, 60)
    })
  })
}
