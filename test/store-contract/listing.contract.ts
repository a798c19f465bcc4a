import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { JOB_STATES } from '../../src/core/states.ts'
import type { JobState } from '../../src/core/states.ts'
import { CANCEL, COMPLETE_ONLY_PHASE, FAIL_FINAL, FAIL_RETRY } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { JobFilter } from '../../src/store/jobs.ts'
import { openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

/** One job in each state; answers the ids in the order of `JOB_STATES`. */
async function addOneOfEach(bench: Bench, changes: object = {}): Promise<ReadonlyMap<JobState, string>> {
  const holder = await bench.session()
  const ids = new Map<JobState, string>()
  const claimNext = async (state: JobState): Promise<Parameters<Bench['must']>[1]> => {
    ids.set(state, await bench.add(changes))
    const { claim } = await bench.take(holder)
    return claim
  }
  await bench.must(COMPLETE_ONLY_PHASE, await claimNext('completed'), { output: '1' })
  await bench.must(FAIL_FINAL, await claimNext('failed'))
  await bench.must(FAIL_RETRY, await claimNext('retrying'), { delayMs: 60_000 })
  await claimNext('running')
  ids.set('cancelled', await bench.add(changes))
  await bench.must(CANCEL, ids.get('cancelled') ?? '')
  ids.set('scheduled', await bench.add({ ...changes, delayMs: 60_000 }))
  ids.set('queued', await bench.add(changes))
  return ids
}

async function idsOf(bench: Bench, filter: JobFilter): Promise<readonly string[]> {
  const { jobs, next } = await bench.store.jobs.list({ scope: OPERATOR, limit: 100, after: null, ...filter })
  assert.equal(next, null)
  return jobs.map(({ id }) => id)
}

export function listingContract(open: OpenStore): void {
  describe('listing', () => {
    test('a list shows the newest first, in pages that join without a gap or a repeat', async (t) => {
      const bench = await openBench(t, open)
      const ids: string[] = []
      for (let index = 0; index < 7; index += 1) ids.push(await bench.add({ priority: index % 3, delayMs: index % 2 }))
      for (const limit of [1, 2, 3, 6, 7, 8]) {
        const seen: string[] = []
        let pages = 0
        let after: string | null = null
        do {
          const { jobs, next } = await bench.store.jobs.list({ scope: OPERATOR, limit, after })
          seen.push(...jobs.map(({ id }) => id))
          pages += 1
          after = next
        } while (after !== null)
        assert.deepEqual(seen, ids.toReversed())
        assert.equal(pages, Math.ceil(7 / limit))
      }
    })

    test('an empty list has no next page', async (t) => {
      const { store } = await openBench(t, open)
      assert.deepEqual(await store.jobs.list({ scope: OPERATOR, limit: 5, after: null }), { jobs: [], next: null })
    })

    test('jobs that are added or change while one turns pages neither repeat nor hide those that were there', async (t) => {
      const bench = await openBench(t, open)
      const ids: string[] = []
      for (let index = 0; index < 9; index += 1) ids.push(await bench.add())
      const seen: string[] = []
      let after: string | null = null
      do {
        const { jobs, next } = await bench.store.jobs.list({ scope: OPERATOR, limit: 2, after })
        seen.push(...jobs.map(({ id }) => id))
        after = next
        await bench.add()
        await bench.must(CANCEL, ids[8 - seen.length] ?? ids[0] ?? '').catch(() => undefined)
      } while (after !== null)
      assert.deepEqual(seen, ids.toReversed())
    })

    test('a page of a filtered list is full where enough jobs match', async (t) => {
      const bench = await openBench(t, open)
      const wanted: string[] = []
      for (let index = 0; index < 30; index += 1) {
        const id = await bench.add({ type: index % 5 === 0 ? 'rare' : 'common' })
        if (index % 5 === 0) wanted.unshift(id)
      }
      const first = await bench.store.jobs.list({ scope: OPERATOR, type: 'rare', limit: 4, after: null })
      assert.deepEqual(
        first.jobs.map(({ id }) => id),
        wanted.slice(0, 4),
      )
      const second = await bench.store.jobs.list({ scope: OPERATOR, type: 'rare', limit: 4, after: first.next })
      assert.deepEqual(
        second.jobs.map(({ id }) => id),
        wanted.slice(4),
      )
      assert.equal(second.next, null)
    })

    test('jobs that are over are listed newest first whatever their types and states, and each once', async (t) => {
      const bench = await openBench(t, open)
      const over: string[] = []
      for (const [index, type] of ['a', 'b', 'a', 'c', 'b', 'a', 'c'].entries()) {
        const id = await bench.add({ type })
        if (index % 3 === 2) await bench.must(CANCEL, id)
        else
          await bench.must(COMPLETE_ONLY_PHASE, (await bench.take(await bench.session(), [type])).claim, {
            output: '1',
          })
        over.unshift(id)
        await bench.add({ type, delayMs: 60_000 })
      }
      const states = ['completed', 'cancelled', 'completed'] as const
      const seen: string[] = []
      let after: string | null = null
      do {
        const { jobs, next } = await bench.store.jobs.list({ scope: OPERATOR, states, limit: 2, after })
        seen.push(...jobs.map(({ id }) => id))
        after = next
      } while (after !== null)
      assert.deepEqual(seen, over)
    })

    test('each state is listed and counted alone and with others', async (t) => {
      const bench = await openBench(t, open)
      const ids = await addOneOfEach(bench)
      for (const state of JOB_STATES) assert.deepEqual(await idsOf(bench, { states: [state] }), [ids.get(state)])
      const final = ['completed', 'failed', 'cancelled'] as const
      assert.deepEqual(new Set(await idsOf(bench, { states: final })), new Set(final.map((state) => ids.get(state))))
      assert.deepEqual(
        new Set(await idsOf(bench, { states: ['queued', 'failed'] })),
        new Set([ids.get('queued'), ids.get('failed')]),
      )
      assert.deepEqual(await idsOf(bench, { states: [] }), [])
      assert.equal((await idsOf(bench, { states: JOB_STATES })).length, JOB_STATES.length)
      const one = Object.fromEntries(JOB_STATES.map((state) => [state, 1]))
      const none = Object.fromEntries(JOB_STATES.map((state) => [state, 0]))
      assert.deepEqual(await bench.store.jobs.counts({ scope: OPERATOR }), one)
      assert.deepEqual(await bench.store.jobs.counts({ scope: OPERATOR, states: ['failed'] }), { ...none, failed: 1 })
      assert.deepEqual(await bench.store.jobs.counts({ scope: OPERATOR, states: [] }), none)
    })

    test('an empty store counts nothing in every state', async (t) => {
      const { store } = await openBench(t, open)
      const counts = await store.jobs.counts({ scope: OPERATOR })
      assert.deepEqual(counts, Object.fromEntries(JOB_STATES.map((state) => [state, 0])))
    })

    test('every filter narrows alone and together with others', async (t) => {
      const bench = await openBench(t, open)
      const a = await bench.add({ type: 'a', queue: 'q1', tenant: 't1', owner: 'ann', labels: { c: '1', d: '2' } })
      const b = await bench.add({ type: 'a', queue: 'q2', tenant: 't1', owner: 'bob', labels: { c: '1' } })
      const c = await bench.add({ type: 'b', queue: 'q1', tenant: 't2', owner: 'ann', labels: { d: '2' }, delayMs: 9 })
      const d = await bench.add({ type: 'b', queue: 'q2' })
      const cases: readonly (readonly [JobFilter, readonly string[]])[] = [
        [{}, [d, c, b, a]],
        [{ type: 'a' }, [b, a]],
        [{ queue: 'q1' }, [c, a]],
        [{ tenant: 't1' }, [b, a]],
        [{ tenant: '' }, [d]],
        [{ owner: 'ann' }, [c, a]],
        [{ labels: { c: '1' } }, [b, a]],
        [{ labels: { c: '1', d: '2' } }, [a]],
        [{ labels: { c: '2' } }, []],
        [{ labels: {} }, [d, c, b, a]],
        [{ type: 'a', queue: 'q2' }, [b]],
        [{ type: 'b', owner: 'ann', states: ['scheduled'] }, [c]],
        [{ type: 'b', owner: 'ann', states: ['queued'] }, []],
        [{ type: 'none' }, []],
        [{ queue: 'none' }, []],
        [{ tenant: 'none' }, []],
        [{ owner: 'none' }, []],
        [{ labels: { none: 'x' } }, []],
        [{ type: 'a', queue: 'q1', tenant: 't1', owner: 'ann', labels: { c: '1' }, states: ['queued'] }, [a]],
      ]
      for (const [filter, ids] of cases) {
        assert.deepEqual(await idsOf(bench, filter), ids, JSON.stringify(filter))
        const counts = await bench.store.jobs.counts({ scope: OPERATOR, ...filter })
        const sum = Object.values(counts).reduce((total, count) => total + count, 0)
        assert.equal(sum, ids.length, JSON.stringify(filter))
      }
    })

    test('a summary says the same as the details of its job', async (t) => {
      const bench = await openBench(t, open)
      await addOneOfEach(bench, { labels: { c: '1' }, owner: 'ann', tenant: 't1' })
      const { jobs } = await bench.store.jobs.list({ scope: OPERATOR, limit: 10, after: null })
      assert.equal(jobs.length, JOB_STATES.length)
      for (const summary of jobs) {
        const { input: _i, output: _o, phases: _p, attempts: _a, worker: _w, ...rest } = await bench.details(summary.id)
        assert.deepEqual(summary, rest)
      }
    })
  })
}
