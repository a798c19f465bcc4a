import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { COMPLETE_ONLY_PHASE } from '../../src/core/plans.ts'
import type { Registered, Transferred } from '../../src/store/job-types.ts'
import { ONE_PHASE, openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

function transfer(bench: Bench, from: string, to: string, type: string = 'a'): Promise<Transferred> {
  return bench.store.jobTypes.transfer({ type, from, to, actor: 'ann', reason: null })
}

function register(bench: Bench, service: string, type: string = 'a'): Promise<Registered> {
  return bench.store.jobTypes.register(service, [{ type, queue: type, policy: ONE_PHASE }])
}

/** A session as a worker opens one. */
async function startWorker(bench: Bench, service: string): Promise<number> {
  const registered = await register(bench, service)
  assert.ok(registered.accepted)
  return bench.session({ service, types: ['a'], epoch: registered.epoch })
}

export function ownershipContract(open: OpenStore): void {
  describe('ownership', () => {
    test('a type is handed over, and tells of it', async (t) => {
      const bench = await openBench(t, open)
      await register(bench, 'maps')
      const [before] = await bench.store.jobTypes.list()
      bench.advance(10)
      const asked = { type: 'a', from: 'maps', to: 'atlas', actor: 'ann', reason: 'moved' }
      assert.deepEqual(await bench.store.jobTypes.transfer(asked), { accepted: true, epoch: 2 })
      const ownedSince = await bench.store.now()
      const after = {
        ...before,
        service: 'atlas',
        epoch: 2,
        ownedSince,
        transfer: { from: 'maps', by: 'ann', reason: 'moved' },
      }
      assert.deepEqual(await bench.store.jobTypes.list(), [after])
      bench.advance(10)
      assert.deepEqual(await register(bench, 'atlas'), { accepted: true, epoch: 2 })
      const registeredAt = await bench.store.now()
      assert.deepEqual(await bench.store.jobTypes.list(), [{ ...after, registeredAt }])
      assert.deepEqual(await register(bench, 'maps'), { accepted: false, type: 'a', service: 'atlas' })
    })

    test('only the present owner hands a type over', async (t) => {
      const bench = await openBench(t, open)
      await register(bench, 'maps')
      await bench.add({ type: 'nobodys' })
      const before = await dumpStore(bench.store)
      assert.deepEqual(await transfer(bench, 'books', 'atlas'), { accepted: false, service: 'maps' })
      assert.deepEqual(await transfer(bench, 'maps', 'atlas', 'nobodys'), { accepted: false, service: null })
      assert.deepEqual(await transfer(bench, 'maps', 'atlas', 'unknown'), { accepted: false, service: null })
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('of two hand-overs at once one is made', async (t) => {
      const bench = await openBench(t, open)
      await register(bench, 'maps')
      const answers = await Promise.all(['one', 'two', 'three'].map((to) => transfer(bench, 'maps', to)))
      assert.equal(answers.filter(({ accepted }) => accepted).length, 1)
      const [type] = await bench.store.jobTypes.list()
      assert.ok(answers.every((answer) => answer.accepted || answer.service === type?.service))
    })

    test('whoever owned a type claims no more of it, and keeps what it holds', async (t) => {
      const bench = await openBench(t, open)
      const maps = await startWorker(bench, 'maps')
      await bench.add({ type: 'a' })
      await bench.add({ type: 'a' })
      const { claim } = await bench.take(maps, ['a'])
      await transfer(bench, 'maps', 'atlas')
      assert.deepEqual(await bench.claim(maps, 9, ['a']), [])
      const atlas = await startWorker(bench, 'atlas')
      assert.equal((await bench.claim(atlas, 9, ['a'])).length, 1)
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: 'null' })
    })

    test('a type that has come back is claimed by sessions that registered it since, and by no older one', async (t) => {
      const bench = await openBench(t, open)
      const old = await startWorker(bench, 'maps')
      const elsewhere = await bench.session({ service: 'atlas', types: ['b'] })
      await transfer(bench, 'maps', 'atlas')
      const atlas = await startWorker(bench, 'atlas')
      await transfer(bench, 'atlas', 'maps')
      await bench.add({ type: 'a' })
      for (const holder of [old, elsewhere, atlas]) assert.deepEqual(await bench.claim(holder, 9, ['a']), [])
      const renewed = await startWorker(bench, 'maps')
      assert.equal((await bench.claim(renewed, 9, ['a'])).length, 1)
    })

    test('a session that was opened after a hand-over under an older registration claims nothing of the type', async (t) => {
      const bench = await openBench(t, open)
      const registered = await register(bench, 'maps')
      assert.ok(registered.accepted)
      await transfer(bench, 'maps', 'atlas')
      await transfer(bench, 'atlas', 'maps')
      await bench.add({ type: 'a' })
      const reopened = await bench.session({ service: 'maps', types: ['a'], epoch: registered.epoch })
      assert.deepEqual(await bench.claim(reopened, 9, ['a']), [])
    })

    test('the hand-over of one type keeps nobody from another', async (t) => {
      const bench = await openBench(t, open)
      await register(bench, 'maps', 'b')
      const maps = await startWorker(bench, 'maps')
      await transfer(bench, 'maps', 'atlas', 'b')
      await bench.add({ type: 'a' })
      assert.equal((await bench.claim(maps, 9, ['a', 'b'])).length, 1)
    })

    test('a refusal is kept, the latest of each service, until the service owns the type', async (t) => {
      const bench = await openBench(t, open)
      await register(bench, 'maps')
      assert.deepEqual(await bench.store.jobTypes.refusals(), [])
      await register(bench, 'books')
      bench.advance(10)
      await register(bench, 'atlas')
      const first = { type: 'a', service: 'atlas', refusedAt: await bench.store.now() }
      bench.advance(10)
      await register(bench, 'books')
      const latest = { type: 'a', service: 'books', refusedAt: await bench.store.now() }
      assert.deepEqual(await bench.store.jobTypes.refusals(), [latest, first])
      await transfer(bench, 'maps', 'books')
      assert.deepEqual(await bench.store.jobTypes.refusals(), [first])
    })
  })
}
