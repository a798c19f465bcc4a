/** Plan calls, new jobs and what came of them: packed, posted and unpacked they are what they were. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import * as fc from 'fast-check'

import type { Claim } from '../../src/core/job-row.ts'
import type { PlanValues } from '../../src/core/plan.ts'
import { COMPLETE_ONLY_PHASE, PLANS } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import { JOB_STATES } from '../../src/core/states.ts'
import {
  packCall,
  packEnqueued,
  packNewJobs,
  packResult,
  unpackCall,
  unpackEnqueued,
  unpackNewJobs,
  unpackResult,
} from '../../src/sqlite/packed-calls.ts'
import { packResults, packRuns, unpackAlike, unpackResults, inWaves } from '../../src/sqlite/packed-runs.ts'
import type { PlanCall, PlanResult } from '../../src/store/claims.ts'
import type { Enqueued, NewJob } from '../../src/store/jobs.ts'
import { newArtifact, newJob, ONE_PHASE, planCall, THREE_PHASES } from '../support/contract-bench.ts'
import type { Act } from '../support/contract-bench.ts'
import { scaled } from '../support/scale.ts'

const ID = '019b7613-6800-7000-8000-000000000001'
const OTHER_ID = '019b7613-6800-7000-8000-000000000002'

/** Objects as everybody makes them: others do not travel. */
const PLAIN = { noNullPrototype: true }

const claim: fc.Arbitrary<Claim | null> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  {
    weight: 6,
    arbitrary: fc.record(
      {
        jobId: fc.oneof({ weight: 4, arbitrary: fc.constant(ID) }, { weight: 1, arbitrary: fc.constant(OTHER_ID) }),
        holder: fc.maxSafeNat(),
        fence: fc.nat(),
        row: fc.integer({ min: 1 }),
      },
      { requiredKeys: ['jobId', 'holder', 'fence'], ...PLAIN },
    ),
  },
)

const scope: fc.Arbitrary<Scope> = fc.oneof(
  { weight: 5, arbitrary: fc.constant(OPERATOR) },
  fc.record({ role: fc.constant('admin' as const), tenant: fc.string() }, PLAIN),
  fc.record({ role: fc.constant('member' as const), tenant: fc.string(), user: fc.string() }, PLAIN),
)

const text = fc.json()

const values: fc.Arbitrary<PlanValues> = fc.oneof(
  fc.constant({}),
  fc.record({ output: fc.oneof(text, fc.constant(null)) }, PLAIN),
  fc.record({ output: text, seenPhase: fc.nat() }, PLAIN),
  fc.record(
    {
      holder: fc.maxSafeNat(),
      delayMs: fc.nat(),
      timeoutMs: fc.option(fc.nat()),
      phase: fc.nat(),
      phaseCount: fc.nat(),
      seenPhase: fc.nat(),
      progress: fc.double({ min: 0, max: 100, noNaN: true }),
      actor: fc.string(),
      reason: fc.option(fc.string()),
      output: fc.option(text),
      seenGeneration: fc.nat(),
      seenFence: fc.nat(),
    },
    { requiredKeys: [], ...PLAIN },
  ),
)

/** What few calls bring beside: nothing, one thing, or several. */
const EXTRAS = {
  result: '1',
  error: '{}',
  input: '2',
  phaseNames: ['a', 'b'],
  artifact: newArtifact(OTHER_ID),
} as const satisfies Act
const EXTRA_NAMES = ['result', 'error', 'input', 'phaseNames', 'artifact'] as const
const beside: fc.Arbitrary<Act> = fc
  .oneof(
    fc.constant([]),
    fc.constantFrom(...EXTRA_NAMES).map((name) => [name]),
    fc.subarray([...EXTRA_NAMES]),
  )
  .map((names) => Object.fromEntries(names.map((name) => [name, EXTRAS[name]])))

const call: fc.Arbitrary<PlanCall> = fc
  .record({
    plan: fc.oneof(fc.constantFrom(...PLANS), fc.constant(COMPLETE_ONLY_PHASE)),
    claim,
    scope,
    values,
    detail: fc.option(text),
    beside,
  })
  .map(({ beside: more, ...fields }) => ({ jobId: ID, ...fields, ...more }))

test('a plan call is after its journey what it was, with a claim or without, whatever is beside it', () => {
  fc.assert(
    fc.property(call, (made) => {
      assert.deepEqual(unpackCall(structuredClone(packCall(made))), made)
    }),
    { numRuns: scaled(1_000) },
  )
})

test('the plan of a call is the very same after its journey, and one that nobody knows is refused', () => {
  for (const plan of PLANS) assert.equal(unpackCall(structuredClone(packCall(planCall(plan, ID)))).plan, plan)
  assert.throws(() => packCall(planCall({ ...COMPLETE_ONLY_PHASE }, ID)), RangeError)
})

test('the usual completion travels without names', () => {
  const packed = packCall(planCall(COMPLETE_ONLY_PHASE, { jobId: ID, holder: 5, fence: 2, row: 7 }, { output: '"x"' }))
  assert.ok(packed.every((part) => typeof part !== 'object' || part === null))
})

/** Of many jobs, mostly alike, so that some travel together. */
const manyCalls = fc
  .array(
    fc.record({ kind: call, count: fc.constantFrom(1, 7, 8, 20), told: fc.boolean(), row: fc.integer({ min: 1 }) }),
    { maxLength: 5 },
  )
  .map((groups) =>
    groups.flatMap(({ kind, count, told, row }) =>
      Array.from({ length: count }, (_each, index): PlanCall => {
        const jobId = `${ID.slice(0, -4)}${(1_000 + index).toString()}`
        const own = kind.claim === null ? null : { ...kind.claim, jobId, row: row + index }
        const result = told || kind.result !== undefined ? { result: `"of ${index}"` } : {}
        return { ...kind, jobId, claim: own, ...result }
      }),
    ),
  )

test('calls are after their journey what they were, in their order, whichever of them travel together', () => {
  fc.assert(
    fc.property(manyCalls, (made) => {
      const packed = structuredClone(packRuns(made))
      const unpacked = packed.flatMap((run) => ('rows' in run ? unpackAlike(run) : run.map(unpackCall)))
      assert.deepEqual(unpacked, made)
    }),
    { numRuns: scaled(300) },
  )
})

test('no job stands twice among calls that travel as one', () => {
  const claims = Array.from({ length: 20 }, (_each, index) => ({
    jobId: `${ID.slice(0, -2)}${10 + index}`,
    holder: 5,
    fence: 1,
    row: index + 1,
  }))
  const made = [...claims, ...claims].map((held) => planCall(COMPLETE_ONLY_PHASE, held, { output: '"x"' }))
  assert.deepEqual(
    packRuns(made).map((run) => ('rows' in run ? run.rows.length : run.length)),
    [20, 20],
  )
})

test('of jobs that are called twice in a row the first calls go before the second ones', () => {
  const made = ['a', 'a', 'b', 'c', 'c', 'c'].map((jobId) => planCall(COMPLETE_ONLY_PHASE, jobId))
  assert.deepEqual(inWaves(made), [0, 2, 3, 1, 4, 5])
  assert.equal(inWaves(made.filter((_call, index) => index !== 1 && index < 4)), null)
})

test('completions that are alike travel as one, by their rows', () => {
  const claims = Array.from({ length: 50 }, (_each, index) => ({
    jobId: `${ID.slice(0, -2)}${10 + index}`,
    holder: 5,
    fence: 1,
    row: 7 + index,
  }))
  const made = claims.map((held) => planCall(COMPLETE_ONLY_PHASE, held, { output: '"x"' }))
  const [run, ...others] = packRuns(made)
  assert.deepEqual(others, [])
  assert.ok(run !== undefined && 'rows' in run)
  assert.deepEqual(
    run.rows,
    claims.map(({ row }) => row),
  )
})

const instant = fc.option(fc.nat())
const result: fc.Arbitrary<PlanResult> = fc.oneof(
  fc
    .record({ state: fc.constantFrom(...JOB_STATES), at: instant, by: fc.string(), reason: fc.option(fc.string()) })
    .map(({ state, at, by, reason }) => ({
      applied: true as const,
      row:
        at === null
          ? { state, cancelRequestedAt: null, cancelledBy: null, cancelReason: null }
          : { state, cancelRequestedAt: at, cancelledBy: by, cancelReason: reason },
    })),
  fc.record(
    {
      applied: fc.constant(false as const),
      refusal: fc.constantFrom('lease-lost' as const, 'final' as const, 'artifact-exists' as const),
      row: fc.constant(null),
    },
    PLAIN,
  ),
)

test('what came of a plan call is after its journey what it was', () => {
  fc.assert(
    fc.property(result, (came) => {
      assert.deepEqual(unpackResult(structuredClone(packResult(came))), came)
    }),
    { numRuns: scaled(500) },
  )
})

/** Few of each, and the same objects: so that neighbours are often alike, and alike but for one field. */
const POLICIES = [ONE_PHASE, THREE_PHASES] as const
const LABELS = [{}, { course: 'c1' }, { course: 'c2', level: 'a' }] as const

const job: fc.Arbitrary<NewJob> = fc
  .record({
    type: fc.constantFrom('a', 'b'),
    queue: fc.constantFrom('q', 'r'),
    policy: fc.constantFrom(...POLICIES),
    tenant: fc.constantFrom('', 'acme'),
    owner: fc.constantFrom(null, 'ann'),
    labels: fc.constantFrom(...LABELS),
    priority: fc.constantFrom(0, 1),
    delayMs: fc.constantFrom(0, 5),
    runAt: fc.constantFrom(null, 9),
    key: fc.constantFrom(null, 'k'),
    uniqueKey: fc.constantFrom(null, 'u'),
    input: text,
    id: fc.oneof({ weight: 9, arbitrary: fc.uuid({ version: 7 }) }, fc.constantFrom('9', '10')),
  })
  .map(({ id, ...changes }) => newJob(id, changes))

/** Each differs from the one before it in the fields named, which may be none. */
const jobs: fc.Arbitrary<readonly NewJob[]> = fc
  .tuple(
    job,
    fc.array(
      fc.tuple(
        job,
        fc.subarray(
          [
            'type',
            'queue',
            'policy',
            'tenant',
            'owner',
            'labels',
            'priority',
            'delayMs',
            'runAt',
            'key',
            'uniqueKey',
          ] as const,
          { maxLength: 1 },
        ),
      ),
      { maxLength: 30 },
    ),
  )
  .map(([first, others]) => {
    const made = [first]
    for (const [other, fields] of others) {
      const last = made.at(-1) ?? first
      const changes = Object.fromEntries(fields.map((name) => [name, other[name]]))
      made.push({ ...last, id: other.id, input: other.input, ...changes })
    }
    return made
  })

test('new jobs are after their journey what they were, alike or not', () => {
  fc.assert(
    fc.property(jobs, (made) => {
      assert.deepEqual(unpackNewJobs(structuredClone(packNewJobs(made))), made)
    }),
    { numRuns: scaled(500) },
  )
  assert.deepEqual(unpackNewJobs(packNewJobs([])), [])
  assert.throws(() => unpackNewJobs([[ID, ['1']]]), RangeError)
})

test('jobs that are alike are told by their ids and inputs', () => {
  const labels = {}
  const alike = Array.from({ length: 5 }, (_, n) => newJob(`${10 + n}`, { labels, input: `${n}` }))
  const [first, ...others] = packNewJobs(alike)
  assert.equal(first?.length, 13)
  assert.deepEqual(others, [['11121314', ['1', '2', '3', '4']]])
})

test('what came of many calls is after its journey what it was, said once or of each', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(result, fc.constantFrom(0, 1, 9))), (runs) => {
      const packed = packResults(
        runs.map(([came, count]) => (count === 0 ? [packResult(came)] : { all: packResult(came), count })),
      )
      const expected = runs.flatMap(([came, count]) => Array.from({ length: Math.max(1, count) }, () => came))
      assert.deepEqual(unpackResults(structuredClone(packed)), expected)
    }),
    { numRuns: scaled(300) },
  )
})

const outcomes: fc.Arbitrary<readonly Enqueued[]> = fc
  .array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          outcome: fc.constant('created' as const),
          state: fc.oneof({ weight: 9, arbitrary: fc.constant('queued' as const) }, fc.constant('scheduled' as const)),
        }),
      },
      fc.record({
        outcome: fc.constant('duplicate' as const),
        state: fc.constantFrom(...JOB_STATES, 'deleted' as const),
      }),
      fc.record({ outcome: fc.constant('key-reused' as const) }),
    ),
    { maxLength: 6 },
  )
  .map((made) => made.map((each, n): Enqueued => ({ ...each, id: each.outcome === 'created' ? `${n}` : 'other' })))

test('what came of new jobs is after its journey what it was', () => {
  fc.assert(
    fc.property(outcomes, (came) => {
      const made = came.map((_outcome, n) => newJob(`${n}`))
      assert.deepEqual(unpackEnqueued(structuredClone(packEnqueued(came)), made), came)
    }),
    { numRuns: scaled(500) },
  )
})
