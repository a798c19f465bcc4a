import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  ADOPT_PHASES,
  CANCEL,
  CHECKPOINT,
  COMPLETE,
  COMPLETE_ONLY_PHASE,
  END_OF_GRACE,
  EXTEND,
  FAIL_FINAL,
  FAIL_RETRY,
  LOG,
  PROGRESS,
  PROGRESS_TOLD,
  RELEASE,
} from '../../src/core/plans.ts'
import type { PhaseRecord } from '../../src/store/jobs.ts'
import { attemptError, ONE_PHASE, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const THREE = { policy: THREE_PHASES }

async function phasesOf(bench: Bench, id: string): Promise<readonly PhaseRecord[]> {
  const { phases } = await bench.details(id)
  return phases
}

async function statesOf(bench: Bench, id: string): Promise<readonly string[]> {
  const phases = await phasesOf(bench, id)
  return phases.map(({ state }) => state)
}

export function phasesContract(open: OpenStore): void {
  describe('phases', () => {
    test('each checkpoint ends a phase with its result and begins the next, and the last result is the output', async (t) => {
      const bench = await openBench(t, open)
      const start = await bench.store.now()
      const { claim } = await bench.running(THREE)
      const id = claim.jobId
      for (const [index, name] of THREE_PHASES.phases.entries()) {
        bench.advance(10)
        const detail = JSON.stringify({ phase: name, next: THREE_PHASES.phases[index + 1] ?? null })
        await bench.must(CHECKPOINT, claim, { progress: 33 * (index + 1) }, { result: `"${name} done"`, detail })
      }
      assert.deepEqual(await statesOf(bench, id), ['done', 'done', 'done'])
      bench.advance(5)
      await bench.must(COMPLETE, claim)
      const { state, output, progress, phases, finishedAt } = await bench.details(id)
      assert.deepEqual(
        { state, output, progress, finishedAt },
        { state: 'completed', output: '"store done"', progress: 100, finishedAt: start + 35 },
      )
      assert.deepEqual(phases, [
        { name: 'load', state: 'done', startedAt: start, finishedAt: start + 10, attempts: 1, result: '"load done"' },
        {
          name: 'render',
          state: 'done',
          startedAt: start + 10,
          finishedAt: start + 20,
          attempts: 1,
          result: '"render done"',
        },
        {
          name: 'store',
          state: 'done',
          startedAt: start + 20,
          finishedAt: start + 30,
          attempts: 1,
          result: '"store done"',
        },
      ])
      const events = await bench.events(id)
      assert.deepEqual(
        events.map(({ name }) => name),
        ['job:queued', 'job:started', 'phase:completed', 'phase:completed', 'phase:completed', 'job:completed'],
      )
      assert.equal(events[1]?.detail, '{"phase":"load"}')
      assert.equal(events[2]?.detail, '{"phase":"load","next":"render"}')
    })

    test('the last checkpoint and the completion may be posted together', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ policy: { ...ONE_PHASE, phases: ['a', 'b'] } })
      await bench.must(CHECKPOINT, claim, { progress: 50 }, { result: '1' })
      const both = await Promise.all([
        bench.act(CHECKPOINT, claim, { progress: 100 }, { result: '2' }),
        bench.act(COMPLETE, claim),
      ])
      assert.deepEqual(
        both.map(({ applied }) => applied),
        [true, true],
      )
      const { state, output } = await bench.details(claim.jobId)
      assert.deepEqual({ state, output }, { state: 'completed', output: '2' })
    })

    test('a job cannot complete while phases are left', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running(THREE)
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '1' })
      await bench.must(CHECKPOINT, claim, { progress: 66 }, { result: '2' })
      const before = await dumpStore(bench.store)
      const result = await bench.act(COMPLETE, claim)
      assert.equal(result.applied ? null : result.refusal, 'phases-left')
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('a checkpoint that is sent again after a lost answer does not pass over the next phase', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running(THREE)
      const send = (): ReturnType<Bench['act']> =>
        bench.act(CHECKPOINT, claim, { progress: 33, seenPhase: 0 }, { result: '"first"' })
      assert.equal((await send()).applied, true)
      const before = await dumpStore(bench.store)
      const again = await send()
      const { eventSeq } = await bench.details(claim.jobId)
      assert.deepEqual([again.applied ? null : again.refusal, eventSeq], ['phase-moved', 3])
      assert.deepEqual(await dumpStore(bench.store), before)
      const twice = await Promise.all(
        [1, 1].map((seenPhase) => bench.act(CHECKPOINT, claim, { progress: 66, seenPhase }, { result: '"second"' })),
      )
      assert.deepEqual(
        twice.map(({ applied }) => applied),
        [true, false],
      )
    })

    test('a job of several phases is not ended as one of one phase', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running(THREE)
      const before = await dumpStore(bench.store)
      for (const output of ['1', JSON.stringify('x'.repeat(1_000))]) {
        const result = await bench.act(COMPLETE_ONLY_PHASE, claim, { output })
        assert.equal(result.applied ? null : result.refusal, 'phases-left')
      }
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('a job of one phase ends with its output, which is the result of the phase', async (t) => {
      const bench = await openBench(t, open)
      const start = await bench.store.now()
      const { claim } = await bench.running()
      bench.advance(40)
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '{"file":"map.png"}' })
      const { state, output, phase, phases, attempts, worker, holder, deadlineAt } = await bench.details(claim.jobId)
      assert.deepEqual(
        { state, output, phase, holder, deadlineAt },
        { state: 'completed', output: '{"file":"map.png"}', phase: 1, holder: null, deadlineAt: null },
      )
      assert.deepEqual(phases, [
        {
          name: 'run',
          state: 'done',
          startedAt: start,
          finishedAt: start + 40,
          attempts: 1,
          result: '{"file":"map.png"}',
        },
      ])
      assert.deepEqual(attempts, [
        {
          attempt: 1,
          generation: 1,
          startedAt: start,
          endedAt: start + 40,
          outcome: 'completed',
          phase: 'run',
          progress: 100,
          error: null,
          stoppedAt: start + 40,
          stoppedBy: 'handler',
          worker,
        },
      ])
      assert.deepEqual(await bench.eventNames(claim.jobId), ['job:queued', 'job:started', 'job:completed'])
    })

    test('an output that is said to be of a phase other than the present one ends no job', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const result = await bench.act(COMPLETE_ONLY_PHASE, claim, { output: '1', seenPhase: 1 })
      assert.equal(result.applied ? null : result.refusal, 'phase-moved')
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1', seenPhase: 0 })
    })

    test('an output of null is an output', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: 'null' })
      const { output, phases } = await bench.details(claim.jobId)
      assert.deepEqual([output, phases[0]?.result], ['null', 'null'])
    })

    test('an attempt counts for every phase that it entered', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      await bench.add(THREE)
      const { claim: first } = await bench.take(holder)
      await bench.must(FAIL_RETRY, first, { delayMs: 0 }, { error: attemptError() })
      const { claim: second } = await bench.take(holder)
      await bench.must(CHECKPOINT, second, { progress: 33 }, { result: '1' })
      await bench.must(RELEASE, second)
      const { claim: third } = await bench.take(holder)
      await bench.must(CHECKPOINT, third, { progress: 66 }, { result: '2' })
      const counts = async (): Promise<readonly number[]> => {
        const phases = await phasesOf(bench, third.jobId)
        return phases.map(({ attempts }) => attempts)
      }
      assert.deepEqual(await counts(), [2, 2, 1])
      await bench.must(CHECKPOINT, third, { progress: 100 }, { result: '3' })
      await bench.must(RELEASE, third)
      const { claim: fourth } = await bench.take(holder)
      await bench.must(COMPLETE, fourth)
      assert.deepEqual(await counts(), [2, 2, 1])
    })

    test('after a failure the failed phase has failed and those behind it are pending', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running(THREE)
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '1' })
      assert.deepEqual(await statesOf(bench, claim.jobId), ['done', 'running', 'pending'])
      await bench.must(FAIL_FINAL, claim, {}, { error: attemptError() })
      assert.deepEqual(await statesOf(bench, claim.jobId), ['done', 'failed', 'pending'])
    })

    test('while a job waits to be tried again its unfinished phases are pending', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running(THREE)
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '1' })
      await bench.must(FAIL_RETRY, claim, { delayMs: 100 })
      assert.deepEqual(await statesOf(bench, claim.jobId), ['done', 'pending', 'pending'])
    })

    test('however a cancellation came, every phase that is not done is cancelled', async (t) => {
      const bench = await openBench(t, open)
      const queued = await bench.add({ ...THREE, priority: 9 })
      await bench.must(CANCEL, queued)
      assert.deepEqual(await statesOf(bench, queued), ['cancelled', 'cancelled', 'cancelled'])
      const { claim } = await bench.running(THREE)
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '1' })
      await bench.must(CANCEL, claim.jobId)
      assert.deepEqual(await statesOf(bench, claim.jobId), ['done', 'running', 'pending'])
      await bench.must(END_OF_GRACE, claim)
      assert.deepEqual(await statesOf(bench, claim.jobId), ['done', 'cancelled', 'cancelled'])
    })

    test("a handler's new list of phases replaces the job's, and done results stay", async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running(THREE)
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '"loaded"' })
      const phaseNames = ['load', 'project', 'draw', 'store']
      await bench.must(ADOPT_PHASES, claim, { phase: 1, phaseCount: phaseNames.length }, { phaseNames })
      const details = await bench.details(claim.jobId)
      assert.deepEqual(details.phaseNames, phaseNames)
      assert.deepEqual({ phase: details.phase, phaseCount: details.phaseCount }, { phase: 1, phaseCount: 4 })
      assert.deepEqual(
        details.phases.map(({ name, state, result }) => ({ name, state, result })),
        [
          { name: 'load', state: 'done', result: '"loaded"' },
          { name: 'project', state: 'running', result: null },
          { name: 'draw', state: 'pending', result: null },
          { name: 'store', state: 'pending', result: null },
        ],
      )
      for (const result of ['2', '3', '4']) await bench.must(CHECKPOINT, claim, { progress: 0 }, { result })
      await bench.must(COMPLETE, claim)
      assert.equal((await bench.details(claim.jobId)).output, '4')
    })

    test('a list of phases may be adopted that leaves nothing to do but to complete', async (t) => {
      const bench = await openBench(t, open)
      const start = await bench.store.now()
      const { claim } = await bench.running(THREE)
      bench.advance(10)
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '"loaded"' })
      bench.advance(10)
      await bench.must(ADOPT_PHASES, claim, { phase: 1, phaseCount: 1 }, { phaseNames: ['load'] })
      await bench.must(COMPLETE, claim)
      const { output, phases } = await bench.details(claim.jobId)
      assert.equal(output, '"loaded"')
      assert.deepEqual(phases, [
        { name: 'load', state: 'done', startedAt: start, finishedAt: start + 10, attempts: 1, result: '"loaded"' },
      ])
    })

    test('a job of one phase may adopt several', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(ADOPT_PHASES, claim, { phase: 0, phaseCount: 2 }, { phaseNames: ['a', 'b'] })
      await bench.must(CHECKPOINT, claim, { progress: 50 }, { result: '1' })
      await bench.must(CHECKPOINT, claim, { progress: 100 }, { result: '2' })
      await bench.must(COMPLETE, claim)
      const { output, phases } = await bench.details(claim.jobId)
      assert.deepEqual([output, ...phases.map(({ result }) => result)], ['2', '1', '2'])
    })
  })

  describe('progress', () => {
    test('progress within an attempt never falls', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      for (const [told, held] of [
        [10, 10],
        [5, 10],
        [10.5, 10.5],
        [0, 10.5],
        [99.99, 99.99],
      ] as const) {
        await bench.must(PROGRESS, claim, { progress: told })
        assert.equal((await bench.details(claim.jobId)).progress, held)
      }
      assert.deepEqual(await bench.eventNames(claim.jobId), ['job:queued', 'job:started'])
    })

    test('progress that is told has an event', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(PROGRESS_TOLD, claim, { progress: 12 }, { detail: '{"percent":12}' })
      const [, , event] = await bench.events(claim.jobId)
      assert.deepEqual([event?.name, event?.detail], ['job:progress', '{"percent":12}'])
    })

    test('a new attempt begins at the share of the phases that are done', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      await bench.add(THREE)
      const { claim: first } = await bench.take(holder)
      await bench.must(PROGRESS, first, { progress: 31 })
      await bench.must(RELEASE, first)
      assert.equal((await bench.details(first.jobId)).progress, 31)
      const { claim: second, progress } = await bench.take(holder)
      assert.equal(progress, 0)
      await bench.must(CHECKPOINT, second, { progress: 40 }, { result: '1' })
      await bench.must(PROGRESS, second, { progress: 50 })
      await bench.must(RELEASE, second)
      assert.equal((await bench.take(holder)).progress, 100 / 3)
    })

    test("every sign of life moves the job's time of change", async (t) => {
      const bench = await openBench(t, open)
      const start = await bench.store.now()
      const { claim } = await bench.running(THREE)
      const signs = [
        [PROGRESS, { progress: 1 }, {}],
        [PROGRESS_TOLD, { progress: 2 }, {}],
        [LOG, {}, {}],
        [CHECKPOINT, { progress: 33 }, { result: '1' }],
        [EXTEND, { timeoutMs: 1_000 }, {}],
      ] as const
      for (const [index, [plan, values, rest]] of signs.entries()) {
        bench.advance(100)
        await bench.must(plan, claim, values, rest)
        assert.equal((await bench.details(claim.jobId)).updatedAt, start + 100 * (index + 1), plan.name)
      }
    })

    test('a log line is an event and changes nothing else', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const { eventSeq, ...before } = await bench.details(claim.jobId)
      const detail = '{"level":"warn","message":"low on ink","fields":{"left":3}}'
      await bench.must(LOG, claim, {}, { detail })
      const { eventSeq: after, ...same } = await bench.details(claim.jobId)
      assert.deepEqual(same, before)
      assert.equal(after, eventSeq + 1)
      assert.equal((await bench.events(claim.jobId)).at(-1)?.detail, detail)
    })

    test('a handler may ask for more time, counted from now, or for no limit', async (t) => {
      const bench = await openBench(t, open)
      const { claim, deadlineAt } = await bench.running({ policy: { ...ONE_PHASE, timeoutMs: 1_000 } })
      bench.advance(400)
      await bench.must(EXTEND, claim, { timeoutMs: 5_000 })
      assert.equal((await bench.details(claim.jobId)).deadlineAt, (deadlineAt ?? 0) + 4_400)
      await bench.must(EXTEND, claim, { timeoutMs: null })
      assert.equal((await bench.details(claim.jobId)).deadlineAt, null)
    })
  })
}
