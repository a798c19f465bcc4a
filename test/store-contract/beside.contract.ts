import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { CANCEL, COMPLETE_ONLY_PHASE, PROGRESS } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { NOTHING_SWEPT, benchOf, LEASE_MS, ONE_PHASE, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

async function openTwo(context: TestContext, open: OpenStore): Promise<readonly [Bench, Bench]> {
  const first = await openBench(context, open)
  const second = await first.another?.()
  assert.ok(second !== undefined)
  context.after(() => second.close())
  return [first, benchOf(second)]
}

/** For stores that several processes may open at a time. */
export function besideContract(open: OpenStore): void {
  describe('two stores over the same jobs', () => {
    test('each sees what the other has committed', async (t) => {
      const [one, two] = await openTwo(t, open)
      for (let round = 0; round < 10; round += 1) {
        const id = await one.add()
        assert.equal((await two.details(id)).state, 'queued')
        await two.must(CANCEL, id, { actor: 'two' })
        assert.equal((await one.details(id)).cancelledBy, 'two')
      }
      await two.register({ ...ONE_PHASE, maxAttempts: 9 })
      const id = await one.add()
      assert.equal((await one.details(id)).policy.maxAttempts, 9)
      await one.register(THREE_PHASES)
      const later = await two.add()
      assert.deepEqual((await two.details(later)).phaseNames, THREE_PHASES.phases)
      assert.deepEqual(await dumpStore(one.store), await dumpStore(two.store))
    })

    test('each is told when the other has committed something', async (t) => {
      const [one, two] = await openTwo(t, open)
      const { promise, resolve } = Promise.withResolvers<void>()
      const stop = two.store.onChange(resolve)
      await one.add()
      await promise
      stop()
    })

    test('both claim at once, and no job is given out twice', async (t) => {
      const [one, two] = await openTwo(t, open)
      await one.store.jobs.enqueue(Array.from({ length: 100 }, () => one.job()))
      const holders = [await one.session(), await two.session()] as const
      const claims = await Promise.all(
        Array.from({ length: 40 }, (_, turn) => (turn % 2 === 0 ? one.claim(holders[0], 3) : two.claim(holders[1], 3))),
      )
      const taken = claims.flat().map(({ claim }) => claim.jobId)
      assert.equal(taken.length, 100)
      assert.equal(new Set(taken).size, 100)
    })

    test('both enqueue with the same keys at once, and each key makes one job', async (t) => {
      const [one, two] = await openTwo(t, open)
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, turn) => {
          const bench = turn % 2 === 0 ? one : two
          return bench.store.jobs.enqueue([bench.job({ key: `k${turn % 10}`, uniqueKey: `u${turn % 5}` })])
        }),
      )
      const created = answers.flat().filter(({ outcome }) => outcome === 'created')
      assert.equal(created.length, 5)
    })

    test('a cancel in one is told to the session in the other', async (t) => {
      const [one, two] = await openTwo(t, open)
      const { claim } = await one.running()
      await two.must(CANCEL, claim.jobId, { actor: 'two', reason: null })
      const [told] = await one.store.claims.interruptions([claim])
      assert.deepEqual([told?.kind, told?.cancelledBy], ['cancel', 'two'])
      await one.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
    })

    test('a session that another store ended is told once that it is lost, and can write nothing', async (t) => {
      const [one, two] = await openTwo(t, open)
      const { promise, resolve } = Promise.withResolvers<void>()
      let lost = 0
      const holder = await one.session({}, () => {
        lost += 1
        resolve()
      })
      await one.add()
      const { claim } = await one.take(holder)
      one.advance(LEASE_MS)
      assert.deepEqual(await two.sweep(), { ...NOTHING_SWEPT, sessionsEnded: 1, jobsReaped: 1 })
      const { claim: second } = await two.take(await two.session())
      const late = await one.act(PROGRESS, claim, { progress: 50 })
      assert.equal(late.applied ? null : late.refusal, 'lease-lost')
      await promise
      one.advance(LEASE_MS)
      await one.add()
      await one.store.sessions.end(holder)
      assert.equal(lost, 1)
      await two.must(COMPLETE_ONLY_PHASE, second, { output: '1' })
    })

    test('a store that is closed leaves its sessions to their leases', async (t) => {
      const [one, two] = await openTwo(t, open)
      const { claim } = await two.running()
      await two.close()
      one.advance(LEASE_MS - 1)
      assert.equal((await one.sweep()).jobsReaped, 0)
      one.advance(1)
      assert.equal((await one.sweep()).jobsReaped, 1)
      assert.equal((await one.details(claim.jobId)).state, 'queued')
    })

    test('counts and lists are the same in both while both write', async (t) => {
      const [one, two] = await openTwo(t, open)
      await Promise.all(
        Array.from({ length: 200 }, (_, turn) => {
          const bench = turn % 2 === 0 ? one : two
          return bench.store.jobs.enqueue([bench.job({ type: `t${turn % 3}`, labels: { turn: `${turn % 4}` } })])
        }),
      )
      const counts = await one.store.jobs.counts({ scope: OPERATOR })
      assert.equal(counts.queued, 200)
      assert.deepEqual(await dumpStore(one.store), await dumpStore(two.store))
    })
  })
}
