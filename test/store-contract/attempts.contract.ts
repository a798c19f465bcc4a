import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { CHECKPOINT, COMPLETE_ONLY_PHASE, FAIL_FINAL, FAIL_RETRY, PROGRESS, RELEASE } from '../../src/core/plans.ts'
import { attemptError, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

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
  })
}
