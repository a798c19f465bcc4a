import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Claim } from '../../src/core/job-row.ts'
import { CANCEL, CHECKPOINT, COMPLETE_ONLY_PHASE, FAIL_RETRY, PROGRESS, RELEASE } from '../../src/core/plans.ts'
import { LEASE_MS, NOTHING_SWEPT as NOTHING, ONE_PHASE, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const TIMED = { policy: { ...ONE_PHASE, timeoutMs: 10_000 } }
const GRACE = ONE_PHASE.cancelGraceMs

/** Lets a new session claim whatever is ready, and die with it. */
async function dieWith(bench: Bench, limit: number = 10): Promise<readonly Claim[]> {
  const holder = await bench.session()
  const claimed = await bench.claim(holder, limit)
  await bench.store.sessions.end(holder)
  await bench.sweep()
  return claimed.map(({ claim }) => claim)
}

export function recoveryContract(open: OpenStore): void {
  describe('recovering the jobs of dead sessions', () => {
    test('a sweep of a store where all is well changes nothing', async (t) => {
      const bench = await openBench(t, open)
      await bench.running()
      await bench.add({ delayMs: 5 })
      const before = await dumpStore(bench.store)
      assert.deepEqual(await bench.sweep(), NOTHING)
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test("a job whose session's lease is over goes back to the queue with its finished phases", async (t) => {
      const bench = await openBench(t, open)
      const { claim, startedAt } = await bench.running({ policy: THREE_PHASES })
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '"loaded"' })
      await bench.must(PROGRESS, claim, { progress: 50 })
      await bench.store.sessions.abandon(claim.holder)
      bench.advance(LEASE_MS - 1)
      assert.deepEqual(await bench.sweep(), NOTHING)
      bench.advance(1)
      assert.deepEqual(await bench.sweep(), { ...NOTHING, sessionsEnded: 1, jobsReaped: 1 })
      const { state, failures, strikes, suspect, fence, runAt, holder, attempts, worker } = await bench.details(
        claim.jobId,
      )
      assert.deepEqual(
        { state, failures, strikes, suspect, fence, runAt, holder },
        { state: 'queued', failures: 0, strikes: 0, suspect: true, fence: 2, runAt: startedAt, holder: null },
      )
      const [lost] = attempts
      const cutOff = { attempt: 1, generation: 1, phase: 'render', progress: 50, outcome: 'lost', startedAt, worker }
      const running = { stoppedAt: null, stoppedBy: null }
      assert.deepEqual(
        { ...lost, error: null },
        { ...cutOff, ...running, endedAt: await bench.store.now(), error: null },
      )
      const told = (await bench.events(claim.jobId)).at(-1)
      assert.deepEqual([told?.name, told?.detail], ['job:queued', '{"cause":"reap-suspect"}'])
      const again = await bench.take(await bench.session())
      assert.deepEqual([again.phase, again.results, again.progress], [1, ['"loaded"'], 100 / 3])
    })

    test('the attempt that was cut off keeps where it was, in its error', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ policy: THREE_PHASES })
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '1' })
      await bench.must(PROGRESS, claim, { progress: 44 })
      await bench.store.sessions.end(claim.holder)
      await bench.sweep()
      const { attempts } = await bench.details(claim.jobId)
      const { name, code, phase, progress, verdict } = JSON.parse(attempts[0]?.error ?? '') as Record<string, unknown>
      assert.deepEqual(
        { name, code, phase, progress, verdict },
        {
          name: 'MillraceError',
          code: 'session-lost',
          phase: 'render',
          progress: 44,
          verdict: { fatal: false, rule: 'session-lost' },
        },
      )
    })

    test('a session that was ended leaves its jobs to be taken over at once', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.store.sessions.end(claim.holder)
      assert.equal((await bench.details(claim.jobId)).state, 'running')
      const { jobsReaped } = await bench.sweep()
      assert.equal(jobsReaped, 1)
      assert.equal((await bench.details(claim.jobId)).state, 'queued')
    })

    test('a session that was abandoned dies when its lease is over, and others live on', async (t) => {
      const bench = await openBench(t, open)
      const { claim: left } = await bench.running()
      const { claim: kept } = await bench.running()
      await bench.store.sessions.abandon(left.holder)
      for (let step = 0; step < 3; step += 1) {
        bench.advance(LEASE_MS / 2 - 1)
        await bench.must(PROGRESS, kept, { progress: step })
        const { jobsReaped } = await bench.sweep()
        assert.equal(jobsReaped, step === 2 ? 1 : 0)
      }
      assert.equal((await bench.details(left.jobId)).state, 'queued')
      assert.equal((await bench.details(kept.jobId)).state, 'running')
    })

    test('a sweep by many at once takes each job away once', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      for (let index = 0; index < 5; index += 1) await bench.add()
      const claimed = await bench.claim(holder)
      await bench.store.sessions.end(holder)
      const reports = await Promise.all(Array.from({ length: 5 }, () => bench.sweep()))
      assert.equal(
        reports.reduce((sum, { jobsReaped }) => sum + jobsReaped, 0),
        5,
      )
      for (const { claim } of claimed) assert.equal((await bench.details(claim.jobId)).fence, 2)
    })

    test('what is due is promoted by a sweep too', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ delayMs: 100 })
      bench.advance(100)
      assert.deepEqual(await bench.sweep(), { ...NOTHING, jobsPromoted: 1 })
      assert.equal((await bench.details(id)).state, 'queued')
    })
  })

  describe('finding what kills workers', () => {
    test('without a suspect on board every job of a dead session becomes one', async (t) => {
      const bench = await openBench(t, open)
      const ids = [await bench.add(), await bench.add()]
      await dieWith(bench)
      for (const id of ids) {
        const { suspect, strikes, state } = await bench.details(id)
        assert.deepEqual([suspect, strikes, state], [true, 0, 'queued'])
      }
    })

    test('a session runs one suspect at a time, beside any number of other jobs', async (t) => {
      const bench = await openBench(t, open)
      const suspects = [await bench.add(), await bench.add(), await bench.add()]
      await dieWith(bench)
      const innocent = [await bench.add(), await bench.add()]
      const holder = await bench.session()
      const first = await bench.claim(holder, 3)
      assert.deepEqual(
        first.map(({ claim }) => claim.jobId),
        [suspects[0], ...innocent],
      )
      assert.deepEqual(await bench.claim(holder, 3), [])
      const other = await bench.session()
      assert.equal((await bench.take(other)).claim.jobId, suspects[1])
      const [{ claim } = { claim: null }] = first
      assert.ok(claim !== null)
      await bench.must(RELEASE, claim)
      assert.equal((await bench.take(holder)).claim.jobId, suspects[0])
    })

    test('suspects at the head of the queue do not keep others from being claimed', async (t) => {
      const bench = await openBench(t, open)
      for (let index = 0; index < 8; index += 1) await bench.add({ priority: -1 })
      await dieWith(bench)
      const innocent = [await bench.add(), await bench.add(), await bench.add()]
      const holder = await bench.session()
      const claimed = await bench.claim(holder, 4)
      assert.deepEqual(
        claimed.slice(1).map(({ claim }) => claim.jobId),
        innocent,
      )
    })

    test('a suspect among others is claimed in its place, and not before those that go first', async (t) => {
      const bench = await openBench(t, open)
      const suspects = [await bench.add({ priority: 5 }), await bench.add({ priority: 5 })]
      const dying = await bench.session()
      await bench.claim(dying)
      await bench.store.sessions.end(dying)
      await bench.sweep()
      const later = await bench.add({ priority: 9 })
      const first = await bench.add({ priority: 1 })
      const claimed = await bench.claim(await bench.session())
      assert.deepEqual(
        claimed.map(({ claim }) => claim.jobId),
        [first, suspects[0], later],
      )
    })

    test('the suspect of a dead session gets a strike, and its companions go free', async (t) => {
      const bench = await openBench(t, open)
      const guilty = await bench.add()
      await dieWith(bench)
      const innocent = await bench.add()
      await dieWith(bench)
      const [bad, good] = [await bench.details(guilty), await bench.details(innocent)]
      assert.deepEqual([bad.suspect, bad.strikes, bad.state], [true, 1, 'queued'])
      assert.deepEqual([good.suspect, good.strikes, good.state], [false, 0, 'queued'])
      assert.equal((await bench.events(guilty)).at(-1)?.detail, '{"cause":"reap-strike"}')
      assert.equal((await bench.events(innocent)).at(-1)?.detail, '{"cause":"reap"}')
    })

    test("the last strike fails the job as poison, by the policy of its type's owner", async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add()
      await bench.register({ ...ONE_PHASE, maxStrikes: 2 })
      await dieWith(bench)
      await dieWith(bench)
      assert.equal((await bench.details(id)).strikes, 1)
      const holder = await bench.session()
      await bench.take(holder)
      await bench.store.sessions.end(holder)
      assert.deepEqual(await bench.sweep(), { ...NOTHING, jobsReaped: 1, jobsPoisoned: 1 })
      const { state, strikes, failures, attempts } = await bench.details(id)
      assert.deepEqual([state, strikes, failures], ['failed', 2, 0])
      assert.deepEqual(
        attempts.map(({ outcome }) => outcome),
        ['lost', 'lost', 'lost'],
      )
      const told = (await bench.events(id)).at(-1)
      const { error, verdict } = JSON.parse(told?.detail ?? '') as { error: { code: string }; verdict: object }
      assert.deepEqual([told?.name, error.code, verdict], ['job:failed', 'poison', { fatal: true, rule: 'poison' }])
    })

    test('a poisoned job for which a cancel was pending is cancelled', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add()
      await bench.register({ ...ONE_PHASE, maxStrikes: 1 })
      await dieWith(bench)
      const holder = await bench.session()
      await bench.take(holder)
      await bench.must(CANCEL, id)
      await bench.store.sessions.end(holder)
      assert.deepEqual(await bench.sweep(), { ...NOTHING, jobsReaped: 1 })
      assert.equal((await bench.details(id)).state, 'cancelled')
    })

    test('a finished phase clears a suspect', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ policy: THREE_PHASES })
      await dieWith(bench)
      await dieWith(bench)
      const { claim } = await bench.take(await bench.session())
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '1' })
      const { suspect, strikes } = await bench.details(id)
      assert.deepEqual([suspect, strikes], [false, 0])
    })

    test('a job of one phase that completes is no suspect any more', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add()
      await dieWith(bench)
      const { claim } = await bench.take(await bench.session())
      assert.equal((await bench.details(id)).suspect, true)
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
      assert.equal((await bench.details(id)).suspect, false)
    })
  })

  describe('ending the grace of a cancel', () => {
    test('a handler that does not stop is cancelled by a sweep once its grace is over, though its session lives', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const { claim: other } = await bench.running()
      await bench.must(CANCEL, claim.jobId, { actor: 'ann', reason: 'no more' })
      bench.advance(GRACE + 299)
      assert.deepEqual(await bench.sweep(300), NOTHING)
      bench.advance(1)
      assert.deepEqual(await bench.sweep(300), { ...NOTHING, jobsCancelled: 1 })
      const { state, finishedAt, failures, holder, cancelledBy, attempts } = await bench.details(claim.jobId)
      const now = await bench.store.now()
      assert.deepEqual([state, finishedAt, failures, holder, cancelledBy], ['cancelled', now, 0, null, 'ann'])
      assert.deepEqual(
        attempts.map(({ outcome, endedAt }) => [outcome, endedAt]),
        [['cancelled', now]],
      )
      assert.equal((JSON.parse(attempts[0]?.error ?? '') as { code: string }).code, 'job-cancelled')
      const told = (await bench.events(claim.jobId)).at(-1)
      assert.deepEqual([told?.name, told?.detail], ['job:cancelled', '{"cancelledBy":"ann","reason":"no more"}'])
      const late = await bench.act(PROGRESS, claim, { progress: 5 })
      assert.equal(late.applied ? null : late.refusal, 'lease-lost')
      assert.deepEqual(await bench.sweep(300), NOTHING)
      assert.equal((await bench.details(other.jobId)).state, 'running')
    })

    test("the grace is the one that the type's owner registered", async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.register({ ...ONE_PHASE, cancelGraceMs: 60_000 })
      await bench.must(CANCEL, claim.jobId)
      bench.advance(59_999)
      assert.deepEqual(await bench.sweep(), NOTHING)
      bench.advance(1)
      assert.deepEqual(await bench.sweep(), { ...NOTHING, jobsCancelled: 1 })
    })

    test('a job that completed within the grace stays completed', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(CANCEL, claim.jobId)
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
      bench.advance(GRACE)
      assert.deepEqual(await bench.sweep(), NOTHING)
      assert.equal((await bench.details(claim.jobId)).state, 'completed')
    })
  })

  describe('timing out', () => {
    test('an attempt past its deadline and its grace is taken away and tried again', async (t) => {
      const bench = await openBench(t, open)
      const { claim, startedAt } = await bench.running(TIMED)
      bench.advance(10_000 + GRACE + 299)
      assert.deepEqual(await bench.sweep(300), NOTHING)
      bench.advance(1)
      assert.deepEqual(await bench.sweep(300, 0.5), { ...NOTHING, jobsTimedOut: 1 })
      const now = startedAt + 10_000 + GRACE + 300
      const { state, failures, runAt, fence, holder, deadlineAt, attempts } = await bench.details(claim.jobId)
      assert.deepEqual(
        { state, failures, runAt, fence, holder, deadlineAt },
        { state: 'retrying', failures: 1, runAt: now + 750, fence: 2, holder: null, deadlineAt: null },
      )
      assert.deepEqual(
        attempts.map(({ outcome, endedAt }) => [outcome, endedAt]),
        [['timed-out', now]],
      )
      const told = (await bench.events(claim.jobId)).at(-1)
      const { error, verdict, runInMs } = JSON.parse(told?.detail ?? '') as {
        error: { code: string }
        verdict: object
        runInMs: number
      }
      assert.deepEqual(
        [told?.name, error.code, verdict, runInMs],
        ['job:retrying', 'time-out', { fatal: false, rule: 'time-out' }, 750],
      )
    })

    test('the last attempt that takes too long fails the job', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ policy: { ...TIMED.policy, maxAttempts: 1 } })
      bench.advance(10_000 + GRACE)
      assert.equal((await bench.sweep()).jobsTimedOut, 1)
      const { state, failures, finishedAt } = await bench.details(claim.jobId)
      assert.deepEqual([state, failures, finishedAt], ['failed', 1, await bench.store.now()])
      const told = (await bench.events(claim.jobId)).at(-1)
      assert.equal(told?.name, 'job:failed')
      assert.ok(!('runInMs' in (JSON.parse(told?.detail ?? '') as object)))
    })

    test('failures and time-outs count together, and the wait grows', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running(TIMED)
      await bench.must(FAIL_RETRY, claim, { delayMs: 0 })
      await bench.take(claim.holder)
      bench.advance(10_000 + GRACE)
      await bench.sweep(0, 0)
      const { failures, runAt, state } = await bench.details(claim.jobId)
      assert.deepEqual([failures, state, runAt - (await bench.store.now())], [2, 'retrying', 1_000])
    })

    test("the policy that counts is the one that the type's owner registered", async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running(TIMED)
      await bench.register({ ...TIMED.policy, maxAttempts: 1, cancelGraceMs: 60_000 })
      bench.advance(10_000 + GRACE)
      assert.deepEqual(await bench.sweep(), NOTHING)
      bench.advance(60_000 - GRACE)
      await bench.sweep()
      assert.equal((await bench.details(claim.jobId)).state, 'failed')
    })

    test('a job whose session is dead is reaped, and not timed out', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running(TIMED)
      await bench.store.sessions.abandon(claim.holder)
      bench.advance(LEASE_MS)
      assert.deepEqual(await bench.sweep(), { ...NOTHING, sessionsEnded: 1, jobsReaped: 1 })
      assert.equal((await bench.details(claim.jobId)).failures, 0)
    })

    test('an attempt without a deadline may go on', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      for (let step = 0; step < 5; step += 1) {
        bench.advance(LEASE_MS / 2)
        assert.deepEqual(await bench.sweep(), NOTHING)
      }
      assert.equal((await bench.details(claim.jobId)).state, 'running')
    })
  })
}
