import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import * as fc from 'fast-check'

import { OPERATOR } from '../../src/core/scope.ts'
import type { Enqueued, NewJob } from '../../src/store/jobs.ts'
import { benchOf, newJob, ONE_PHASE, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { scaled } from '../support/scale.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const MANY = 100
const LONG = JSON.stringify('long '.repeat(100))
/** Shared, as by the jobs of one caller: a store may tell once what is the same object. */
const LABELS = [{}, { course: 'c1', level: 'a' }, { course: 'c2', level: 'a' }]

export function manyNewJobsContract(open: OpenStore): void {
  describe('many new jobs of the same moment', () => {
    test('whatever they are and however they come, each is stored with its own fields and its first event', async () => {
      await fc.assert(
        fc.asyncProperty(newJobs, (choices) => enqueueEachWay(open, choices)),
        { numRuns: scaled(5) },
      )
    })

    test('jobs alike but for one in the middle are stored as they are, eleven or a hundred of them', async (t) => {
      const bench = await openBench(t, open)
      await bench.register(ONE_PHASE)
      const unlike: readonly Partial<NewJob>[] = [
        { priority: 3 },
        { owner: 'ann' },
        { tenant: 'acme' },
        { delayMs: 5_000 },
        { queue: 'other' },
        { labels: { course: 'c1' } },
        { input: LONG },
        { key: 'k' },
        { uniqueKey: 'u' },
      ]
      for (const [round, changes] of unlike.entries()) {
        const labels = {}
        const jobs = Array.from({ length: round % 2 === 0 ? 11 : MANY }, (_, index) =>
          bench.job({ labels, ...(index === 5 ? changes : {}) }),
        )
        await bench.store.jobs.enqueue(jobs)
        for (const job of jobs.slice(0, 13)) await assertStored(bench, job)
      }
    })
  })
}

interface JobChoice {
  readonly type: number
  readonly queue: number
  readonly tenant: number
  readonly owner: number
  readonly priority: number
  readonly when: number
  readonly key: number
  readonly uniqueKey: number
  readonly labels: number
  readonly input: number
  /** Repeats the choice before it, so that some stand together that are alike. */
  readonly repeats: number
}

const few = fc.nat({ max: 2 })

const newJobs: fc.Arbitrary<readonly JobChoice[]> = fc.array(
  fc.record({
    type: few,
    queue: few,
    tenant: few,
    owner: few,
    priority: few,
    when: few,
    key: fc.nat({ max: 20 }),
    uniqueKey: fc.nat({ max: 20 }),
    labels: few,
    input: few,
    repeats: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 14 })),
  }),
  { minLength: 1, maxLength: 15 },
)

function jobOf(bench: Bench, choice: JobChoice): NewJob {
  const key = choice.key < 4 ? `k${choice.key}` : null
  const inputs = ['{"region":"FRA"}', LONG, 'null']
  return newJob(bench.runtime.uuid(), {
    type: `t${choice.type}`,
    queue: `q${choice.queue}`,
    policy: choice.type === 0 ? THREE_PHASES : ONE_PHASE,
    tenant: ['', 'acme', 'other'][choice.tenant] ?? '',
    owner: [null, 'ann', 'bob'][choice.owner] ?? null,
    priority: choice.priority - 1,
    delayMs: choice.when === 1 ? 5_000 : 0,
    runAt: choice.when === 2 ? 4_000_000_000_000 : null,
    key,
    uniqueKey: choice.uniqueKey < 4 ? `u${choice.uniqueKey}` : null,
    labels: LABELS[choice.labels] ?? {},
    // A key stands for one input.
    input: key === null ? (inputs[choice.input] ?? 'null') : `"${key}"`,
  })
}

/** In one call, in a call for each at once, and one after another: the answers and the stored jobs are the same. */
async function enqueueEachWay(open: OpenStore, choices: readonly JobChoice[]): Promise<void> {
  const ways = [
    (bench: Bench, jobs: readonly NewJob[]) => bench.store.jobs.enqueue(jobs),
    async (bench: Bench, jobs: readonly NewJob[]) =>
      (await Promise.all(jobs.map((job) => bench.store.jobs.enqueue([job])))).flat(),
    async (bench: Bench, jobs: readonly NewJob[]) => {
      const outcomes: Enqueued[] = []
      for (const job of jobs) outcomes.push(...(await bench.store.jobs.enqueue([job])))
      return outcomes
    },
  ]
  const seen: unknown[] = []
  for (const way of ways) {
    const bench = benchOf(await open())
    try {
      const jobs = choices.flatMap((choice) => Array.from({ length: choice.repeats }, () => jobOf(bench, choice)))
      const outcomes = await way(bench, jobs)
      await assertOutcomes(bench, jobs, outcomes)
      seen.push({ outcomes, stored: await dumpStore(bench.store) })
    } finally {
      await bench.close()
    }
  }
  assert.deepEqual(seen[0], seen[2])
  assert.deepEqual(seen[1], seen[2])
}

async function assertOutcomes(bench: Bench, jobs: readonly NewJob[], outcomes: readonly Enqueued[]): Promise<void> {
  assert.equal(outcomes.length, jobs.length)
  for (const [index, job] of jobs.entries()) {
    if (outcomes[index]?.outcome === 'created') await assertStored(bench, job)
    else assert.equal(await bench.store.jobs.get(job.id, OPERATOR), 'not-found')
  }
}

async function assertStored(bench: Bench, job: NewJob): Promise<void> {
  const { id, type, queue, tenant, owner, labels, priority, key, uniqueKey, input, delayMs } = job
  const details = await bench.details(id)
  const now = await bench.store.now()
  const runAt = job.runAt ?? now + delayMs
  const state = runAt > now ? 'scheduled' : 'queued'
  const expected = { id, type, queue, tenant, owner, labels, priority, key, uniqueKey, input, runAt, state }
  assert.deepEqual({ ...details, ...expected }, details)
  assert.deepEqual(details.phaseNames, job.policy.phases)
  const events = await bench.events(id)
  assert.deepEqual(
    events.map(({ seq, name, at, attempt, detail }) => ({ seq, name, at, attempt, detail })),
    [{ seq: 1, name: `job:${state}`, at: now, attempt: 0, detail: null }],
  )
}
