import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Plan, PlanValues } from '../../src/core/plan.ts'
import {
  CANCEL,
  COMPLETE_ONLY_PHASE,
  END_OF_GRACE,
  FAIL_FINAL,
  FAIL_RETRY,
  FORCE_FAIL,
  FORCE_RESET,
  RELEASE,
} from '../../src/core/plans.ts'
import { attemptError, LEASE_MS, ONE_PHASE, openBench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const BY_ANN: PlanValues = { actor: 'ann', reason: 'wrong region' }
const TOLD = { cancelledBy: 'ann', reason: 'wrong region' }

export function cancelContract(open: OpenStore): void {
  describe('cancelling', () => {
    test('a waiting job is cancelled at once and never starts', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      const retrying = await bench.add()
      const { claim } = await bench.take(holder)
      await bench.must(FAIL_RETRY, claim, { delayMs: 10 })
      const scheduled = await bench.add({ delayMs: 10 })
      const queued = await bench.add()
      for (const id of [retrying, scheduled, queued]) {
        const now = await bench.store.now()
        const { row } = await bench.must(CANCEL, id, BY_ANN)
        assert.deepEqual(
          {
            state: row?.state,
            by: row?.cancelledBy,
            reason: row?.cancelReason,
            at: row?.cancelRequestedAt,
            end: (await bench.details(id)).finishedAt,
          },
          { state: 'cancelled', by: 'ann', reason: 'wrong region', at: now, end: now },
        )
        const told = (await bench.events(id)).at(-1)
        assert.equal(told?.name, 'job:cancelled')
        assert.deepEqual(JSON.parse(told?.detail ?? ''), TOLD)
      }
      bench.advance(60_000)
      assert.deepEqual(await bench.claim(holder), [])
      await bench.sweep()
      assert.equal((await bench.details(scheduled)).state, 'cancelled')
    })

    test('a running job is asked to stop, and is cancelled when its holder says that it has', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const now = await bench.store.now()
      const { row } = await bench.must(CANCEL, claim.jobId, BY_ANN)
      assert.deepEqual([row?.state, row?.cancelRequestedAt], ['running', now])
      assert.deepEqual(await bench.store.claims.interruptions([claim]), [
        { jobId: claim.jobId, fence: claim.fence, kind: 'cancel', ...TOLD },
      ])
      bench.advance(30)
      await bench.must(END_OF_GRACE, claim, {}, { error: attemptError('stopped') })
      const { state, finishedAt, cancelRequestedAt, failures, holder, attempts } = await bench.details(claim.jobId)
      assert.deepEqual(
        { state, finishedAt, cancelRequestedAt, failures, holder },
        { state: 'cancelled', finishedAt: now + 30, cancelRequestedAt: now, failures: 0, holder: null },
      )
      assert.deepEqual(
        attempts.map(({ outcome, endedAt, error }) => ({ outcome, endedAt, error })),
        [{ outcome: 'cancelled', endedAt: now + 30, error: attemptError('stopped') }],
      )
      const events = await bench.events(claim.jobId)
      assert.deepEqual(
        events.map(({ name }) => name),
        ['job:queued', 'job:started', 'job:cancel-requested', 'job:cancelled'],
      )
      assert.deepEqual(
        events.slice(2).map(({ detail }) => JSON.parse(detail ?? '') as unknown),
        [TOLD, TOLD],
      )
    })

    test('a pending cancel is never lost, however the attempt ends', async (t) => {
      const bench = await openBench(t, open)
      const endings: readonly (readonly [Plan, PlanValues])[] = [
        [FAIL_RETRY, { delayMs: 5 }],
        [FAIL_FINAL, {}],
        [RELEASE, {}],
        [END_OF_GRACE, {}],
      ]
      for (const [plan, values] of endings) {
        const { claim } = await bench.running()
        await bench.must(CANCEL, claim.jobId, BY_ANN)
        const detail = '{"verdict":{"fatal":false,"rule":"unknown"}}'
        await bench.must(plan, claim, values, { detail, error: attemptError() })
        const { state, failures, attempts } = await bench.details(claim.jobId)
        assert.deepEqual([state, failures, attempts[0]?.outcome], ['cancelled', 0, 'cancelled'], plan.name)
        assert.equal(attempts[0]?.error, attemptError())
        const told = (await bench.events(claim.jobId)).at(-1)
        assert.deepEqual(JSON.parse(told?.detail ?? ''), { ...TOLD, verdict: { fatal: false, rule: 'unknown' } })
      }
    })

    test('a pending cancel outlives the session, and the fence moves', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(CANCEL, claim.jobId, BY_ANN)
      await bench.store.sessions.abandon(claim.holder)
      bench.advance(LEASE_MS)
      const report = await bench.sweep()
      assert.equal(report.jobsReaped, 1)
      const { state, fence, attempts } = await bench.details(claim.jobId)
      assert.deepEqual([state, fence, attempts[0]?.outcome], ['cancelled', claim.fence + 1, 'cancelled'])
      assert.deepEqual(await bench.eventNames(claim.jobId), [
        'job:queued',
        'job:started',
        'job:cancel-requested',
        'job:cancelled',
      ])
    })

    test('a pending cancel outlives the time-out', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ policy: { ...ONE_PHASE, timeoutMs: 1_000 } })
      await bench.must(CANCEL, claim.jobId, BY_ANN)
      bench.advance(1_000 + ONE_PHASE.cancelGraceMs)
      assert.equal((await bench.sweep()).jobsTimedOut, 1)
      const { state, failures } = await bench.details(claim.jobId)
      assert.deepEqual([state, failures], ['cancelled', 0])
    })

    test('a job that completes while a cancel is pending is completed, and says so', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(CANCEL, claim.jobId, BY_ANN)
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
      const { state, output, cancelledBy, cancelRequestedAt } = await bench.details(claim.jobId)
      assert.deepEqual([state, output, cancelledBy], ['completed', '1', 'ann'])
      assert.notEqual(cancelRequestedAt, null)
      const told = (await bench.events(claim.jobId)).at(-1)
      assert.deepEqual([told?.name, told?.detail], ['job:completed', '{"cancelRequested":true}'])
      const late = await bench.act(CANCEL, claim.jobId, { actor: 'bob' })
      assert.equal(late.applied ? null : late.refusal, 'final')
    })

    test('a finished job cannot be cancelled, and nothing changes', async (t) => {
      const bench = await openBench(t, open)
      const { claim: completed } = await bench.running()
      await bench.must(COMPLETE_ONLY_PHASE, completed, { output: '1' })
      const { claim: failed } = await bench.running()
      await bench.must(FAIL_FINAL, failed)
      const before = await dumpStore(bench.store)
      for (const [{ jobId }, state] of [
        [completed, 'completed'],
        [failed, 'failed'],
      ] as const) {
        const result = await bench.act(CANCEL, jobId, BY_ANN)
        assert.deepEqual([result.applied ? null : result.refusal, result.row?.state], ['final', state])
      }
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('cancelling twice changes nothing: the first actor and reason stay', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const queued = await bench.add({ priority: 5 })
      for (const id of [claim.jobId, queued]) {
        await bench.must(CANCEL, id, BY_ANN)
        const before = await dumpStore(bench.store)
        bench.advance(5)
        const again = await bench.act(CANCEL, id, { actor: 'bob', reason: 'me too' })
        assert.deepEqual(
          [again.applied ? null : again.refusal, again.row?.cancelledBy, again.row?.cancelReason],
          ['already', 'ann', 'wrong region'],
        )
        assert.deepEqual(await dumpStore(bench.store), before)
      }
    })

    test('of many cancels at once one is heard, and there is one event', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const queued = await bench.add({ priority: 5 })
      for (const id of [claim.jobId, queued]) {
        const actors = Array.from({ length: 20 }, (_, index) => `actor ${index}`)
        const results = await Promise.all(actors.map((actor) => bench.act(CANCEL, id, { actor })))
        assert.equal(results.filter(({ applied }) => applied).length, 1)
        assert.ok(results.every((result) => result.applied || result.refusal === 'already'))
        assert.equal(new Set(results.map(({ row }) => row?.cancelledBy)).size, 1)
      }
      assert.deepEqual(await bench.eventNames(queued), ['job:queued', 'job:cancelled'])
      assert.deepEqual(await bench.eventNames(claim.jobId), ['job:queued', 'job:started', 'job:cancel-requested'])
    })

    test('a cancel and a completion of the same moment leave one final state and one final event', async (t) => {
      const bench = await openBench(t, open)
      for (let round = 0; round < 20; round += 1) {
        const { claim } = await bench.running()
        const calls = [
          () => bench.act(CANCEL, claim.jobId, BY_ANN),
          () => bench.act(COMPLETE_ONLY_PHASE, claim, { output: '1' }),
        ]
        await Promise.all((round % 2 === 0 ? calls : calls.toReversed()).map((call) => call()))
        const { state } = await bench.details(claim.jobId)
        assert.equal(state, 'completed')
        const names = await bench.eventNames(claim.jobId)
        assert.equal(names.filter((name) => name === 'job:completed' || name === 'job:cancelled').length, 1)
      }
    })

    test('an end of grace without a pending cancel is refused', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const before = await dumpStore(bench.store)
      const result = await bench.act(END_OF_GRACE, claim)
      assert.equal(result.applied ? null : result.refusal, 'no-cancel-pending')
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('a reset or a failure by force forgets the pending cancel', async (t) => {
      const bench = await openBench(t, open)
      for (const [plan, state] of [
        [FORCE_RESET, 'queued'],
        [FORCE_FAIL, 'failed'],
      ] as const) {
        const { claim } = await bench.running({ priority: -1 })
        await bench.must(CANCEL, claim.jobId, BY_ANN)
        await bench.renew(plan, claim.jobId)
        const details = await bench.details(claim.jobId)
        assert.deepEqual(
          [details.state, details.cancelRequestedAt, details.cancelledBy, details.cancelReason],
          [state, null, null, null],
        )
        assert.deepEqual(await bench.store.claims.interruptions([claim]), [
          { jobId: claim.jobId, fence: claim.fence, kind: 'lease-lost', cancelledBy: null, reason: null },
        ])
        await bench.act(CANCEL, claim.jobId)
      }
    })
  })

  describe('interruptions', () => {
    test('a session is told of each claim that has gone or is to stop, and of no other', async (t) => {
      const bench = await openBench(t, open)
      const { claim: fine } = await bench.running()
      const { claim: cancelled } = await bench.running()
      const { claim: forced } = await bench.running()
      const { claim: again } = await bench.running()
      await bench.must(CANCEL, cancelled.jobId, { actor: 'ann', reason: null })
      await bench.must(FORCE_FAIL, forced.jobId)
      await bench.must(RELEASE, again)
      await bench.take(again.holder)
      const absent = { jobId: bench.runtime.uuid(), holder: 1, fence: 1 }
      const told = await bench.store.claims.interruptions([fine, cancelled, forced, again, absent])
      const lost = { kind: 'lease-lost', cancelledBy: null, reason: null } as const
      assert.deepEqual(told, [
        { jobId: cancelled.jobId, fence: cancelled.fence, kind: 'cancel', cancelledBy: 'ann', reason: null },
        { jobId: forced.jobId, fence: forced.fence, ...lost },
        { jobId: again.jobId, fence: again.fence, ...lost },
        { jobId: absent.jobId, fence: 1, ...lost },
      ])
      assert.deepEqual(await bench.store.claims.interruptions([]), [])
    })

    test('a pending cancel is told again until the job has stopped', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(CANCEL, claim.jobId)
      for (let round = 0; round < 3; round += 1) {
        const [told] = await bench.store.claims.interruptions([claim])
        assert.equal(told?.kind, 'cancel')
      }
      await bench.must(END_OF_GRACE, claim)
      const [told] = await bench.store.claims.interruptions([claim])
      assert.equal(told?.kind, 'lease-lost')
    })
  })
}
