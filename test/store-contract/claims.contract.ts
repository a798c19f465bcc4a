import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { CHECKPOINT, COMPLETE_ONLY_PHASE, FAIL_RETRY, RELEASE, RUN_NOW } from '../../src/core/plans.ts'
import { LEASE_MS, MINUTE, ONE_PHASE, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import { withoutPlaces } from '../support/plain-claimed.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

export function claimsContract(open: OpenStore): void {
  describe('claims', () => {
    test('a claimed job carries all that its worker needs', async (t) => {
      const bench = await openBench(t, open)
      const policy = { ...ONE_PHASE, timeoutMs: 5_000 }
      const createdAt = await bench.store.now()
      const id = await bench.add({
        policy,
        tenant: 'acme',
        owner: 'ann',
        labels: { c: '1' },
        queue: 'slow',
        delayMs: 10,
      })
      const holder = await bench.session()
      bench.advance(25)
      const claimed = await bench.store.claims.claim({ holder, types: ['map.export'], limit: 5 })
      assert.deepEqual(withoutPlaces(claimed), {
        jobs: [
          {
            claim: { jobId: id, holder, fence: 1 },
            type: 'map.export',
            queue: 'slow',
            tenant: 'acme',
            owner: 'ann',
            labels: { c: '1' },
            policy,
            input: '{"region":"FRA"}',
            attempt: 1,
            generation: 1,
            failures: 0,
            phaseNames: ['run'],
            phase: 0,
            results: [],
            progress: 0,
            createdAt,
            runAt: createdAt + 10,
            startedAt: createdAt + 25,
            deadlineAt: createdAt + 5_025,
          },
        ],
        nextDueInMs: null,
        sessionLost: false,
      })
    })

    test('a claimed job is running, held, and tells that it has started', async (t) => {
      const bench = await openBench(t, open)
      const now = await bench.store.now()
      const id = await bench.add()
      const holder = await bench.session()
      await bench.take(holder)
      const details = await bench.details(id)
      const worker = { service: 'workers', host: 'mill-1', pid: 4_711 }
      assert.deepEqual(
        { ...details },
        {
          ...details,
          state: 'running',
          holder,
          fence: 1,
          attempt: 1,
          startedAt: now,
          phaseStartedAt: now,
          deadlineAt: null,
          worker,
          phases: [{ name: 'run', state: 'running', startedAt: now, finishedAt: null, attempts: 1, result: null }],
          attempts: [
            {
              attempt: 1,
              generation: 1,
              startedAt: now,
              endedAt: null,
              outcome: 'running',
              phase: 'run',
              progress: 0,
              error: null,
              stoppedAt: null,
              stoppedBy: null,
              worker,
            },
          ],
        },
      )
      assert.deepEqual(await bench.eventNames(id), ['job:queued', 'job:started'])
      assert.equal((await bench.events(id))[1]?.attempt, 1)
    })

    test('jobs are taken by priority, then run-at, then insertion, across types and queues', async (t) => {
      const bench = await openBench(t, open)
      const now = await bench.store.now()
      const order: string[] = []
      const make = async (place: number, changes: object): Promise<void> => {
        order[place] = await bench.add(changes)
      }
      await make(4, { type: 'a' })
      await make(5, { type: 'b' })
      await make(6, { type: 'a', queue: 'second' })
      await make(3, { type: 'b', runAt: now - 1 })
      await make(2, { type: 'a', priority: -1, runAt: now })
      await make(1, { type: 'b', priority: -1, runAt: now - 7 })
      await make(0, { type: 'a', priority: -2 })
      await make(7, { type: 'a', priority: 1, runAt: now - 100 })
      const holder = await bench.session()
      const taken: string[] = []
      for (const limit of [1, 3, 2, 9]) {
        const claimed = await bench.claim(holder, limit, ['b', 'a'])
        assert.equal(claimed.length, Math.min(limit, order.length - taken.length))
        taken.push(...claimed.map(({ claim }) => claim.jobId))
      }
      assert.deepEqual(taken, order)
    })

    test('a job that came back keeps its place in the queue, a retrying one goes by its new time', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      const first = await bench.add()
      const { claim: released } = await bench.take(holder)
      const second = await bench.add()
      const { claim: failed } = await bench.take(holder)
      bench.advance(5)
      const third = await bench.add()
      bench.advance(5)
      await bench.must(RELEASE, released)
      await bench.must(FAIL_RETRY, failed, { delayMs: 0 })
      const taken = await bench.claim(holder)
      assert.deepEqual(
        taken.map(({ claim }) => claim.jobId),
        [first, third, second],
      )
    })

    test('nobody is given a type that was not asked for', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      await bench.add({ type: 'a' })
      assert.deepEqual(await bench.claim(holder, 5, ['b', 'A', 'a ']), [])
      assert.deepEqual(await bench.claim(holder, 5, []), [])
      await bench.add({ type: 'a' })
      assert.equal((await bench.claim(holder, 2, ['b', 'a', 'a'])).length, 2)
    })

    test('a limit is never passed, and a limit of 0 takes nothing', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      for (let index = 0; index < 12; index += 1) await bench.add({ type: `t${index % 3}` })
      const types = ['t0', 't1', 't2']
      assert.equal((await bench.claim(holder, 0, types)).length, 0)
      assert.equal((await bench.claim(holder, 5, types)).length, 5)
      assert.equal((await bench.claim(holder, 100, types)).length, 7)
    })

    test('what has come due is put into the queue by a claim, and tells so', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      const scheduled = await bench.add({ delayMs: 1_000 })
      assert.deepEqual(await bench.claim(holder), [])
      bench.advance(999)
      assert.deepEqual(await bench.claim(holder), [])
      bench.advance(1)
      const { claim } = await bench.take(holder)
      assert.equal(claim.jobId, scheduled)
      const events = await bench.events(scheduled)
      assert.deepEqual(
        events.map(({ name }) => name),
        ['job:scheduled', 'job:queued', 'job:started'],
      )
      assert.equal(events[1]?.detail, '{"cause":"promote"}')
      await bench.must(FAIL_RETRY, claim, { delayMs: 500 })
      bench.advance(499)
      assert.deepEqual(await bench.claim(holder), [])
      bench.advance(1)
      const again = await bench.take(holder)
      assert.equal(again.attempt, 2)
      assert.equal(again.failures, 1)
      assert.equal(again.claim.fence, 2)
    })

    test('a claim tells how long until the next waiting job of its types comes due', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      const nextDue = async (types: readonly string[], limit: number = 5): Promise<number | null> => {
        const { nextDueInMs } = await bench.store.claims.claim({ holder, types, limit })
        return nextDueInMs
      }
      assert.equal(await nextDue(['a']), null)
      await bench.add({ type: 'a', delayMs: 700 })
      const sooner = await bench.add({ type: 'a', delayMs: 300 })
      await bench.add({ type: 'b', delayMs: 100 })
      assert.equal(await nextDue(['a']), 300)
      assert.equal(await nextDue(['a', 'b']), 100)
      bench.advance(50)
      assert.equal(await nextDue(['a']), 250)
      await bench.must(RUN_NOW, sooner)
      assert.equal(await nextDue(['a']), 650)
    })

    test('each session gets jobs of its own, however many claim at once', async (t) => {
      const bench = await openBench(t, open)
      const jobs = Array.from({ length: 60 }, () => bench.job())
      await bench.store.jobs.enqueue(jobs)
      const holders = [await bench.session(), await bench.session(), await bench.session()]
      const claims = await Promise.all(
        Array.from({ length: 30 }, (_, index) => bench.claim(holders[index % 3] ?? 0, 3)),
      )
      const taken = claims.flat().map(({ claim }) => claim.jobId)
      assert.equal(taken.length, 60)
      assert.deepEqual(new Set(taken), new Set(jobs.map(({ id }) => id)))
      for (const [index, claimed] of claims.entries()) {
        assert.ok(claimed.every(({ claim }) => claim.holder === holders[index % 3]))
      }
    })

    test('a session that has ended, whose lease is over or that never was opened is given nothing', async (t) => {
      const bench = await openBench(t, open)
      const ended = await bench.session()
      const late = await bench.session()
      await bench.store.sessions.end(ended)
      await bench.store.sessions.abandon(late)
      bench.advance(LEASE_MS)
      const id = await bench.add()
      const before = await dumpStore(bench.store)
      for (const holder of [ended, late, 12_345]) {
        const claimed = await bench.store.claims.claim({ holder, types: ['map.export'], limit: 5 })
        assert.deepEqual([claimed.jobs, claimed.sessionLost], [[], true])
      }
      assert.deepEqual(await dumpStore(bench.store), before)
      assert.equal((await bench.take(await bench.session())).claim.jobId, id)
    })

    test('a job goes on at its first phase that is not done, with the results of those before', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ policy: THREE_PHASES })
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '{"countries":3}' })
      await bench.must(CHECKPOINT, claim, { progress: 66 }, { result: '[1]' })
      await bench.must(RELEASE, claim)
      const again = await bench.take(await bench.session())
      assert.deepEqual(
        { phase: again.phase, results: again.results, progress: again.progress, attempt: again.attempt },
        { phase: 2, results: ['{"countries":3}', '[1]'], progress: 200 / 3, attempt: 2 },
      )
    })

    test('a job of which only the completion is missing is given out as such', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ policy: { ...ONE_PHASE, phases: ['a', 'b'] } })
      await bench.must(CHECKPOINT, claim, { progress: 50 }, { result: '1' })
      await bench.must(CHECKPOINT, claim, { progress: 100 }, { result: '2' })
      await bench.must(RELEASE, claim)
      const { phase, phaseNames, results, progress } = await bench.take(await bench.session())
      assert.deepEqual(
        { phase, phaseNames, results, progress },
        { phase: 2, phaseNames: ['a', 'b'], results: ['1', '2'], progress: 100 },
      )
    })

    test("the time an attempt may take is what the type's owner says when it starts", async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      await bench.add({ policy: { ...ONE_PHASE, timeoutMs: 1_000 } })
      await bench.register({ ...ONE_PHASE, timeoutMs: 2 * MINUTE })
      const now = await bench.store.now()
      const { claim, deadlineAt, policy } = await bench.take(holder)
      assert.equal(deadlineAt, now + 2 * MINUTE)
      assert.equal(policy.timeoutMs, 2 * MINUTE)
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: 'null' })
      assert.equal((await bench.details(claim.jobId)).deadlineAt, null)
    })
  })
}
