import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { ProcessMark } from '../../src/core/process-death.ts'
import { PROGRESS } from '../../src/core/plans.ts'
import { LEASE_MS, MINUTE, openBench } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const MARK: ProcessMark = { bootId: 'boot-1', namespaces: 'pid:[1] time:[1]', startTick: 500 }
const SPACE = { bootId: MARK.bootId, namespaces: MARK.namespaces, host: 'h' }

export function sessionsContract(open: OpenStore): void {
  describe('sessions', () => {
    test('an open session is listed with its worker, its lease and what it runs', async (t) => {
      const bench = await openBench(t, open)
      const now = await bench.store.now()
      assert.deepEqual(await bench.store.sessions.list(), [])
      const working = { types: ['map.export', 'b'], epoch: 0, version: '1.2' }
      const worker = { service: 'maps', host: 'h', pid: 7, concurrency: 3, leaseMs: LEASE_MS }
      const holder = await bench.session({ ...worker, ...working })
      await bench.add()
      await bench.add()
      await bench.claim(holder)
      assert.deepEqual(await bench.store.sessions.list(), [
        {
          service: 'maps',
          host: 'h',
          pid: 7,
          concurrency: 3,
          startedAt: now,
          beatAt: now,
          expiresAt: now + LEASE_MS,
          endedAt: null,
          blockedSince: null,
          drainingSince: null,
          running: 2,
          ...working,
        },
      ])
    })

    test('a session that has ended stays in the list with the time of its end, and ends once', async (t) => {
      const bench = await openBench(t, open)
      const start = await bench.store.now()
      const holder = await bench.session()
      bench.advance(10)
      await bench.store.sessions.end(holder)
      bench.advance(10)
      await bench.store.sessions.end(holder)
      await bench.store.sessions.end(987_654)
      const [session, ...others] = await bench.store.sessions.list()
      assert.deepEqual([session?.endedAt, others], [start + 10, []])
    })

    test('a session that drains says since when, keeps its lease and what it holds, and drains once', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      bench.advance(10)
      const since = await bench.store.now()
      await bench.store.sessions.drain(claim.holder)
      await bench.store.sessions.drain(987_654)
      bench.advance(LEASE_MS / 2)
      await bench.store.sessions.drain(claim.holder)
      await bench.must(PROGRESS, claim, { progress: 5 })
      const drainsSince = async (): Promise<unknown> =>
        (await bench.store.sessions.list()).map(({ drainingSince }) => drainingSince)
      assert.deepEqual(await drainsSince(), [since])
      await bench.store.sessions.end(claim.holder)
      assert.deepEqual(await drainsSince(), [since])
    })

    test('a session that has ended drains no more', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      await bench.store.sessions.end(holder)
      await bench.store.sessions.drain(holder)
      assert.equal((await bench.store.sessions.list())[0]?.drainingSince, null)
    })

    test('every write of its store keeps a session alive, once a third of its lease has passed', async (t) => {
      const bench = await openBench(t, open)
      let lost = 0
      const holder = await bench.session({}, () => (lost += 1))
      for (const ms of [LEASE_MS / 3, LEASE_MS - 1, LEASE_MS / 2]) {
        bench.advance(ms)
        await bench.add()
        const [session] = await bench.store.sessions.list()
        const now = await bench.store.now()
        assert.deepEqual([session?.beatAt, session?.expiresAt], [now, now + LEASE_MS])
      }
      assert.equal((await bench.claim(holder, 9)).length, 3)
      assert.equal(lost, 0)
    })

    test('a lease that ran out while nobody looked is taken up again', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      bench.advance(3 * LEASE_MS)
      assert.deepEqual((await bench.sweep()).jobsReaped, 0)
      await bench.must(PROGRESS, claim, { progress: 5 })
    })

    test('a session that was abandoned is not kept alive, and lives until its lease is over', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.store.sessions.abandon(claim.holder)
      await bench.store.sessions.abandon(987_654)
      bench.advance(LEASE_MS - 1)
      await bench.must(PROGRESS, claim, { progress: 5 })
      const [session] = await bench.store.sessions.list()
      assert.equal(session?.expiresAt, (await bench.store.now()) + 1)
      assert.equal((await bench.sweep()).sessionsEnded, 0)
    })

    test('a session that was ended on purpose is not told of a loss', async (t) => {
      const bench = await openBench(t, open)
      let lost = 0
      const holder = await bench.session({}, () => (lost += 1))
      await bench.store.sessions.end(holder)
      bench.advance(2 * LEASE_MS)
      await bench.add()
      await bench.sweep()
      await bench.store.sessions.list()
      assert.equal(lost, 0)
    })

    test('a session whose lease is over is ended by a sweep, and its claims die with it', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.store.sessions.abandon(claim.holder)
      bench.advance(LEASE_MS)
      assert.equal((await bench.sweep()).sessionsEnded, 1)
      assert.equal((await bench.sweep()).sessionsEnded, 0)
      const [session] = await bench.store.sessions.list()
      assert.deepEqual([session?.endedAt, session?.running], [await bench.store.now(), 0])
      const late = await bench.act(PROGRESS, claim, { progress: 5 })
      assert.equal(late.applied ? null : late.refusal, 'lease-lost')
    })

    test('sessions of one store have leases of their own', async (t) => {
      const bench = await openBench(t, open)
      const short = await bench.session({ leaseMs: MINUTE })
      const long = await bench.session({ leaseMs: 10 * MINUTE })
      for (const holder of [short, long]) await bench.store.sessions.abandon(holder)
      bench.advance(5 * MINUTE)
      assert.equal((await bench.sweep()).sessionsEnded, 1)
      await bench.add()
      assert.deepEqual(await bench.claim(short), [])
      assert.equal((await bench.claim(long)).length, 1)
    })

    test('whoever counts pids in the same way is told of the open sessions of processes there, and of no others', async (t) => {
      const bench = await openBench(t, open)
      const at = (changes: Partial<ProcessMark>, host = 'h', pid = 7): Promise<number> =>
        bench.session({ host, pid, process: { ...MARK, ...changes } })
      const mine = [await at({}), await at({ startTick: 501 }, 'h', 8)]
      await at({ bootId: 'boot-2' })
      await at({ namespaces: 'pid:[2] time:[1]' })
      await at({}, 'another')
      await bench.session({ host: 'h', pid: 7 })
      await bench.store.sessions.end(await at({}))
      assert.deepEqual(await bench.store.sessions.ofProcesses(SPACE), [
        { holder: mine[0], pid: 7, startTick: 500 },
        { holder: mine[1], pid: 8, startTick: 501 },
      ])
    })

    test('a session whose process is known to have ended is over in the same sweep, however long its lease runs', async (t) => {
      const bench = await openBench(t, open)
      const dying = await bench.session({ host: 'h', process: MARK })
      const living = await bench.session({ host: 'h', process: MARK })
      for (let jobs = 0; jobs < 2; jobs += 1) await bench.add()
      const [lost] = await bench.claim(dying, 1)
      const [kept] = await bench.claim(living, 1)
      assert.ok(lost !== undefined && kept !== undefined)
      const seen = (await bench.store.sessions.ofProcesses(SPACE)).filter(({ holder }) => holder === dying)
      assert.partialDeepStrictEqual(await bench.sweep(0, 0, seen), { sessionsEnded: 1, jobsReaped: 1 })
      assert.equal((await bench.details(lost.claim.jobId)).state, 'queued')
      assert.equal((await bench.details(kept.claim.jobId)).state, 'running')
      const late = await bench.act(PROGRESS, lost.claim, { progress: 5 })
      assert.equal(late.applied ? null : late.refusal, 'lease-lost')
      await bench.must(PROGRESS, kept.claim, { progress: 5 })
      assert.partialDeepStrictEqual(await bench.sweep(0, 0, seen), { sessionsEnded: 0, jobsReaped: 0 })
    })

    test('a session is not ended for the death of another process', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session({ host: 'h', pid: 7, process: MARK })
      const unmarked = await bench.session({ host: 'h', pid: 7 })
      const others = [
        { holder, pid: 8, startTick: MARK.startTick },
        { holder, pid: 7, startTick: MARK.startTick + 1 },
        { holder: holder + 1_000, pid: 7, startTick: MARK.startTick },
        { holder: unmarked, pid: 7, startTick: MARK.startTick },
      ]
      assert.equal((await bench.sweep(0, 0, others)).sessionsEnded, 0)
    })

    test('whoever was taken for dead and lives learns of it with its next beat', async (t) => {
      const bench = await openBench(t, open)
      let lost = 0
      const holder = await bench.session({ host: 'h', pid: 7, process: MARK }, () => (lost += 1))
      await bench.sweep(0, 0, [{ holder, pid: 7, startTick: MARK.startTick }])
      bench.advance(LEASE_MS / 2)
      await bench.add()
      // What is told comes in between turns.
      await bench.store.sessions.list()
      assert.equal(lost, 1)
    })
  })
}
