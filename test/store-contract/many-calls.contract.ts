import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  CANCEL,
  CHECKPOINT,
  COMPLETE,
  COMPLETE_ONLY_PHASE,
  FORCE_RESET,
  LOG,
  PROGRESS,
  PROGRESS_TOLD,
} from '../../src/core/plans.ts'
import type { ClaimedJob, PlanResult } from '../../src/store/claims.ts'
import {
  asIfAlone,
  EVERY_JOB,
  gaplessNames,
  idOf,
  loseClaims,
  MANY,
  refusalsOf,
  runningMany,
} from '../support/as-if-alone.ts'
import type { MadeCall } from '../support/as-if-alone.ts'
import { ONE_PHASE, THREE_PHASES } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const COMPLETED: PlanResult = {
  applied: true,
  row: { state: 'completed', cancelRequestedAt: null, cancelledBy: null, cancelReason: null },
}
const LONG = JSON.stringify('long '.repeat(100))
const TWO_PHASES = { ...ONE_PHASE, phases: ['a', 'b'] }

function completions(outputOf: (job: number) => string = () => '"done"'): readonly MadeCall[] {
  return EVERY_JOB.map((job) => [COMPLETE_ONLY_PHASE, job, { output: outputOf(job), seenPhase: 0 }])
}

function checkpoint(job: number): MadeCall {
  const detail = JSON.stringify({ phase: 'load', next: 'render', job })
  return [CHECKPOINT, job, { progress: 33, seenPhase: 0 }, { result: `"of ${job}"`, detail }]
}

export function manyCallsContract(open: OpenStore): void {
  describe('a hundred calls of the same moment', () => {
    test('a hundred equal completions are all applied, and each job ends its history with its own event', async (t) => {
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: (prepared) => runningMany(prepared),
        calls: completions(),
      })
      assert.deepEqual(
        results,
        EVERY_JOB.map(() => COMPLETED),
      )
      for (const job of EVERY_JOB) {
        const id = idOf(claimed, job)
        assert.deepEqual(await gaplessNames(bench, id), ['job:queued', 'job:started', 'job:completed'])
        assert.partialDeepStrictEqual(await bench.details(id), { state: 'completed', output: '"done"', progress: 100 })
      }
    })

    test('of a hundred completions those whose claims are lost are refused, and the others stand', async (t) => {
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: async (prepared) => {
          const jobs = await runningMany(prepared)
          await loseClaims(prepared, jobs)
          return jobs
        },
        calls: completions(),
      })
      assert.deepEqual(refusalsOf(results), [
        [40, 'lease-lost'],
        [50, 'lease-lost'],
      ])
      assert.equal((await bench.details(idOf(claimed, 40))).state, 'cancelled')
      const reset = await bench.details(idOf(claimed, 50))
      assert.deepEqual([reset.state, reset.output], ['queued', null])
      for (const job of [0, 39, 41, 49, 51, 99]) {
        assert.deepEqual((await gaplessNames(bench, idOf(claimed, job))).slice(2), ['job:completed'])
      }
    })

    test('a job that was force-reset and claimed anew is not completed by its former holder among many', async (t) => {
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: async (prepared) => {
          const jobs = await runningMany(prepared)
          await prepared.renew(FORCE_RESET, idOf(jobs, 50))
          const [again] = await prepared.claim(jobs[0]?.claim.holder ?? 0, 1)
          assert.equal(again?.claim.jobId, idOf(jobs, 50))
          return jobs
        },
        calls: completions(),
      })
      assert.deepEqual(refusalsOf(results), [[50, 'lease-lost']])
      assert.equal((await bench.details(idOf(claimed, 50))).state, 'running')
    })

    test('of a hundred completions the one whose job was to be cancelled says so, to its caller and in its event', async (t) => {
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: async (prepared) => {
          const jobs = await runningMany(prepared)
          await prepared.must(CANCEL, idOf(jobs, 50), { actor: 'ann', reason: 'rain' })
          return jobs
        },
        calls: completions(),
      })
      assert.deepEqual(refusalsOf(results), [])
      const told = results.flatMap((result, job) =>
        result.applied && result.row.cancelRequestedAt !== null ? [[job, result.row]] : [],
      )
      const { cancelRequestedAt } = await bench.details(idOf(claimed, 50))
      assert.deepEqual(told, [
        [50, { state: 'completed', cancelRequestedAt, cancelledBy: 'ann', cancelReason: 'rain' }],
      ])
      assert.equal((await bench.events(idOf(claimed, 50))).at(-1)?.detail, '{"cancelRequested":true}')
      assert.equal((await bench.events(idOf(claimed, 49))).at(-1)?.detail, null)
    })

    test('of a hundred completions a long output and another one are kept for their own jobs', async (t) => {
      const outputs = new Map([
        [30, LONG],
        [50, '"other"'],
        [51, 'null'],
        [60, LONG],
      ])
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: (prepared) => runningMany(prepared),
        calls: completions((job) => outputs.get(job) ?? '"done"'),
      })
      assert.deepEqual(refusalsOf(results), [])
      for (const job of EVERY_JOB) {
        const { output } = await bench.details(idOf(claimed, job))
        assert.equal(output, outputs.get(job) ?? '"done"')
      }
    })

    test('of a hundred completions each that is unlike the others is answered as if it had been alone', async (t) => {
      const { results } = await asIfAlone(t, open, {
        prepare: async (prepared) => {
          const jobs = await runningMany(prepared)
          await loseClaims(prepared, jobs)
          await prepared.must(CANCEL, idOf(jobs, 45), { actor: 'ann', reason: 'rain' })
          return jobs
        },
        calls: [
          ...completions((job) => (job === 30 ? LONG : `"${job % 60 === 0 ? 'other' : 'done'}"`)),
          ...completions(),
        ],
      })
      const again = EVERY_JOB.map((job) => [MANY + job, 'lease-lost'] as const)
      assert.deepEqual(refusalsOf(results), [[40, 'lease-lost'], [50, 'lease-lost'], ...again])
    })

    test("a claim that is not the job's own counts for nothing among a hundred good ones", async (t) => {
      const acts: readonly ((job: number) => MadeCall)[] = [
        (job) => [PROGRESS, job, { progress: 40 }],
        (job) => [LOG, job],
        (job) => [CHECKPOINT, job, { progress: 50, seenPhase: 0 }, { result: '1' }],
      ]
      const { results } = await asIfAlone(t, open, {
        prepare: async (prepared) => {
          const jobs = await runningMany(prepared, { policy: TWO_PHASES })
          const other = await prepared.session()
          return jobs.map((job, index) => {
            const { claim } = job
            if (index === 20) return { claim: { ...claim, holder: other } }
            return index === 30 ? { claim: { ...claim, fence: claim.fence + 1 } } : job
          })
        },
        calls: acts.flatMap((made) => EVERY_JOB.map(made)),
      })
      const refused = [20, 30, 120, 130, 220, 230].map((call) => [call, 'lease-lost'] as const)
      assert.deepEqual(refusalsOf(results), refused)
    })

    test('of a hundred reports of progress those whose claims are lost are refused, and the others stand', async (t) => {
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: async (prepared) => {
          const jobs = await runningMany(prepared)
          await loseClaims(prepared, jobs)
          return jobs
        },
        calls: EVERY_JOB.map((job) => [PROGRESS, job, { progress: 40 }]),
      })
      assert.deepEqual(refusalsOf(results), [
        [40, 'lease-lost'],
        [50, 'lease-lost'],
      ])
      const progress = await Promise.all([49, 50, 51].map((job) => bench.details(idOf(claimed, job))))
      assert.deepEqual(
        progress.map((details) => details.progress),
        [40, 0, 40],
      )
    })

    test('completions of the jobs of two sessions are each held against their own claims', async (t) => {
      const { results } = await asIfAlone(t, open, {
        prepare: async (prepared) => {
          await prepared.store.jobs.enqueue(EVERY_JOB.map(() => prepared.job()))
          const jobs: ClaimedJob[] = []
          for (const limit of [60, 40]) jobs.push(...(await prepared.claim(await prepared.session(), limit)))
          return jobs
        },
        calls: completions(),
      })
      assert.deepEqual(refusalsOf(results), [])
    })

    test('a hundred checkpoints keep their results, when their phases began, and what their events tell', async (t) => {
      const startedAt: number[] = []
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: async (prepared) => {
          const jobs = await runningMany(prepared, { policy: THREE_PHASES })
          startedAt.push(await prepared.store.now())
          prepared.advance(10)
          return jobs
        },
        calls: EVERY_JOB.map(checkpoint),
      })
      assert.deepEqual(refusalsOf(results), [])
      const began = startedAt[0] ?? 0
      for (const job of EVERY_JOB) {
        const id = idOf(claimed, job)
        const { phases, progress } = await bench.details(id)
        assert.equal(progress, 33)
        assert.partialDeepStrictEqual(phases, [
          { name: 'load', state: 'done', startedAt: began, finishedAt: began + 10, attempts: 1, result: `"of ${job}"` },
          { name: 'render', state: 'running', startedAt: began + 10, finishedAt: null, result: null },
          { name: 'store', state: 'pending', startedAt: null, result: null },
        ])
        assert.deepEqual(await gaplessNames(bench, id), ['job:queued', 'job:started', 'phase:completed'])
        const { detail } = (await bench.events(id)).at(-1) ?? {}
        assert.equal(detail, JSON.stringify({ phase: 'load', next: 'render', job }))
      }
    })

    test('of a hundred checkpoints those that were made before or whose claims are lost are refused, and the others stand', async (t) => {
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: async (prepared) => {
          const jobs = await runningMany(prepared, { policy: THREE_PHASES })
          prepared.advance(10)
          await loseClaims(prepared, jobs)
          const [plan, job, values, rest] = checkpoint(60)
          const claim = jobs[job]?.claim
          assert.ok(claim !== undefined)
          await prepared.must(plan, claim, values, { ...rest, result: '"the first"' })
          prepared.advance(10)
          return jobs
        },
        calls: EVERY_JOB.map(checkpoint),
      })
      assert.deepEqual(refusalsOf(results), [
        [40, 'lease-lost'],
        [50, 'lease-lost'],
        [60, 'phase-moved'],
      ])
      assert.equal((await bench.details(idOf(claimed, 60))).phases[0]?.result, '"the first"')
      assert.deepEqual((await gaplessNames(bench, idOf(claimed, 61))).slice(2), ['phase:completed'])
      // The next claim of the job that was reset begins without a result of the attempt that was not heard.
      const reset = await bench.take(await bench.session())
      assert.deepEqual([reset.claim.jobId, reset.phase, reset.results], [idOf(claimed, 50), 0, []])
    })

    test('of a hundred checkpoints one that is sent twice at once counts once', async (t) => {
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: (prepared) => runningMany(prepared, { policy: THREE_PHASES }),
        calls: EVERY_JOB.flatMap((job) => (job === 50 ? [checkpoint(job), checkpoint(job)] : [checkpoint(job)])),
      })
      assert.deepEqual(refusalsOf(results), [[51, 'phase-moved']])
      const { phase } = await bench.details(idOf(claimed, 50))
      assert.equal(phase, 1)
      assert.deepEqual((await gaplessNames(bench, idOf(claimed, 50))).slice(2), ['phase:completed'])
    })

    test('checkpoints of a hundred jobs with long and with strange results are each kept as they are', async (t) => {
      const { bench, claimed } = await asIfAlone(t, open, {
        prepare: (prepared) => runningMany(prepared, { policy: THREE_PHASES }),
        calls: EVERY_JOB.map((job) => {
          const result = job % 2 === 0 ? LONG : JSON.stringify(`"Köln" \u0000 \\ 🗺 \ud800 ${job}`)
          return [CHECKPOINT, job, { progress: 33, seenPhase: 0 }, { result }]
        }),
      })
      assert.equal((await bench.details(idOf(claimed, 50))).phases[0]?.result, LONG)
      const { phases } = await bench.details(idOf(claimed, 51))
      assert.equal(JSON.parse(phases[0]?.result ?? ''), '"Köln" \u0000 \\ 🗺 \ud800 51')
    })

    test('a checkpoint and the completion of each of a hundred jobs, posted together, keep their order', async (t) => {
      for (const byJob of [true, false]) {
        const last = (job: number): MadeCall => [CHECKPOINT, job, { progress: 100, seenPhase: 1 }, { result: `${job}` }]
        const end = (job: number): MadeCall => [COMPLETE, job]
        const { bench, claimed, results } = await asIfAlone(t, open, {
          prepare: async (prepared) => {
            const jobs = await runningMany(prepared, { policy: TWO_PHASES })
            for (const { claim } of jobs) {
              await prepared.must(CHECKPOINT, claim, { progress: 50, seenPhase: 0 }, { result: '"a"' })
            }
            return jobs
          },
          calls: byJob
            ? EVERY_JOB.flatMap((job) => [last(job), end(job)])
            : [...EVERY_JOB.map(last), ...EVERY_JOB.map(end)],
        })
        assert.deepEqual(refusalsOf(results), [])
        for (const job of EVERY_JOB) {
          const id = idOf(claimed, job)
          assert.equal((await bench.details(id)).output, `${job}`)
          assert.deepEqual((await gaplessNames(bench, id)).slice(2), [
            'phase:completed',
            'phase:completed',
            'job:completed',
          ])
        }
      }
    })

    test('a completion that is posted before its checkpoint is refused, whatever the other jobs do', async (t) => {
      const { results } = await asIfAlone(t, open, {
        prepare: (prepared) => runningMany(prepared, { policy: TWO_PHASES }),
        calls: EVERY_JOB.flatMap((job): readonly MadeCall[] => {
          const steps: readonly MadeCall[] = [
            [CHECKPOINT, job, { progress: 50, seenPhase: 0 }, { result: '1' }],
            [CHECKPOINT, job, { progress: 100, seenPhase: 1 }, { result: '2' }],
            [COMPLETE, job],
          ]
          return job === 50 ? steps.toReversed() : steps
        }),
      })
      assert.deepEqual(refusalsOf(results), [
        [150, 'phases-left'],
        [151, 'phase-moved'],
      ])
    })

    test('a log line, progress and the completion of each of a hundred jobs, posted together, keep their order', async (t) => {
      const { bench, claimed, results } = await asIfAlone(t, open, {
        prepare: (prepared) => runningMany(prepared),
        calls: EVERY_JOB.flatMap((job) => [
          [LOG, job, {}, { detail: `{"line":${job}}` }],
          [PROGRESS_TOLD, job, { progress: 40 }, { detail: '{"progress":40}' }],
          [LOG, job, {}, { detail: '{"line":"same"}' }],
          [COMPLETE_ONLY_PHASE, job, { output: '1', seenPhase: 0 }],
          [LOG, job],
        ]),
      })
      assert.deepEqual(
        refusalsOf(results),
        EVERY_JOB.map((job) => [5 * job + 4, 'lease-lost']),
      )
      for (const job of EVERY_JOB) {
        const id = idOf(claimed, job)
        assert.deepEqual((await gaplessNames(bench, id)).slice(2), [
          'job:log',
          'job:progress',
          'job:log',
          'job:completed',
        ])
        assert.deepEqual(
          (await bench.events(id)).slice(2).map(({ detail }) => detail),
          [`{"line":${job}}`, '{"progress":40}', '{"line":"same"}', null],
        )
      }
    })
  })
}
