/** Claimed jobs, packed by the store's thread: unpacked they are what was claimed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import * as fc from 'fast-check'

import { unpackClaim } from '../../src/sqlite/packed-claim.ts'
import type { JobColumns, PackedClaim, PackedPage } from '../../src/sqlite/packed-claim.ts'
import type { ClaimedJob } from '../../src/store/claims.ts'
import { ONE_PHASE, THREE_PHASES } from '../support/contract-bench.ts'
import { plainClaimed } from '../support/plain-claimed.ts'
import { scaled } from '../support/scale.ts'

const HOLDER = 5_001
const AT = 10_000
const PHASE_LISTS = [['run'], ['old', 'new'], THREE_PHASES.phases] as const
const UNTRIED = { fence: 1, attempt: 1, generation: 1, failures: 0, phase: 0, results: [] }

const job = fc.record({
  page: fc.nat({ max: 2 }),
  isLong: fc.boolean(),
  phaseList: fc.nat({ max: PHASE_LISTS.length - 1 }),
  jobId: fc.uuid({ version: 7 }),
  labels: fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { noNullPrototype: true }),
  tenant: fc.oneof(fc.constant(''), fc.string()),
  owner: fc.option(fc.string()),
  input: fc.json(),
  tried: fc.option(
    fc.record({
      fence: fc.nat(),
      attempt: fc.nat(),
      generation: fc.nat(),
      failures: fc.nat(),
      phase: fc.nat({ max: 3 }),
      results: fc.array(fc.json()),
    }),
  ),
  createdAt: fc.nat(),
  runAt: fc.nat(),
})

test('a claim is after its journey what was claimed, each job with what its lane has in common, in the order of the claim', () => {
  const claimed = fc.record({
    jobs: fc.array(job, { maxLength: 10 }),
    deadlines: fc.tuple(fc.option(fc.nat()), fc.option(fc.nat()), fc.option(fc.nat())),
    hasLabels: fc.boolean(),
    nextDueInMs: fc.option(fc.nat()),
    sessionLost: fc.boolean(),
  })
  fc.assert(
    fc.property(claimed, ({ jobs, deadlines, hasLabels, nextDueInMs, sessionLost }) => {
      const shared = deadlines.map((deadlineAt, n) => ({
        type: `t${n}`,
        queue: `q${n}`,
        policy: ONE_PHASE,
        deadlineAt,
      }))
      const numbered = jobs.map((each, index) => ({ ...each, row: index + 1 }))
      const pages = shared.map((common, n): PackedPage => {
        // In whichever order the page has them.
        const mine = numbered.filter(({ page }) => page === n).toReversed()
        const column = (of: (each: (typeof mine)[number]) => unknown): string => JSON.stringify(mine.map(of))
        const columns: JobColumns = {
          keys: column(({ row }) => row),
          ids: mine.map(({ jobId }) => jobId.replaceAll('-', '')).join(''),
          inputs: column(({ isLong, input }) => (isLong ? null : input)),
          created: column(({ createdAt }) => createdAt),
          waits: column(({ createdAt, runAt }) => runAt - createdAt),
          lists: column(({ phaseList }) => phaseList),
          beside: column(({ tenant, owner, tried, labels }) => {
            const { results: _results, ...counts } = tried ?? { results: [] }
            const fared = tried === null ? null : Object.values(counts)
            if (hasLabels) return [tenant, owner, fared, labels]
            return tenant === '' && owner === null && fared === null ? 0 : [tenant, owner, fared]
          }),
        }
        const bodies = new Map(mine.filter(({ isLong }) => isLong).map(({ row, input }) => [row, input]))
        const results = new Map(mine.flatMap(({ row, tried }) => (tried === null ? [] : [[row, tried.results]])))
        return { ...common, columns, phaseLists: new Map(PHASE_LISTS.entries()), bodies, results }
      })
      const expected = numbered.map((each): ClaimedJob => {
        const { page, row, jobId, input, createdAt, runAt, tenant, owner, phaseList, tried, labels } = each
        const { fence, ...fared } = tried ?? UNTRIED
        const phaseNames = PHASE_LISTS[phaseList] ?? assert.fail('there is no such list')
        const common = shared[page] ?? assert.fail('there is no such page')
        const claim = { jobId, holder: HOLDER, fence, row }
        const progress = (100 * fared.phase) / phaseNames.length
        const own = { input, createdAt, runAt, tenant, owner, labels: hasLabels ? labels : {}, phaseNames, progress }
        return { ...common, ...own, ...fared, claim, startedAt: AT }
      })
      const order = numbered.map(({ row }) => row)
      const claim: PackedClaim = { pages, order, at: AT, nextDueInMs, sessionLost }
      assert.deepEqual(plainClaimed(unpackClaim(structuredClone(claim), HOLDER)), {
        jobs: expected,
        nextDueInMs,
        sessionLost,
      })
    }),
    { numRuns: scaled(300) },
  )
})
