/** A call that the database itself refuses, among many. The model has no database that could. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { CHECKPOINT, PROGRESS, RELEASE } from '../../src/core/plans.ts'
import { gaplessNames, idOf, runningMany } from '../support/as-if-alone.ts'
import { ONE_PHASE, openBench, planCall } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const TWO_PHASES = { ...ONE_PHASE, phases: ['a', 'b'] }

export function failingCallsContract(open: OpenStore): void {
  describe('a call that fails among many', () => {
    test('of many calls the one that no row can take is answered with its error, and all others are carried out', async (t) => {
      const bench = await openBench(t, open)
      const jobs = await runningMany(bench)
      // More than all.
      const progressOf = (job: number): number => (job === 50 ? 1_000 : 40)
      const answers = await bench.store.claims.applyAll(
        jobs.map(({ claim }, job) => planCall(PROGRESS, claim, { progress: progressOf(job) })),
      )
      assert.deepEqual(
        answers.flatMap((answer, job) => ('error' in answer ? [job] : [])),
        [50],
      )
      for (const job of [0, 49, 51, 99]) assert.equal((await bench.details(idOf(jobs, job))).progress, 40)
      assert.equal((await bench.details(idOf(jobs, 50))).progress, 0)
    })

    test('a call that fails among many changes nothing of the order in which the others and later ones are carried out', async (t) => {
      const bench = await openBench(t, open)
      const { claims } = bench.store
      const jobs = await runningMany(bench, { policy: TWO_PHASES })
      const [answers, released] = await Promise.all([
        claims.applyAll(
          jobs.map(({ claim }, job) =>
            job === 50
              ? planCall(PROGRESS, claim, { progress: 1_000 })
              : planCall(CHECKPOINT, claim, { progress: 50, seenPhase: 0 }, { result: '1' }),
          ),
        ),
        claims.applyAll(jobs.map(({ claim }) => planCall(RELEASE, claim))),
      ])
      assert.equal(answers.filter((answer) => 'error' in answer).length, 1)
      assert.ok(released.every((answer) => 'applied' in answer && answer.applied))
      for (const job of [0, 49, 51, 99]) {
        const names = await gaplessNames(bench, idOf(jobs, job))
        assert.deepEqual(names.slice(2), ['phase:completed', 'job:queued'])
        assert.partialDeepStrictEqual(await bench.details(idOf(jobs, job)), { state: 'queued', phase: 1 })
      }
    })
  })
}
