/** Claimed jobs, packed by the store's thread: unpacked they are what was claimed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import * as fc from 'fast-check'

import { unpackClaim } from '../../src/sqlite/packed-claim.ts'
import type { PackedClaim, PackedJob } from '../../src/sqlite/packed-claim.ts'
import type { Claimed, ClaimedJob } from '../../src/store/claims.ts'
import { ONE_PHASE, THREE_PHASES } from '../support/contract-bench.ts'
import { scaled } from '../support/scale.ts'

const HOLDER = 5_001
const AT = 10_000
const KINDS: PackedClaim['kinds'] = [
  { type: 'a', queue: 'q', policy: ONE_PHASE, phaseNames: ['run'] },
  { type: 'a', queue: 'r', policy: ONE_PHASE, phaseNames: ['old', 'new'] },
  { type: 'b', queue: 'q', policy: THREE_PHASES, phaseNames: THREE_PHASES.phases },
]

interface Made {
  readonly kind: number
  readonly job: ClaimedJob
}

const made: fc.Arbitrary<Made> = fc
  .record({
    kind: fc.nat({ max: KINDS.length - 1 }),
    id: fc.uuid({ version: 7 }),
    fence: fc.nat(),
    row: fc.integer({ min: 1 }),
    tenant: fc.string(),
    owner: fc.option(fc.string()),
    labels: fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { noNullPrototype: true }),
    input: fc.json(),
    attempt: fc.nat(),
    generation: fc.nat(),
    failures: fc.nat(),
    results: fc.array(fc.json()),
    progress: fc.double({ min: 0, max: 100, noNaN: true }),
    createdAt: fc.nat(),
    runAt: fc.nat(),
    deadlineAt: fc.option(fc.nat()),
  })
  .map(({ kind, id: jobId, fence, row, ...fields }) => {
    const { type, queue, policy, phaseNames } = KINDS[kind] ?? {
      type: '',
      queue: '',
      policy: ONE_PHASE,
      phaseNames: [],
    }
    const claim = { jobId, holder: HOLDER, fence, row }
    const phase = fields.results.length
    return { kind, job: { claim, type, queue, policy, phaseNames, ...fields, phase, startedAt: AT } }
  })

function pack({ kind, job }: Made): PackedJob {
  const { claim, tenant, owner, labels, input, attempt, generation, failures, phase, results } = job
  const rest = [job.progress, job.createdAt, job.runAt, job.deadlineAt] as const
  const id = claim.jobId.replaceAll('-', '')
  const kept = [Object.keys(labels).length === 0 ? null : labels, input, attempt, generation, failures, phase] as const
  return [kind, claim.row ?? 0, id, claim.fence, tenant, owner, ...kept, results.length === 0 ? null : results, ...rest]
}

test('a claim is after its journey what was claimed, each job with what its kind has in common', () => {
  const claimed = fc.record({
    jobs: fc.array(made, { maxLength: 10 }),
    nextDueInMs: fc.option(fc.nat()),
    sessionLost: fc.boolean(),
  })
  fc.assert(
    fc.property(claimed, ({ jobs, nextDueInMs, sessionLost }) => {
      const packed: PackedClaim = { kinds: KINDS, jobs: jobs.map(pack), at: AT, nextDueInMs, sessionLost }
      const expected: Claimed = { jobs: jobs.map(({ job }) => job), nextDueInMs, sessionLost }
      assert.deepEqual(unpackClaim(structuredClone(packed), HOLDER), expected)
    }),
    { numRuns: scaled(300) },
  )
})
