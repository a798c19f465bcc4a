import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { LIMITS } from '../../src/core/limits.ts'
import { COMPLETE_ONLY_PHASE } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { MINUTE, ONE_PHASE, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import { dumpStore, listAll } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const ABSENT = '019b7613-6800-7fff-bfff-ffffffffffff'

export function jobsContract(open: OpenStore): void {
  describe('jobs', () => {
    test('an enqueued job has every field it was made with, and the facts of a job that nobody has touched', async (t) => {
      const bench = await openBench(t, open)
      const now = await bench.store.now()
      const made = bench.job({
        tenant: 'acme',
        owner: 'ann',
        labels: { course: 'maps', document: '7' },
        priority: -3,
        key: 'order-7',
        uniqueKey: 'region-FRA',
        input: '{"region":"FRA","pages":[1,2]}',
      })
      assert.deepEqual(await bench.store.jobs.enqueue([made]), [{ outcome: 'created', id: made.id, state: 'queued' }])
      assert.deepEqual(await bench.details(made.id), {
        id: made.id,
        type: 'map.export',
        queue: 'map.export',
        service: null,
        policy: ONE_PHASE,
        tenant: 'acme',
        owner: 'ann',
        labels: { course: 'maps', document: '7' },
        priority: -3,
        key: 'order-7',
        uniqueKey: 'region-FRA',
        input: '{"region":"FRA","pages":[1,2]}',
        output: null,
        state: 'queued',
        runAt: now,
        attempt: 0,
        failures: 0,
        strikes: 0,
        suspect: false,
        fence: 0,
        generation: 1,
        holder: null,
        phase: 0,
        phaseCount: 1,
        phaseNames: ['run'],
        phaseStartedAt: null,
        progress: 0,
        createdAt: now,
        updatedAt: now,
        startedAt: null,
        finishedAt: null,
        deadlineAt: null,
        cancelRequestedAt: null,
        cancelledBy: null,
        cancelReason: null,
        eventSeq: 1,
        phases: [{ name: 'run', state: 'pending', startedAt: null, finishedAt: null, attempts: 0, result: null }],
        attempts: [],
        worker: null,
      })
    })

    test('an enqueue tells one event, with sequence number 1 and whose it is', async (t) => {
      const bench = await openBench(t, open)
      const now = await bench.store.now()
      const queued = await bench.add()
      const scheduled = await bench.add({ delayMs: 1, tenant: 'acme', owner: 'ann' })
      for (const [jobId, name, tenant, owner] of [
        [queued, 'job:queued', '', null],
        [scheduled, 'job:scheduled', 'acme', 'ann'],
      ] as const) {
        const [event, ...more] = await bench.events(jobId)
        assert.deepEqual(more, [])
        assert.deepEqual(event, {
          position: event?.position,
          jobId,
          type: 'map.export',
          tenant,
          owner,
          seq: 1,
          name,
          at: now,
          attempt: 0,
          detail: null,
        })
      }
    })

    test('a delay or a later instant makes a scheduled job, an instant that has come a queued one', async (t) => {
      const bench = await openBench(t, open)
      const now = await bench.store.now()
      const cases = [
        { changes: { delayMs: 0 }, state: 'queued', runAt: now },
        { changes: { delayMs: 1 }, state: 'scheduled', runAt: now + 1 },
        { changes: { delayMs: LIMITS.scheduleAheadMs }, state: 'scheduled', runAt: now + LIMITS.scheduleAheadMs },
        { changes: { runAt: now + 1 }, state: 'scheduled', runAt: now + 1 },
        { changes: { runAt: now }, state: 'queued', runAt: now },
        { changes: { runAt: now - MINUTE }, state: 'queued', runAt: now - MINUTE },
        { changes: { runAt: now + 5, delayMs: 99 }, state: 'scheduled', runAt: now + 5 },
      ] as const
      for (const { changes, state, runAt } of cases) {
        const details = await bench.details(await bench.add(changes))
        assert.deepEqual({ state: details.state, runAt: details.runAt }, { state, runAt })
      }
    })

    test('an enqueue of no jobs answers no outcomes', async (t) => {
      const { store } = await openBench(t, open)
      assert.deepEqual(await store.jobs.enqueue([]), [])
    })

    test('many jobs of one enqueue are answered and inserted in their order', async (t) => {
      const bench = await openBench(t, open)
      const jobs = Array.from({ length: 40 }, (_, index) => bench.job({ type: `t${index % 3}`, delayMs: index % 2 }))
      const outcomes = await bench.store.jobs.enqueue(jobs)
      assert.deepEqual(
        outcomes,
        jobs.map(({ id, delayMs }) => ({ outcome: 'created', id, state: delayMs === 0 ? 'queued' : 'scheduled' })),
      )
      const listed = await listAll(bench.store)
      assert.deepEqual(
        listed.map(({ id }) => id).toReversed(),
        jobs.map(({ id }) => id),
      )
    })

    test('the most jobs that one enqueue takes are added as a whole', async (t) => {
      const bench = await openBench(t, open)
      const jobs = Array.from({ length: LIMITS.enqueueManyJobs }, () => bench.job())
      const outcomes = await bench.store.jobs.enqueue(jobs)
      assert.ok(outcomes.every(({ outcome }) => outcome === 'created'))
      const counts = await bench.store.jobs.counts({ scope: OPERATOR })
      assert.equal(counts.queued, LIMITS.enqueueManyJobs)
    })

    test('an enqueue in which one job cannot be stored adds none of its jobs, and spoils no other enqueue', async (t) => {
      const bench = await openBench(t, open)
      const taken = bench.job()
      await bench.store.jobs.enqueue([taken])
      const before = await dumpStore(bench.store)
      const bad = bench.store.jobs.enqueue([
        bench.job({ key: 'a' }),
        { ...bench.job(), id: taken.id, input: '2' },
        bench.job(),
      ])
      const good = bench.job()
      const [refused, added] = await Promise.allSettled([bad, bench.store.jobs.enqueue([good])])
      assert.equal(refused.status, 'rejected')
      assert.deepEqual(added, { status: 'fulfilled', value: [{ outcome: 'created', id: good.id, state: 'queued' }] })
      const after = await dumpStore(bench.store)
      assert.deepEqual(after.jobs.slice(1), before.jobs)
      assert.equal(
        await bench
          .add({ key: 'a' })
          .then((id) => bench.details(id))
          .then(({ key }) => key),
        'a',
      )
    })

    test('an id that is not there is not found, whatever it looks like', async (t) => {
      const { store } = await openBench(t, open)
      for (const id of [ABSENT, '', 'no-id', 'x'.repeat(500), "'; DROP TABLE jobs; --", '019b7613']) {
        assert.equal(await store.jobs.get(id, OPERATOR), 'not-found')
        assert.equal((await store.jobs.states([id])).size, 0)
        assert.deepEqual(await store.events.read({ scope: OPERATOR, after: 0, limit: 10, jobId: id }), [])
        assert.equal(await store.artifacts.list(id, OPERATOR), 'not-found')
        assert.equal(await store.artifacts.get(id, OPERATOR), 'not-found')
      }
    })

    test('states of many jobs at once leave out those that are not there', async (t) => {
      const bench = await openBench(t, open)
      const queued = await bench.add()
      const scheduled = await bench.add({ delayMs: 5 })
      const { claim } = await bench.running({ priority: -1 })
      const states = await bench.store.jobs.states([scheduled, ABSENT, claim.jobId, queued, queued])
      assert.deepEqual(
        [...states].toSorted(([left], [right]) => (left < right ? -1 : 1)),
        [
          [queued, 'queued'],
          [scheduled, 'scheduled'],
          [claim.jobId, 'running'],
        ],
      )
      assert.equal((await bench.store.jobs.states([])).size, 0)
    })

    test('a job that the registry knows takes its phases from the owner, else from the producer', async (t) => {
      const bench = await openBench(t, open)
      const before = await bench.add({ policy: { ...ONE_PHASE, phases: ['draw', 'print'] } })
      await bench.register(THREE_PHASES)
      const after = await bench.add({ policy: { ...ONE_PHASE, phases: ['draw', 'print'] } })
      assert.deepEqual((await bench.details(before)).phaseNames, ['draw', 'print'])
      assert.deepEqual((await bench.details(after)).phaseNames, THREE_PHASES.phases)
      assert.deepEqual((await bench.details(before)).policy, THREE_PHASES)
    })

    test('a read sees what an enqueue or an act has resolved', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      for (let round = 0; round < 25; round += 1) {
        const id = await bench.add()
        assert.equal((await bench.details(id)).state, 'queued')
        const { claim } = await bench.take(holder)
        assert.equal((await bench.details(id)).holder, holder)
        await bench.must(COMPLETE_ONLY_PHASE, claim, { output: `${round}` })
        assert.equal((await bench.details(id)).output, `${round}`)
      }
    })

    test('are told of in the call that adds them, so that a claim made then takes them, until the listener leaves', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session()
      const told: string[][] = []
      const claims: ReturnType<typeof bench.claim>[] = []
      const leave = bench.store.onEnqueue((jobs) => {
        told.push(jobs.map(({ id }) => id))
        claims.push(bench.claim(holder))
      })
      const jobs = [bench.job(), bench.job({ delayMs: MINUTE }), bench.job()]
      let answered = false
      const adding = bench.store.jobs.enqueue(jobs).then((added) => {
        answered = true
        return added
      })
      assert.deepEqual([told, answered], [[jobs.map(({ id }) => id)], false])
      assert.equal((await adding).length, 3)
      const taken = (await Promise.all(claims)).flat().map(({ claim }) => claim.jobId)
      assert.deepEqual(taken, [jobs[0]?.id, jobs[2]?.id])
      leave()
      const later = await bench.add()
      assert.equal(told.length, 1)
      assert.equal((await bench.details(later)).state, 'queued')
    })

    test('are told of to every listener, one of which may leave while it is told', async (t) => {
      const bench = await openBench(t, open)
      const told: string[] = []
      const leave = bench.store.onEnqueue(() => {
        told.push('once')
        leave()
      })
      bench.store.onEnqueue(() => told.push('always'))
      await bench.add()
      await bench.add()
      assert.deepEqual(told, ['once', 'always', 'always'])
    })
  })
}
