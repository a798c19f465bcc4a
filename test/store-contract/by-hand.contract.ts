import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Claim } from '../../src/core/job-row.ts'
import { DEFAULTS } from '../../src/core/limits.ts'
import { CANCEL, CHECKPOINT, COMPLETE_ONLY_PHASE, FAIL_RETRY, PROGRESS } from '../../src/core/plans.ts'
import type { JobPolicy } from '../../src/core/policy.ts'
import { MINUTE, ONE_PHASE, THREE_PHASES, openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const { durationMs: LOCK_MS, quietMs: QUIET_MS } = ONE_PHASE.lock
const BY_HAND = { byHand: { lockMs: null } }

async function lockOf(bench: Bench, { holder }: Claim): Promise<number | null> {
  const lock = await bench.store.sessions.holder(holder)
  return lock === null ? null : lock.expiresAt - (await bench.store.now())
}

/** A job that was taken by hand and has come some way, with a lock that runs out at its time. */
async function driven(bench: Bench, progress: number, policy: JobPolicy = ONE_PHASE): Promise<Claim> {
  await bench.register(policy)
  const claim = await bench.byHand(await bench.add({ policy }))
  if (progress > 0) await bench.must(PROGRESS, claim, { progress }, BY_HAND)
  return claim
}

export function byHandContract(open: OpenStore): void {
  describe('taking one job by hand', () => {
    test('it is the job that was asked for, whatever comes before it', async (t) => {
      const bench = await openBench(t, open)
      await bench.add({ priority: -5 })
      const id = await bench.add({ policy: THREE_PHASES })
      const now = await bench.store.now()
      const taken = await bench.takeByHand(id)
      assert.ok(taken.outcome === 'taken')
      assert.deepEqual(
        { fence: taken.claim.fence, jobId: taken.claim.jobId, lockExpiresAt: taken.lockExpiresAt },
        { fence: 1, jobId: id, lockExpiresAt: now + LOCK_MS },
      )
      const { state, attempt, holder, startedAt, worker } = await bench.details(id)
      assert.deepEqual(
        { state, attempt, holder, startedAt },
        { state: 'running', attempt: 1, holder: taken.claim.holder, startedAt: now },
      )
      assert.deepEqual(worker, { service: 'workers', host: 'mill-1', pid: 4_711 })
      const [, started] = await bench.events(id)
      assert.deepEqual([started?.name, started?.detail], ['job:started', '{"phase":"load"}'])
    })

    test('its attempt has the time that its type allows', async (t) => {
      const bench = await openBench(t, open)
      await bench.register({ ...ONE_PHASE, timeoutMs: 5_000 })
      const { jobId } = await bench.byHand(await bench.add())
      assert.equal((await bench.details(jobId)).deadlineAt, (await bench.store.now()) + 5_000)
    })

    test('a paused queue does not stop a person', async (t) => {
      const bench = await openBench(t, open)
      await bench.store.queues.pause('map.export', 'ann')
      await bench.byHand(await bench.add())
    })

    test('a job that has come due is taken, and one that has not is refused', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ delayMs: 1_000 })
      assert.deepEqual(await bench.takeByHand(id), { outcome: 'not-queued', state: 'scheduled', heldBy: null })
      bench.advance(1_000)
      await bench.byHand(id)
      assert.deepEqual(await bench.eventNames(id), ['job:scheduled', 'job:queued', 'job:started'])
    })

    test('a job that is held is refused, and it is said who holds it', async (t) => {
      const bench = await openBench(t, open)
      const since = await bench.store.now()
      const { jobId } = await bench.byHand(await bench.add())
      bench.advance(MINUTE)
      const identity = { service: 'workers', host: 'mill-1', pid: 4_711 }
      const held = { outcome: 'not-queued', state: 'running' } as const
      const before = await dumpStore(bench.store)
      assert.deepEqual(await bench.takeByHand(jobId, { by: 'bob' }), {
        ...held,
        heldBy: { ...identity, by: 'ann', since, expiresAt: since + LOCK_MS },
      })
      assert.deepEqual(await dumpStore(bench.store), before)
      const workers = await bench.running()
      const refused = await bench.takeByHand(workers.claim.jobId)
      assert.ok(refused.outcome === 'not-queued')
      assert.deepEqual([refused.heldBy?.by, refused.heldBy?.pid], [null, identity.pid])
    })

    test("a type that another service works on is refused, and nobody's is not", async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add()
      const foreign = { service: 'web' }
      const free = await bench.takeByHand(await bench.add(), foreign)
      assert.equal(free.outcome, 'taken')
      await bench.register(ONE_PHASE)
      const refused = await bench.takeByHand(id, foreign)
      assert.deepEqual(refused, { outcome: 'not-owner', type: 'map.export', service: 'workers' })
      assert.equal((await bench.details(id)).state, 'queued')
    })

    test('who may not touch a job may not take it', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ tenant: 'acme', owner: 'ann' })
      const missing = { outcome: 'not-found' }
      assert.deepEqual(await bench.takeByHand(id, {}, { role: 'admin', tenant: 'other' }), missing)
      assert.deepEqual(await bench.takeByHand(id, {}, { role: 'member', tenant: 'acme', user: 'bob' }), {
        outcome: 'forbidden',
      })
      assert.deepEqual(await bench.takeByHand(bench.job().id), missing)
      assert.deepEqual(await bench.takeByHand('no id'), missing)
      assert.equal((await bench.takeByHand(id, {}, { role: 'member', tenant: 'acme', user: 'ann' })).outcome, 'taken')
    })

    test('a lock is no worker, and nobody beats for it', async (t) => {
      const bench = await openBench(t, open)
      const claim = await bench.byHand(await bench.add())
      assert.deepEqual(await bench.store.sessions.list(), [])
      bench.advance(LOCK_MS - 1)
      await bench.add()
      assert.equal(await lockOf(bench, claim), 1)
    })
  })

  describe('writing under a lock', () => {
    test('a write makes it last five minutes at least, and never shorter', async (t) => {
      const bench = await openBench(t, open)
      const claim = await bench.byHand(await bench.add())
      await bench.must(PROGRESS, claim, { progress: 1 }, BY_HAND)
      assert.equal(await lockOf(bench, claim), LOCK_MS)
      bench.advance(LOCK_MS - MINUTE)
      await bench.must(PROGRESS, claim, { progress: 2 }, BY_HAND)
      assert.equal(await lockOf(bench, claim), DEFAULTS.lockWriteMs)
      await bench.must(PROGRESS, claim, { progress: 2 }, { byHand: { lockMs: 40 * MINUTE } })
      assert.equal(await lockOf(bench, claim), 40 * MINUTE)
      await bench.must(PROGRESS, claim, { progress: 2 }, { byHand: { lockMs: 1 } })
      assert.equal(await lockOf(bench, claim), 40 * MINUTE)
    })

    test('a short lock is not made longer than it is', async (t) => {
      const bench = await openBench(t, open)
      const claim = await driven(bench, 0, { ...ONE_PHASE, lock: { ...ONE_PHASE.lock, durationMs: 1_000 } })
      bench.advance(500)
      await bench.must(PROGRESS, claim, { progress: 1 }, BY_HAND)
      assert.equal(await lockOf(bench, claim), 1_000)
    })

    test('it is over with the attempt', async (t) => {
      const bench = await openBench(t, open)
      for (const [plan, values] of [
        [COMPLETE_ONLY_PHASE, { output: '1' }],
        [FAIL_RETRY, { delayMs: 1_000 }],
      ] as const) {
        const claim = await bench.byHand(await bench.add())
        await bench.must(plan, claim, values, BY_HAND)
        assert.equal(await lockOf(bench, claim), null)
      }
      assert.equal((await bench.sweep()).locksCleared, 0)
    })

    test("a write under a worker's claim is no business of the lock's", async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const before = await lockOf(bench, claim)
      await bench.must(PROGRESS, claim, { progress: 1 }, { byHand: { lockMs: 1_000 * MINUTE } })
      assert.equal(await lockOf(bench, claim), before)
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' }, BY_HAND)
      assert.equal(await lockOf(bench, claim), before)
    })

    test('a refused write leaves the lock as it is', async (t) => {
      const bench = await openBench(t, open)
      const claim = await bench.byHand(await bench.add())
      const late = { ...claim, fence: claim.fence + 1 }
      bench.advance(LOCK_MS - 1)
      const refused = await bench.act(PROGRESS, late, { progress: 1 }, BY_HAND)
      assert.equal(refused.applied ? null : refused.refusal, 'lease-lost')
      assert.equal(await lockOf(bench, claim), 1)
    })
  })

  describe('a job that is driven by hand and stuck', () => {
    test('it is stuck once its lock has run out, and it was quiet for so long', async (t) => {
      const bench = await openBench(t, open)
      const claim = await driven(bench, 0)
      bench.advance(LOCK_MS - 1)
      assert.equal((await bench.sweep()).jobsStuck, 0)
      bench.advance(1)
      assert.deepEqual((await bench.sweep()).jobsStuck, 1)
      const { state, failures, suspect, strikes, attempts } = await bench.details(claim.jobId)
      assert.deepEqual(
        { state, failures, suspect, strikes },
        { state: 'queued', failures: 0, suspect: false, strikes: 0 },
      )
      assert.equal(attempts[0]?.outcome, 'lost')
      assert.match(attempts[0]?.error ?? '', /"code":"lock-expired"/)
      assert.equal(await lockOf(bench, claim), null)
      const late = await bench.act(PROGRESS, claim, { progress: 9 }, BY_HAND)
      assert.equal(late.applied ? null : late.refusal, 'lease-lost')
    })

    test('while it is not quiet its driver goes on with the lock that had run out', async (t) => {
      const bench = await openBench(t, open)
      const claim = await driven(bench, 0)
      bench.advance(LOCK_MS - 2 * MINUTE)
      await bench.must(PROGRESS, claim, { progress: 40 }, BY_HAND)
      bench.advance(QUIET_MS - 1)
      const before = await dumpStore(bench.store)
      const report = await bench.sweep()
      assert.deepEqual([report.jobsStuck, report.jobsReaped, report.locksCleared], [0, 0, 0])
      assert.deepEqual(await dumpStore(bench.store), before)
      await bench.must(PROGRESS, claim, { progress: 41 }, BY_HAND)
      assert.equal(await lockOf(bench, claim), DEFAULTS.lockWriteMs)
    })

    test('with progress it has failed, and the message says what to do', async (t) => {
      const bench = await openBench(t, open)
      const claim = await driven(bench, 40)
      bench.advance(LOCK_MS)
      assert.equal((await bench.sweep()).jobsStuck, 1)
      const { state, failures, attempts } = await bench.details(claim.jobId)
      assert.deepEqual({ state, failures }, { state: 'failed', failures: 0 })
      const { message } = JSON.parse(attempts[0]?.error ?? '{}') as { readonly message?: string }
      assert.match(
        message ?? '',
        /^(?:lock-expired|ann drove the job by hand .*15m, with the progress at 40 %.*retry it\.)$/,
      )
      const last = (await bench.events(claim.jobId)).at(-1)
      assert.equal(last?.name, 'job:failed')
      assert.match(last?.detail ?? '', /"code":"lock-expired"/)
    })

    test('with progress it is queued where its type says so', async (t) => {
      const bench = await openBench(t, open)
      const policy: JobPolicy = { ...ONE_PHASE, lock: { durationMs: 1_000, quietMs: 3_000, progressed: 'requeue' } }
      const claim = await driven(bench, 40, policy)
      bench.advance(2_999)
      assert.equal((await bench.sweep()).jobsStuck, 0)
      bench.advance(1)
      assert.equal((await bench.sweep()).jobsStuck, 1)
      assert.equal((await bench.details(claim.jobId)).state, 'queued')
    })

    test('with a finished phase it goes on from there', async (t) => {
      const bench = await openBench(t, open)
      const claim = await driven(bench, 0, THREE_PHASES)
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { ...BY_HAND, result: '"loaded"' })
      await bench.must(PROGRESS, claim, { progress: 50 }, BY_HAND)
      bench.advance(LOCK_MS)
      await bench.sweep()
      const { state, phase, phases } = await bench.details(claim.jobId)
      assert.deepEqual([state, phase, phases[0]?.result], ['queued', 1, '"loaded"'])
    })

    test('one that was asked to stop is cancelled', async (t) => {
      const bench = await openBench(t, open)
      const claim = await driven(bench, 40)
      bench.advance(LOCK_MS)
      await bench.must(CANCEL, claim.jobId, { actor: 'bob' })
      bench.advance(QUIET_MS)
      const report = await bench.sweep()
      assert.deepEqual([report.jobsCancelled, report.jobsStuck, report.locksCleared], [1, 0, 1])
      assert.equal((await bench.details(claim.jobId)).state, 'cancelled')
      assert.equal(await lockOf(bench, claim), null)
    })

    test('its attempt may take too long like any other', async (t) => {
      const bench = await openBench(t, open)
      const claim = await driven(bench, 0, { ...ONE_PHASE, timeoutMs: 1_000 })
      bench.advance(1_000 + ONE_PHASE.cancelGraceMs)
      const report = await bench.sweep()
      assert.deepEqual([report.jobsTimedOut, report.jobsStuck, report.locksCleared], [1, 0, 1])
      assert.equal((await bench.details(claim.jobId)).state, 'retrying')
    })
  })
}
