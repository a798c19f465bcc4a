import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Claim } from '../../src/core/job-row.ts'
import type { Json } from '../../src/core/json.ts'
import {
  CANCEL,
  CHECKPOINT,
  COMPLETE_ONLY_PHASE,
  FAIL_FINAL,
  FAIL_RETRY,
  LOG,
  PROGRESS,
  PROGRESS_TOLD,
  RELEASE,
} from '../../src/core/plans.ts'
import { attemptError, LEASE_MS, MINUTE, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

/** Tells progress with an event, as a worker does. */
async function tell(bench: Bench, claim: Claim, phase: string, context?: Json): Promise<void> {
  const detail = JSON.stringify({ percent: 10, phase, ...(context === undefined ? {} : { context }) })
  await bench.must(PROGRESS_TOLD, claim, { progress: 10 }, { detail })
}

/** What is kept of the latest attempt that ended: how, and what it told last. */
async function cutOff(bench: Bench, { jobId }: Claim): Promise<readonly unknown[]> {
  const ended = (await bench.details(jobId)).attempts.findLast(({ endedAt }) => endedAt !== null)
  const error = JSON.parse(ended?.error ?? 'null') as Readonly<Record<string, Json>> | null
  return [ended?.outcome, error?.['context']]
}

export function attemptsContract(open: OpenStore): void {
  describe('attempts', () => {
    test('a failure that may be tried again waits its time and leaves a row', async (t) => {
      const bench = await openBench(t, open)
      const { claim, startedAt } = await bench.running({ policy: THREE_PHASES })
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '1' })
      await bench.must(PROGRESS, claim, { progress: 40 })
      bench.advance(100)
      const detail =
        '{"error":{"name":"Error","message":"no paper"},"verdict":{"fatal":false,"rule":"unknown"},"runInMs":250}'
      await bench.must(FAIL_RETRY, claim, { delayMs: 250 }, { detail, error: attemptError('no paper') })
      const { state, failures, runAt, holder, deadlineAt, finishedAt, attempts, worker, fence } = await bench.details(
        claim.jobId,
      )
      assert.deepEqual(
        { state, failures, runAt, holder, deadlineAt, finishedAt, fence },
        {
          state: 'retrying',
          failures: 1,
          runAt: startedAt + 350,
          holder: null,
          deadlineAt: null,
          finishedAt: null,
          fence: 1,
        },
      )
      assert.deepEqual(attempts, [
        {
          attempt: 1,
          generation: 1,
          startedAt,
          endedAt: startedAt + 100,
          outcome: 'failed',
          phase: 'render',
          progress: 40,
          error: attemptError('no paper'),
          stoppedAt: null,
          stoppedBy: null,
          worker,
        },
      ])
      const told = (await bench.events(claim.jobId)).at(-1)
      assert.deepEqual([told?.name, told?.detail], ['job:retrying', detail])
    })

    test('a failure for good is final', async (t) => {
      const bench = await openBench(t, open)
      const { claim, startedAt } = await bench.running()
      await bench.must(FAIL_FINAL, claim, {}, { error: attemptError() })
      const { state, failures, finishedAt, attempts } = await bench.details(claim.jobId)
      assert.deepEqual([state, failures, finishedAt, attempts[0]?.outcome], ['failed', 1, startedAt, 'failed'])
      assert.equal((await bench.eventNames(claim.jobId)).at(-1), 'job:failed')
    })

    test('a release counts no failure and puts the job back', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(RELEASE, claim, {}, { detail: '{"why":"shutdown"}' })
      const { state, failures, attempts } = await bench.details(claim.jobId)
      assert.deepEqual([state, failures, attempts[0]?.outcome, attempts[0]?.error], ['queued', 0, 'released', null])
      const told = (await bench.events(claim.jobId)).at(-1)
      assert.deepEqual(
        [told?.name, JSON.parse(told?.detail ?? '')],
        ['job:queued', { why: 'shutdown', cause: 'release' }],
      )
    })

    test('the history has every attempt, oldest first, and the one that runs', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      const id = await bench.add()
      const { claim: first } = await bench.take(holder)
      await bench.must(FAIL_RETRY, first, { delayMs: 0 }, { error: attemptError('one') })
      const { claim: second } = await bench.take(holder)
      await bench.must(RELEASE, second)
      const { claim: third } = await bench.take(holder)
      const outcomes = async (): Promise<readonly unknown[]> =>
        (await bench.details(id)).attempts.map(({ attempt, outcome }) => [attempt, outcome])
      assert.deepEqual(await outcomes(), [
        [1, 'failed'],
        [2, 'released'],
        [3, 'running'],
      ])
      await bench.must(COMPLETE_ONLY_PHASE, third, { output: '1' })
      assert.deepEqual(await outcomes(), [
        [1, 'failed'],
        [2, 'released'],
        [3, 'completed'],
      ])
    })

    describe('that were cut off', () => {
      const page = { page: 7, of: 'ü' }

      test('keep what they told last, whoever takes the job away', async (t) => {
        const bench = await openBench(t, open)
        const orphan = await bench.running()
        const late = await bench.running({ type: 'late', policy: { ...THREE_PHASES, phases: ['run'], timeoutMs: 100 } })
        const stopping = await bench.running({ type: 'stopping' })
        const driven = await bench.byHand(await bench.add({ type: 'driven' }))
        for (const claim of [orphan.claim, late.claim, stopping.claim, driven]) {
          await tell(bench, claim, 'run', { page: 6 })
          await tell(bench, claim, 'run', page)
          await bench.must(LOG, claim, {}, { detail: '{"message":"on we go"}' })
          await bench.must(PROGRESS, claim, { progress: 12 })
        }
        await bench.must(CANCEL, stopping.claim.jobId, { actor: 'ann', reason: null })
        bench.advance(MINUTE)
        await bench.sweep()
        assert.deepEqual(await cutOff(bench, late.claim), ['timed-out', page])
        assert.deepEqual(await cutOff(bench, stopping.claim), ['cancelled', page])
        await bench.store.sessions.abandon(orphan.claim.holder)
        bench.advance(LEASE_MS)
        await bench.sweep()
        assert.deepEqual(await cutOff(bench, orphan.claim), ['lost', page])
        assert.deepEqual(await cutOff(bench, driven), ['lost', page])
      })

      test('keep nothing of an earlier phase, or of an earlier attempt', async (t) => {
        const bench = await openBench(t, open)
        const { claim } = await bench.running({ policy: THREE_PHASES })
        await tell(bench, claim, 'load', page)
        await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '1' })
        await bench.store.sessions.end(claim.holder)
        await bench.sweep()
        assert.deepEqual(await cutOff(bench, claim), ['lost', undefined])
        const { claim: second } = await bench.take(await bench.session())
        await tell(bench, second, 'render', page)
        await bench.store.sessions.end(second.holder)
        await bench.sweep()
        assert.deepEqual(await cutOff(bench, second), ['lost', page])
        const { claim: third } = await bench.take(await bench.session())
        await bench.store.sessions.end(third.holder)
        await bench.sweep()
        assert.deepEqual(await cutOff(bench, third), ['lost', undefined])
      })

      test('keep the latest word, also where it came without a context', async (t) => {
        const bench = await openBench(t, open)
        const { claim } = await bench.running()
        await tell(bench, claim, 'run', page)
        await tell(bench, claim, 'run')
        await bench.store.sessions.end(claim.holder)
        await bench.sweep()
        assert.deepEqual(await cutOff(bench, claim), ['lost', undefined])
      })
    })
  })
}
