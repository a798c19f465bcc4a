/** Several calls on each of many jobs, at once: each counts, in its order. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { CHECKPOINT, LOG } from '../../src/core/plans.ts'
import { asIfAlone, EVERY_JOB, gaplessNames, idOf, MANY, refusalsOf, runningMany } from '../support/as-if-alone.ts'
import type { MadeCall } from '../support/as-if-alone.ts'
import { ONE_PHASE, openBench, planCall } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const TWO_PHASES = { ...ONE_PHASE, phases: ['a', 'b'] }

export function repeatedCallsContract(open: OpenStore): void {
  describe('several calls on each of a hundred jobs', () => {
    test('calls that are alike count twice where a job is called twice', async (t) => {
      const detail = '{"line":"same"}'
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: (prepared) => runningMany(prepared, { policy: TWO_PHASES }),
        calls: [
          ...EVERY_JOB.map((job): MadeCall => [LOG, job, {}, { detail }]),
          ...EVERY_JOB.map((job): MadeCall => [LOG, job, {}, { detail }]),
          ...EVERY_JOB.map((job): MadeCall => [CHECKPOINT, job, { progress: 50, seenPhase: 0 }, { result: '1' }]),
          ...EVERY_JOB.map((job): MadeCall => [CHECKPOINT, job, { progress: 50, seenPhase: 0 }, { result: '1' }]),
        ],
      })
      assert.deepEqual(
        refusalsOf(results),
        EVERY_JOB.map((job) => [3 * MANY + job, 'phase-moved']),
      )
      const names = await gaplessNames(bench, idOf(claimed, 99))
      assert.deepEqual(names.slice(2), ['job:log', 'job:log', 'phase:completed'])
    })

    test('many calls and single ones on the same jobs, posted together, keep their order', async (t) => {
      const bench = await openBench(t, open)
      const { claims } = bench.store
      const jobs = await runningMany(bench, { policy: TWO_PHASES })
      const made = await Promise.all([
        ...jobs.map(({ claim }) => claims.apply(planCall(LOG, claim, {}, { detail: '{"line":"before"}' }))),
        claims.applyAll(
          jobs.map(({ claim }) => planCall(CHECKPOINT, claim, { progress: 50, seenPhase: 0 }, { result: '1' })),
        ),
        ...jobs.map(({ claim }) => claims.apply(planCall(LOG, claim, {}, { detail: '{"line":"behind"}' }))),
      ])
      assert.equal(made.length, 2 * MANY + 1)
      for (const job of [0, 50, 99]) {
        const events = await bench.events(idOf(jobs, job))
        assert.deepEqual(
          events.slice(2).map(({ name, detail }) => [name, detail]),
          [
            ['job:log', '{"line":"before"}'],
            ['phase:completed', null],
            ['job:log', '{"line":"behind"}'],
          ],
        )
      }
    })
  })
}
