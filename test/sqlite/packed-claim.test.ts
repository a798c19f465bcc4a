/** Claimed jobs, packed by the store's thread: unpacked they are what was claimed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import * as fc from 'fast-check'

import { unpackClaim } from '../../src/sqlite/packed-claim.ts'
import type { ClaimKind, PackedClaim, PackedJob } from '../../src/sqlite/packed-claim.ts'
import type { ClaimedJob } from '../../src/store/claims.ts'
import { ONE_PHASE, THREE_PHASES } from '../support/contract-bench.ts'
import { scaled } from '../support/scale.ts'

const HOLDER = 5_001
const AT = 10_000
const SHAPES = [
  { type: 'a', queue: 'q', policy: ONE_PHASE, phaseNames: ['run'] },
  { type: 'a', queue: 'r', policy: ONE_PHASE, phaseNames: ['old', 'new'] },
  { type: 'b', queue: 'q', policy: THREE_PHASES, phaseNames: THREE_PHASES.phases },
]

const kinds: fc.Arbitrary<readonly ClaimKind[]> = fc.array(
  fc
    .record({
      shape: fc.constantFrom(...SHAPES),
      tenant: fc.string(),
      owner: fc.option(fc.string()),
      deadlineAt: fc.option(fc.nat()),
      fence: fc.nat(),
      attempt: fc.nat(),
      generation: fc.nat(),
      failures: fc.nat(),
      phase: fc.nat(),
      progress: fc.double({ min: 0, max: 100, noNaN: true }),
    })
    .map(({ shape, ...rest }) => ({ ...shape, ...rest })),
  { minLength: 1, maxLength: 4 },
)

const job = fc.record({
  kind: fc.nat(),
  jobId: fc.uuid({ version: 7 }),
  row: fc.integer({ min: 1 }),
  labels: fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { noNullPrototype: true }),
  input: fc.json(),
  results: fc.array(fc.json()),
  createdAt: fc.nat(),
  runAt: fc.nat(),
})

test('a claim is after its journey what was claimed, each job with what its kind has in common', () => {
  const claimed = fc.record({
    kinds,
    jobs: fc.array(job, { maxLength: 10 }),
    nextDueInMs: fc.option(fc.nat()),
    sessionLost: fc.boolean(),
  })
  fc.assert(
    fc.property(claimed, ({ kinds: list, jobs, nextDueInMs, sessionLost }) => {
      const packed = jobs.map(({ kind, jobId, row, labels, input, results, createdAt, runAt }): PackedJob => {
        const beside = Object.keys(labels).length === 0 && results.length === 0 ? null : { labels, results }
        return [kind % list.length, row, jobId.replaceAll('-', ''), input, createdAt, runAt, beside]
      })
      const expected = jobs.map(({ kind, jobId, row, ...own }): ClaimedJob => {
        const { fence, ...shared } = list[kind % list.length] ?? assert.fail('there is no such kind')
        return { ...shared, ...own, claim: { jobId, holder: HOLDER, fence, row }, startedAt: AT }
      })
      const claim: PackedClaim = { kinds: list, jobs: packed, at: AT, nextDueInMs, sessionLost }
      assert.deepEqual(unpackClaim(structuredClone(claim), HOLDER), { jobs: expected, nextDueInMs, sessionLost })
    }),
    { numRuns: scaled(300) },
  )
})
