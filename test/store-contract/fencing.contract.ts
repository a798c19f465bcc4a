import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Claim } from '../../src/core/job-row.ts'
import type { Plan, PlanValues } from '../../src/core/plan.ts'
import {
  ADOPT_PHASES,
  ARTIFACT,
  CANCEL,
  CHECKPOINT,
  COMPLETE,
  COMPLETE_ONLY_PHASE,
  END_OF_GRACE,
  EXTEND,
  FAIL_FINAL,
  FAIL_RETRY,
  FORCE_FAIL,
  FORCE_RESET,
  LOG,
  PROGRESS,
  PROGRESS_TOLD,
  REAP,
  REAP_POISON,
  REAP_STRIKE,
  REAP_SUSPECT,
  RELEASE,
  RETRY,
  TIME_OUT_FINAL,
  TIME_OUT_RETRY,
} from '../../src/core/plans.ts'
import { attemptError, LEASE_MS, ONE_PHASE, openBench, planCall } from '../support/contract-bench.ts'
import type { Act, Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

/** Every write that needs a claim, with all that it may bring along. */
function lateWrites(bench: Bench): readonly (readonly [Plan, PlanValues, Act])[] {
  const error = attemptError('late')
  const detail = '{"late":true}'
  return [
    [CHECKPOINT, { progress: 99 }, { result: '"late"', detail }],
    [PROGRESS, { progress: 99 }, {}],
    [PROGRESS_TOLD, { progress: 99 }, { detail }],
    [LOG, {}, { detail }],
    [ARTIFACT, {}, { artifact: bench.artifact(), detail }],
    [EXTEND, { timeoutMs: 9_999 }, {}],
    [ADOPT_PHASES, { phase: 0, phaseCount: 1 }, { phaseNames: ['late'] }],
    [COMPLETE, {}, { detail }],
    [COMPLETE_ONLY_PHASE, { output: '"late"' }, { detail }],
    [COMPLETE_ONLY_PHASE, { output: JSON.stringify('late'.repeat(1_000)) }, { detail }],
    [FAIL_RETRY, { delayMs: 9 }, { detail, error }],
    [FAIL_FINAL, {}, { detail, error }],
    [RELEASE, {}, { error }],
    [END_OF_GRACE, {}, { error }],
    [TIME_OUT_RETRY, { delayMs: 9 }, { detail, error }],
    [TIME_OUT_FINAL, {}, { detail, error }],
    [REAP, {}, { error }],
    [REAP_SUSPECT, {}, { error }],
    [REAP_STRIKE, {}, { error }],
    [REAP_POISON, {}, { error }],
  ]
}

const POLICY = { ...ONE_PHASE, phases: ['a', 'b'], timeoutMs: 1_000 }

interface Loss {
  readonly how: string
  /** Ends the claim, or answers one that never held. */
  readonly lose: (bench: Bench, claim: Claim) => Promise<unknown>
}

const LOSSES: readonly Loss[] = [
  { how: 'released', lose: (bench, claim) => bench.must(RELEASE, claim) },
  { how: 'failed', lose: (bench, claim) => bench.must(FAIL_FINAL, claim) },
  { how: 'is to be tried again', lose: (bench, claim) => bench.must(FAIL_RETRY, claim, { delayMs: 1 }) },
  { how: 'was failed by force', lose: (bench, { jobId }) => bench.must(FORCE_FAIL, jobId) },
  { how: 'was reset by force', lose: (bench, { jobId }) => bench.renew(FORCE_RESET, jobId) },
  {
    how: 'completed',
    async lose(bench, claim) {
      for (const progress of [50, 100]) await bench.must(CHECKPOINT, claim, { progress }, { result: `${progress}` })
      await bench.must(COMPLETE, claim)
    },
  },
  {
    how: 'was cancelled',
    async lose(bench, claim) {
      await bench.must(CANCEL, claim.jobId, { actor: 'ann' })
      await bench.must(END_OF_GRACE, claim)
    },
  },
  {
    how: 'was taken over after the session had ended',
    async lose(bench, claim) {
      await bench.store.sessions.end(claim.holder)
      await bench.sweep()
      await bench.take(await bench.session())
    },
  },
  {
    how: 'was taken away when the lease was over',
    async lose(bench, claim) {
      await bench.store.sessions.abandon(claim.holder)
      bench.advance(LEASE_MS)
      await bench.sweep()
    },
  },
  {
    how: 'took too long',
    async lose(bench) {
      bench.advance(POLICY.timeoutMs + POLICY.cancelGraceMs)
      await bench.sweep()
    },
  },
  {
    how: 'was given back and taken again by the same session',
    async lose(bench, claim) {
      await bench.must(RELEASE, claim)
      const again = await bench.take(claim.holder)
      assert.equal(again.claim.holder, claim.holder)
    },
  },
  {
    how: 'failed, was retried and is taken again by the same session',
    async lose(bench, claim) {
      await bench.must(FAIL_FINAL, claim)
      await bench.renew(RETRY, claim.jobId)
      await bench.take(claim.holder)
    },
  },
]

export function fencingContract(open: OpenStore): void {
  describe('fencing', () => {
    for (const { how, lose } of LOSSES) {
      test(`who held a job that ${how} can write nothing any more`, async (t) => {
        const bench = await openBench(t, open)
        const { claim } = await bench.running({ policy: POLICY })
        await bench.must(PROGRESS, claim, { progress: 7 })
        await lose(bench, claim)
        await refuseAll(bench, claim)
      })
    }

    test('a claim with another fence, another holder or no claim at all writes nothing', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ policy: POLICY })
      const other = await bench.session()
      await refuseAll(bench, { ...claim, fence: claim.fence + 1 })
      await refuseAll(bench, { ...claim, fence: claim.fence - 1 })
      await refuseAll(bench, { ...claim, holder: other })
      await refuseAll(bench, claim.jobId)
    })

    test('a claim on a job that nobody runs, or that is not there, writes nothing', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      const jobId = await bench.add()
      await refuseAll(bench, { jobId, holder, fence: 0 })
      const before = await dumpStore(bench.store)
      const absent = { jobId: bench.runtime.uuid(), holder, fence: 0 }
      for (const [plan, values, rest] of lateWrites(bench)) {
        assert.deepEqual(await bench.act(plan, absent, values, rest), {
          applied: false,
          refusal: 'lease-lost',
          row: null,
        })
      }
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('a claim on another job of the same session is none on this one', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      await bench.add({ policy: POLICY })
      await bench.add({ policy: POLICY })
      const [one, two] = await bench.claim(holder, 2)
      assert.ok(one !== undefined && two !== undefined)
      assert.equal(one.claim.fence, two.claim.fence)
      const before = await dumpStore(bench.store)
      for (const [plan, values, rest] of lateWrites(bench)) {
        const call = { ...planCall(plan, one.claim, values, rest), jobId: two.claim.jobId }
        const result = await bench.store.claims.apply(call)
        assert.equal(result.applied ? 'applied' : result.refusal, 'lease-lost', plan.name)
      }
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('late writes among good ones of the same moment are refused, and the good ones stand', async (t) => {
      const bench = await openBench(t, open)
      const { claim: stale } = await bench.running({ policy: POLICY })
      await bench.must(RELEASE, stale)
      const { claim } = await bench.take(await bench.session())
      const good = [
        [CHECKPOINT, { progress: 50 }, { result: '"good 1"' }],
        [CHECKPOINT, { progress: 100 }, { result: '"good 2"' }],
        [COMPLETE, {}, {}],
      ] as const
      const late = lateWrites(bench)
      const results = await Promise.all(
        good.flatMap(([plan, values, rest], index) => [
          ...late.slice(index * 7, index * 7 + 7).map((write) => bench.act(write[0], stale, write[1], write[2])),
          bench.act(plan, claim, values, rest),
        ]),
      )
      assert.equal(results.filter(({ applied }) => applied).length, good.length)
      const { state, output, attempts, progress } = await bench.details(claim.jobId)
      assert.deepEqual({ state, output, progress }, { state: 'completed', output: '"good 2"', progress: 100 })
      assert.deepEqual(
        attempts.map(({ outcome }) => outcome),
        ['released', 'completed'],
      )
    })

    test('of two that end the same claim at once exactly one is heard', async (t) => {
      const bench = await openBench(t, open)
      for (let round = 0; round < 10; round += 1) {
        const { claim } = await bench.running({ priority: -round })
        const endings = [
          bench.act(COMPLETE_ONLY_PHASE, claim, { output: '1' }),
          bench.act(FAIL_FINAL, claim),
          bench.act(RELEASE, claim),
          bench.act(FORCE_FAIL, claim.jobId),
        ]
        const results = await Promise.all(round % 2 === 0 ? endings : endings.toReversed())
        assert.equal(results.filter(({ applied }) => applied).length, 1)
        const events = await bench.eventNames(claim.jobId)
        assert.equal(events.length, 3)
      }
    })

    test('the fence never falls and moves with every claim and every end from outside', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      const id = await bench.add()
      const fence = async (): Promise<number> => (await bench.details(id)).fence
      const { claim: first } = await bench.take(holder)
      assert.equal(first.fence, 1)
      await bench.must(RELEASE, first)
      assert.equal(await fence(), 1)
      const { claim: second } = await bench.take(holder)
      assert.equal(second.fence, 2)
      await bench.renew(FORCE_RESET, id)
      assert.equal(await fence(), 3)
      const { claim: third } = await bench.take(holder)
      assert.equal(third.fence, 4)
      await bench.must(FORCE_FAIL, id)
      assert.equal(await fence(), 5)
      await bench.renew(RETRY, id)
      assert.equal(await fence(), 6)
    })
  })
}

async function refuseAll(bench: Bench, target: Claim | string): Promise<void> {
  const id = typeof target === 'string' ? target : target.jobId
  const before = await dumpStore(bench.store)
  const { row } = await bench.act(LOG, target)
  assert.equal(row !== undefined && row !== null && 'id' in row ? row.id : null, id)
  for (const [plan, values, rest] of lateWrites(bench)) {
    assert.deepEqual(
      await bench.act(plan, target, values, rest),
      { applied: false, refusal: 'lease-lost', row },
      plan.name,
    )
  }
  const together = await Promise.all(
    lateWrites(bench).map(([plan, values, rest]) => bench.act(plan, target, values, rest)),
  )
  assert.ok(together.every(({ applied }) => !applied))
  assert.deepEqual(await dumpStore(bench.store), before)
}
