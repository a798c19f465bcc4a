import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ARTIFACT, CANCEL, CHECKPOINT, COMPLETE_ONLY_PHASE, FAIL_RETRY, PROGRESS } from '../../src/core/plans.ts'
import { openBench, benchOf, THREE_PHASES } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

/** For stores that keep what they were told. */
export function durabilityContract(open: OpenStore): void {
  describe('what outlives the process', () => {
    test('a store that is opened again is as it was left, down to the claims', async (t) => {
      const bench = await openBench(t, open)
      await bench.register(THREE_PHASES)
      await bench.store.queues.pause('slow', 'ann')
      const { claim } = await bench.running()
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: JSON.stringify('é'.repeat(500)) })
      await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact() })
      const { claim: done } = await bench.running({ type: 'one', key: 'k', input: JSON.stringify('x'.repeat(5_000)) })
      await bench.must(COMPLETE_ONLY_PHASE, done, { output: JSON.stringify('y'.repeat(5_000)) })
      const { claim: failed } = await bench.running({ type: 'two' })
      await bench.must(FAIL_RETRY, failed, { delayMs: 50 })
      await bench.must(CANCEL, await bench.add({ labels: { c: '1' } }), { actor: 'ann', reason: 'no more' })
      const before = await dumpStore(bench.store)
      assert.ok(bench.reopen !== undefined)
      const reopened = await bench.reopen()
      t.after(() => reopened.close())
      assert.deepEqual(await dumpStore(reopened.store), before)
      const again = benchOf(reopened)
      await again.must(PROGRESS, claim, { progress: 50 })
      const [duplicate] = await again.store.jobs.enqueue([again.job({ type: 'one', key: 'k' })])
      assert.equal(duplicate?.outcome, 'key-reused')
      assert.equal(duplicate?.id, done.jobId)
    })

    test('positions in the log go on where they were', async (t) => {
      const bench = await openBench(t, open)
      await bench.add()
      const latest = await bench.store.events.latest()
      const reopened = await bench.reopen?.()
      assert.ok(reopened !== undefined)
      t.after(() => reopened.close())
      assert.equal(await reopened.store.events.latest(), latest)
      await benchOf(reopened).add()
      assert.ok((await reopened.store.events.latest()) > latest)
    })

    test('a session of a process that is gone dies when its lease is over', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const reopened = await bench.reopen?.()
      assert.ok(reopened !== undefined)
      t.after(() => reopened.close())
      const again = benchOf(reopened)
      for (let minute = 0; minute < 29; minute += 1) {
        again.advance(60_000)
        assert.equal((await again.sweep()).jobsReaped, 0)
      }
      again.advance(60_000)
      assert.equal((await again.sweep()).jobsReaped, 1)
      assert.equal((await again.details(claim.jobId)).state, 'queued')
    })
  })
}
