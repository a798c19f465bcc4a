import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Claim } from '../../src/core/job-row.ts'
import {
  CANCEL,
  COMPLETE_ONLY_PHASE,
  END_OF_GRACE,
  FAIL_RETRY,
  FORCE_RESET,
  RELEASE,
  RETRY,
} from '../../src/core/plans.ts'
import type { StopNote } from '../../src/store/attempt-stops.ts'
import { attemptError, LEASE_MS, openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

/** Every attempt with what is known of its stop. */
async function stopsOf(bench: Bench, id: string): Promise<readonly unknown[]> {
  const { attempts } = await bench.details(id)
  return attempts.map(({ attempt, outcome, stoppedAt, stoppedBy }) => [attempt, outcome, stoppedAt, stoppedBy])
}

function noteOf({ jobId, holder }: Claim, note: Partial<StopNote> = {}): StopNote {
  return { jobId, holder, attempt: 1, stoppedBy: 'terminate', ...note }
}

export function attemptStopsContract(open: OpenStore): void {
  describe('the stop of an attempt', () => {
    test('is known with its end, where its code had stopped before', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const { startedAt } = await bench.details(claim.jobId)
      bench.advance(7)
      await bench.must(FAIL_RETRY, claim, { delayMs: 0 }, { error: attemptError('no paper'), stoppedBy: 'handler' })
      assert.deepEqual(await stopsOf(bench, claim.jobId), [[1, 'failed', (startedAt ?? 0) + 7, 'handler']])
      assert.equal(await bench.store.claims.noteStop(noteOf(claim)), false, 'it is known already')
    })

    test('is noted later, once, and nothing else of the job changes', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(RELEASE, claim)
      const { attempts, ...before } = await bench.details(claim.jobId)
      assert.equal(attempts[0]?.stoppedAt, null)
      const events = await bench.events(claim.jobId)
      bench.advance(40)
      assert.equal(await bench.store.claims.noteStop(noteOf(claim, { stoppedBy: 'SIGKILL' })), true)
      const { attempts: noted, ...after } = await bench.details(claim.jobId)
      const { stoppedAt, stoppedBy } = noted[0] ?? {}
      assert.deepEqual([stoppedAt, stoppedBy], [(attempts[0]?.endedAt ?? 0) + 40, 'SIGKILL'])
      assert.deepEqual(after, before)
      assert.deepEqual(await bench.events(claim.jobId), events)
      bench.advance(1)
      assert.equal(await bench.store.claims.noteStop(noteOf(claim, { stoppedBy: 'handler' })), false)
      assert.deepEqual((await bench.details(claim.jobId)).attempts, noted)
    })

    test('is noted by the session that held the attempt alone, and on that attempt alone', async (t) => {
      const bench = await openBench(t, open)
      const { claim: first } = await bench.running()
      await bench.must(RELEASE, first)
      const { claim: second } = await bench.take(await bench.session())
      await bench.must(RELEASE, second)
      const { jobId } = first
      const { claims } = bench.store
      assert.equal(await claims.noteStop(noteOf(second, { attempt: 1 })), false)
      assert.equal(await claims.noteStop(noteOf(first, { attempt: 2 })), false)
      assert.equal(await claims.noteStop(noteOf(first, { attempt: 3 })), false)
      assert.equal(await claims.noteStop(noteOf(first, { holder: first.holder + 1 })), false)
      assert.equal(await claims.noteStop(noteOf(first, { jobId: bench.job().id })), false)
      assert.deepEqual(await stopsOf(bench, jobId), [
        [1, 'released', null, null],
        [2, 'released', null, null],
      ])
      assert.equal(await claims.noteStop(noteOf(second, { attempt: 2, stoppedBy: 'SIGTERM' })), true)
      const stops = (await bench.details(jobId)).attempts.map(({ stoppedBy }) => stoppedBy)
      assert.deepEqual(stops, [null, 'SIGTERM'])
    })

    test('is noted by a session that has lost the job, and even its lease', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.renew(FORCE_RESET, claim.jobId)
      assert.equal(await bench.store.claims.noteStop(noteOf(claim)), true)
      const { claim: next } = await bench.take(await bench.session())
      await bench.store.sessions.abandon(next.holder)
      bench.advance(LEASE_MS + 1)
      await bench.sweep()
      assert.equal(await bench.store.claims.noteStop(noteOf(next, { attempt: 2, stoppedBy: 'handler' })), true)
      const stops = (await bench.details(claim.jobId)).attempts.map(({ outcome, stoppedBy }) => [outcome, stoppedBy])
      assert.deepEqual(stops, [
        ['forced', 'terminate'],
        ['lost', 'handler'],
      ])
    })

    test('of a running attempt cannot be noted', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      assert.equal(await bench.store.claims.noteStop(noteOf(claim)), false)
      assert.deepEqual(await stopsOf(bench, claim.jobId), [[1, 'running', null, null]])
    })

    test('of one that completed is its end, also after a retry', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      bench.advance(3)
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
      const { finishedAt } = await bench.details(claim.jobId)
      assert.deepEqual(await stopsOf(bench, claim.jobId), [[1, 'completed', finishedAt, 'handler']])
      assert.equal(await bench.store.claims.noteStop(noteOf(claim)), false)
      bench.advance(5)
      await bench.renew(RETRY, claim.jobId)
      assert.deepEqual(await stopsOf(bench, claim.jobId), [[1, 'completed', finishedAt, 'handler']])
      assert.equal(await bench.store.claims.noteStop(noteOf(claim)), false)
    })

    test('of a cancelled one is noted after its end', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(CANCEL, claim.jobId, { actor: 'ann', reason: null })
      await bench.must(END_OF_GRACE, claim)
      bench.advance(2)
      assert.equal(await bench.store.claims.noteStop(noteOf(claim)), true)
      const { finishedAt } = await bench.details(claim.jobId)
      assert.deepEqual(await stopsOf(bench, claim.jobId), [[1, 'cancelled', (finishedAt ?? 0) + 2, 'terminate']])
    })
  })
}
