import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Claim } from '../../src/core/job-row.ts'
import type { PlanValues } from '../../src/core/plan.ts'
import {
  ARTIFACT,
  CANCEL,
  CHECKPOINT,
  COMPLETE,
  COMPLETE_ONLY_PHASE,
  FAIL_FINAL,
  FAIL_RETRY,
  FORCE_FAIL,
  FORCE_RESET,
  PROGRESS,
  RELEASE,
  RETRY,
  RUN_NOW,
} from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { attemptError, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

async function seen(bench: Bench, id: string): Promise<PlanValues> {
  const { generation: seenGeneration, fence: seenFence } = await bench.details(id)
  return { seenGeneration, seenFence }
}

/** A job of three phases that failed for good in its last one. */
async function failedInLastPhase(bench: Bench): Promise<Claim> {
  const { claim } = await bench.running({ policy: THREE_PHASES, delayMs: 0 })
  await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '"load 1"' })
  await bench.must(CHECKPOINT, claim, { progress: 66 }, { result: '"render 1"' })
  await bench.must(FAIL_FINAL, claim, {}, { error: attemptError() })
  return claim
}

export function retryContract(open: OpenStore): void {
  describe('retrying', () => {
    test('a retry is a new generation that starts where it is told and keeps the results before', async (t) => {
      const bench = await openBench(t, open)
      const { jobId, holder } = await failedInLastPhase(bench)
      bench.advance(10)
      const now = await bench.store.now()
      await bench.renew(RETRY, jobId, 1)
      const details = await bench.details(jobId)
      assert.deepEqual(
        { ...details },
        {
          ...details,
          state: 'queued',
          generation: 2,
          fence: 2,
          attempt: 1,
          failures: 0,
          strikes: 0,
          suspect: false,
          runAt: now,
          phase: 1,
          progress: 100 / 3,
          finishedAt: null,
          output: null,
          phaseStartedAt: null,
        },
      )
      assert.deepEqual(
        details.phases.map(({ state, result }) => [state, result]),
        [
          ['done', '"load 1"'],
          ['pending', null],
          ['pending', null],
        ],
      )
      const told = (await bench.events(jobId)).at(-1)
      assert.deepEqual([told?.name, told?.detail], ['job:queued', '{"cause":"retry"}'])
      const claimed = await bench.take(holder)
      assert.deepEqual([claimed.phase, claimed.results, claimed.attempt, claimed.generation], [1, ['"load 1"'], 2, 2])
    })

    test('a retry from the start drops every result, and new ones take their place', async (t) => {
      const bench = await openBench(t, open)
      const { jobId, holder } = await failedInLastPhase(bench)
      await bench.renew(RETRY, jobId, 0)
      const { claim, results } = await bench.take(holder)
      assert.deepEqual(results, [])
      for (const result of ['"load 2"', '"render 2"', '"store 2"'])
        await bench.must(CHECKPOINT, claim, { progress: 0 }, { result })
      await bench.must(COMPLETE, claim)
      const { output, phases } = await bench.details(jobId)
      assert.equal(output, '"store 2"')
      assert.deepEqual(
        phases.map(({ result }) => result),
        ['"load 2"', '"render 2"', '"store 2"'],
      )
    })

    test('phases count attempts of their own generation', async (t) => {
      const bench = await openBench(t, open)
      const { jobId, holder } = await failedInLastPhase(bench)
      await bench.renew(RETRY, jobId, 1)
      const counts = async (): Promise<readonly number[]> =>
        (await bench.details(jobId)).phases.map(({ attempts }) => attempts)
      assert.deepEqual(await counts(), [0, 0, 0])
      await bench.take(holder)
      assert.deepEqual(await counts(), [0, 1, 0])
    })

    test('a completed, a cancelled and a failed job can be retried; their earlier attempts stay in the history', async (t) => {
      const bench = await openBench(t, open)
      const { claim: completed } = await bench.running()
      await bench.must(COMPLETE_ONLY_PHASE, completed, { output: JSON.stringify('x'.repeat(1_000)) })
      const { claim: failed } = await bench.running()
      await bench.must(FAIL_FINAL, failed, {}, { error: attemptError() })
      const { claim: cancelled } = await bench.running()
      await bench.must(CANCEL, cancelled.jobId)
      await bench.must(RELEASE, cancelled)
      for (const [{ jobId }, history] of [
        [completed, ['completed']],
        [failed, ['failed']],
        [cancelled, ['cancelled']],
      ] as const) {
        await bench.renew(RETRY, jobId, 0)
        const { state, output, cancelRequestedAt, cancelledBy, attempts, phases } = await bench.details(jobId)
        assert.deepEqual([state, output, cancelRequestedAt, cancelledBy], ['queued', null, null, null])
        assert.deepEqual(
          attempts.map(({ outcome, generation }) => [outcome, generation]),
          history.map((outcome) => [outcome, 1]),
        )
        assert.deepEqual(
          phases.map((phase) => [phase.state, phase.result]),
          [['pending', null]],
        )
      }
    })

    test('a second completion has the second output', async (t) => {
      const bench = await openBench(t, open)
      const long = JSON.stringify('x'.repeat(1_000))
      for (const [first, second] of [
        ['1', '2'],
        [long, '2'],
        ['1', long],
      ] as const) {
        const { claim } = await bench.running()
        await bench.must(COMPLETE_ONLY_PHASE, claim, { output: first })
        await bench.renew(RETRY, claim.jobId, 0)
        const again = await bench.take(claim.holder)
        await bench.must(COMPLETE_ONLY_PHASE, again.claim, { output: second })
        assert.equal((await bench.details(claim.jobId)).output, second)
      }
    })

    test('a retry from the start may bring a new input, of any length', async (t) => {
      const bench = await openBench(t, open)
      const long = JSON.stringify('x'.repeat(1_000))
      const { claim } = await bench.running({ key: 'k', input: '1' })
      await bench.must(FAIL_FINAL, claim)
      for (const input of [long, '2', '3', long]) {
        await bench.renew(RETRY, claim.jobId, 0, { input })
        assert.equal((await bench.details(claim.jobId)).input, input)
        const again = await bench.take(claim.holder)
        assert.equal(again.input, input)
        await bench.must(FAIL_FINAL, again.claim)
      }
      await bench.renew(RETRY, claim.jobId)
      assert.equal((await bench.details(claim.jobId)).input, long)
      const [kept] = await bench.store.jobs.enqueue([bench.job({ key: 'k', input: '1' })])
      assert.equal(kept?.outcome, 'duplicate')
    })

    test('a refused retry brings no new input', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ input: '1' })
      const values = { phase: 0, ...(await seen(bench, claim.jobId)) }
      const result = await bench.act(RETRY, claim.jobId, values, { input: '2' })
      assert.equal(result.applied ? null : result.refusal, 'not-final')
      assert.equal((await bench.details(claim.jobId)).input, '1')
    })

    test('a completed attempt stays in the history with the generation that it completed', async (t) => {
      const bench = await openBench(t, open)
      const { claim, startedAt } = await bench.running()
      bench.advance(5)
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
      const before = (await bench.details(claim.jobId)).attempts
      bench.advance(5)
      await bench.renew(RETRY, claim.jobId)
      assert.deepEqual((await bench.details(claim.jobId)).attempts, before)
      await bench.must(CANCEL, claim.jobId)
      assert.deepEqual((await bench.details(claim.jobId)).attempts, before)
      await bench.renew(RETRY, claim.jobId)
      await bench.take(claim.holder)
      const { attempts } = await bench.details(claim.jobId)
      assert.deepEqual(
        attempts.map((attempt) => [
          attempt.attempt,
          attempt.generation,
          attempt.outcome,
          attempt.startedAt,
          attempt.endedAt,
        ]),
        [
          [1, 1, 'completed', startedAt, startedAt + 5],
          [2, 3, 'running', startedAt + 10, null],
        ],
      )
    })

    test('a retry that saw another fence or generation is refused, and changes nothing', async (t) => {
      const bench = await openBench(t, open)
      const { jobId } = await failedInLastPhase(bench)
      const { seenGeneration = 0, seenFence = 0 } = await seen(bench, jobId)
      const before = await dumpStore(bench.store)
      const stale = [
        { seenGeneration: seenGeneration + 1, seenFence },
        { seenGeneration, seenFence: seenFence - 1 },
        {},
      ]
      for (const values of stale) {
        const result = await bench.act(RETRY, jobId, { phase: 0, ...values })
        assert.equal(result.applied ? null : result.refusal, 'moved-on')
      }
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('of two retries at once one is heard', async (t) => {
      const bench = await openBench(t, open)
      const { jobId } = await failedInLastPhase(bench)
      const values = await seen(bench, jobId)
      const results = await Promise.all([0, 1, 2].map((phase) => bench.act(RETRY, jobId, { phase, ...values })))
      assert.equal(results.filter(({ applied }) => applied).length, 1)
      assert.equal((await bench.details(jobId)).generation, 2)
    })

    test('a job that is not final cannot be retried', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const ids = [claim.jobId, await bench.add(), await bench.add({ delayMs: 5 })]
      const before = await dumpStore(bench.store)
      for (const id of ids) {
        const result = await bench.act(RETRY, id, { phase: 0, ...(await seen(bench, id)) })
        assert.equal(result.applied ? null : result.refusal, 'not-final')
      }
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('artifacts belong to a generation: the next may use their names again', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact() })
      await bench.must(FAIL_FINAL, claim)
      await bench.renew(RETRY, claim.jobId, 0)
      assert.deepEqual(await bench.store.artifacts.list(claim.jobId, OPERATOR), [])
      const again = await bench.take(claim.holder)
      await bench.must(ARTIFACT, again.claim, {}, { artifact: bench.artifact() })
      const made = await bench.store.artifacts.list(claim.jobId, OPERATOR)
      assert.ok(typeof made !== 'string')
      assert.deepEqual(
        made.map(({ generation, attempt }) => [generation, attempt]),
        [[2, 2]],
      )
    })
  })

  describe('running now', () => {
    test('a waiting job is queued at once', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(FAIL_RETRY, claim, { delayMs: 9_000 })
      const scheduled = await bench.add({ delayMs: 9_000 })
      bench.advance(7)
      const now = await bench.store.now()
      for (const id of [claim.jobId, scheduled]) {
        await bench.must(RUN_NOW, id)
        const { state, runAt } = await bench.details(id)
        assert.deepEqual([state, runAt], ['queued', now])
        assert.equal((await bench.events(id)).at(-1)?.detail, '{"cause":"run-now"}')
      }
      assert.equal((await bench.details(claim.jobId)).failures, 1)
    })

    test('a queued job already is, and others do not wait', async (t) => {
      const bench = await openBench(t, open)
      const { claim: running } = await bench.running()
      const { claim: done } = await bench.running()
      await bench.must(FAIL_FINAL, done)
      const queued = await bench.add()
      const before = await dumpStore(bench.store)
      for (const [id, refusal] of [
        [queued, 'already'],
        [running.jobId, 'not-waiting'],
        [done.jobId, 'not-waiting'],
      ] as const) {
        const result = await bench.act(RUN_NOW, id)
        assert.equal(result.applied ? null : result.refusal, refusal)
      }
      assert.deepEqual(await dumpStore(bench.store), before)
    })
  })

  describe('administering', () => {
    test('a job that is failed by force has failed, whatever it was doing', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const queued = await bench.add()
      const detail = '{"error":{"name":"Error","message":"by hand"},"actor":"root"}'
      for (const id of [claim.jobId, queued]) {
        await bench.must(FORCE_FAIL, id, { actor: 'root' }, { detail, error: attemptError('by hand') })
        const { state, failures, holder, finishedAt } = await bench.details(id)
        assert.deepEqual([state, failures, holder, finishedAt], ['failed', 0, null, await bench.store.now()])
        const told = (await bench.events(id)).at(-1)
        assert.deepEqual([told?.name, told?.detail], ['job:failed', detail])
      }
      const { attempts } = await bench.details(claim.jobId)
      assert.deepEqual(
        attempts.map(({ outcome, error }) => [outcome, error]),
        [['forced', attemptError('by hand')]],
      )
      assert.deepEqual((await bench.details(queued)).attempts, [])
    })

    test('a running job that is reset keeps where it was cut off in its history, and starts where it is told', async (t) => {
      const bench = await openBench(t, open)
      const { claim, startedAt } = await bench.running({ policy: THREE_PHASES })
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '1' })
      await bench.must(CHECKPOINT, claim, { progress: 66 }, { result: '2' })
      await bench.must(PROGRESS, claim, { progress: 70 })
      bench.advance(50)
      await bench.renew(FORCE_RESET, claim.jobId, 1, { detail: '{"reason":"stuck"}' })
      const { state, generation, phase, progress, runAt, attempts, phases } = await bench.details(claim.jobId)
      assert.deepEqual(
        { state, generation, phase, progress, runAt },
        { state: 'queued', generation: 1, phase: 1, progress: 100 / 3, runAt: startedAt + 50 },
      )
      assert.deepEqual(
        phases.map(({ result }) => result),
        ['1', null, null],
      )
      assert.deepEqual(
        attempts.map((attempt) => [attempt.outcome, attempt.phase, attempt.progress, attempt.endedAt]),
        [['forced', 'store', 70, startedAt + 50]],
      )
      const told = (await bench.events(claim.jobId)).at(-1)
      assert.deepEqual(JSON.parse(told?.detail ?? ''), { reason: 'stuck', cause: 'force-reset' })
    })

    test('a final job that is reset begins a generation; a completed one cannot be', async (t) => {
      const bench = await openBench(t, open)
      const { jobId } = await failedInLastPhase(bench)
      await bench.renew(FORCE_RESET, jobId)
      const { state, generation, failures, finishedAt } = await bench.details(jobId)
      assert.deepEqual([state, generation, failures, finishedAt], ['queued', 2, 0, null])
      const { claim } = await bench.running({ type: 'other' })
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
      const result = await bench.act(FORCE_RESET, claim.jobId, { phase: 0, ...(await seen(bench, claim.jobId)) })
      assert.equal(result.applied ? null : result.refusal, 'final')
    })

    test('a waiting job that is reset is queued at once', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ delayMs: 9_000 })
      await bench.renew(FORCE_RESET, id)
      const { state, runAt, generation, fence } = await bench.details(id)
      assert.deepEqual([state, runAt, generation, fence], ['queued', await bench.store.now(), 1, 1])
    })
  })
}
