import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ARTIFACT, CANCEL, FORCE_FAIL, FORCE_RESET, RETRY, RUN_NOW } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import { openBench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

type Sight = 'all' | 'forbidden' | 'not-found'

const ADMIN: Scope = { role: 'admin', tenant: 'acme' }
const ANN: Scope = { role: 'member', tenant: 'acme', user: 'ann' }
const BOB: Scope = { role: 'member', tenant: 'acme', user: 'bob' }
const OTHER_ADMIN: Scope = { role: 'admin', tenant: 'other' }
const OTHER_ANN: Scope = { role: 'member', tenant: 'other', user: 'ann' }
const NO_TENANT_ADMIN: Scope = { role: 'admin', tenant: '' }
const NO_TENANT_MEMBER: Scope = { role: 'member', tenant: '', user: '' }

/** What each scope sees of a job of ann's, of one of acme that nobody owns, and of one without a tenant. */
const SIGHTS: readonly (readonly [Scope, Sight, Sight, Sight])[] = [
  [OPERATOR, 'all', 'all', 'all'],
  [ADMIN, 'all', 'all', 'not-found'],
  [ANN, 'all', 'forbidden', 'not-found'],
  [BOB, 'forbidden', 'forbidden', 'not-found'],
  [OTHER_ADMIN, 'not-found', 'not-found', 'not-found'],
  [OTHER_ANN, 'not-found', 'not-found', 'not-found'],
  [NO_TENANT_ADMIN, 'not-found', 'not-found', 'all'],
  [NO_TENANT_MEMBER, 'not-found', 'not-found', 'forbidden'],
]

export function scopeContract(open: OpenStore): void {
  describe('scopes', () => {
    test('each scope reads what is its own, is refused what it sees, and finds nothing else', async (t) => {
      const bench = await openBench(t, open)
      const jobs = [{ tenant: 'acme', owner: 'ann' }, { tenant: 'acme' }, {}]
      const made: { readonly id: string; readonly artifact: string }[] = []
      for (const changes of jobs) {
        const { claim } = await bench.running(changes)
        const artifact = bench.artifact()
        await bench.must(ARTIFACT, claim, {}, { artifact })
        made.push({ id: claim.jobId, artifact: artifact.id })
      }
      const { jobs: reader, artifacts, events } = bench.store
      for (const [scope, ...sights] of SIGHTS) {
        for (const [index, sight] of sights.entries()) {
          const { id, artifact } = made[index] ?? { id: '', artifact: '' }
          const seen: readonly unknown[] = [
            await reader.get(id, scope),
            await artifacts.list(id, scope),
            await artifacts.get(artifact, scope),
          ]
          const said = `${JSON.stringify(scope)} on job ${index}`
          assert.deepEqual(
            seen.map((one) => (typeof one === 'string' ? one : 'all')),
            [sight, sight, sight],
            said,
          )
          const told = await events.read({ scope, after: 0, limit: 10, jobId: id })
          assert.equal(told.length, sight === 'all' ? 3 : 0, said)
        }
      }
    })

    test('lists, counts and the log hold what a scope may touch, and nothing else', async (t) => {
      const bench = await openBench(t, open)
      const ids = [
        await bench.add({ tenant: 'acme', owner: 'ann' }),
        await bench.add({ tenant: 'acme' }),
        await bench.add({}),
      ]
      for (const [scope, ...sights] of SIGHTS) {
        const visible = ids.filter((_id, index) => sights[index] === 'all')
        const { jobs } = await bench.store.jobs.list({ scope, limit: 10, after: null })
        assert.deepEqual(
          jobs.map(({ id }) => id),
          visible.toReversed(),
        )
        const counts = await bench.store.jobs.counts({ scope })
        assert.equal(counts.queued, visible.length)
        const events = await bench.store.events.read({ scope, after: 0, limit: 10, jobId: null })
        assert.deepEqual(
          events.map(({ jobId }) => jobId),
          visible,
        )
      }
    })

    test('a filter never widens a scope', async (t) => {
      const bench = await openBench(t, open)
      await bench.add({ tenant: 'acme', owner: 'ann' })
      await bench.add({ tenant: 'acme', owner: 'bob' })
      await bench.add({ tenant: 'other', owner: 'ann' })
      const cases = [
        [ADMIN, { tenant: 'other' }, 0],
        [ADMIN, { owner: 'ann' }, 1],
        [ANN, { owner: 'bob' }, 0],
        [ANN, { tenant: 'other' }, 0],
        [ANN, { tenant: 'acme', owner: 'ann' }, 1],
        [OPERATOR, { owner: 'ann' }, 2],
      ] as const
      for (const [scope, filter, count] of cases) {
        const { jobs } = await bench.store.jobs.list({ scope, limit: 10, after: null, ...filter })
        const { queued } = await bench.store.jobs.counts({ scope, ...filter })
        assert.deepEqual([jobs.length, queued], [count, count], JSON.stringify([scope, filter]))
      }
    })

    test('who may not act is refused, sees no more than before, and changes nothing', async (t) => {
      const bench = await openBench(t, open)
      const ids = [
        await bench.add({ tenant: 'acme', owner: 'ann', delayMs: 9 }),
        await bench.add({ tenant: 'acme', delayMs: 9 }),
        await bench.add({ delayMs: 9 }),
      ]
      const before = await dumpStore(bench.store)
      const values = { actor: 'x', phase: 0, seenGeneration: 1, seenFence: 0 }
      for (const [scope, ...sights] of SIGHTS) {
        for (const [index, sight] of sights.entries()) {
          const forbidden = scope.role === 'member' ? [CANCEL, RETRY, RUN_NOW, FORCE_FAIL, FORCE_RESET] : []
          const plans = sight === 'all' ? forbidden.slice(3) : [CANCEL, RETRY, RUN_NOW, FORCE_FAIL, FORCE_RESET]
          for (const plan of plans) {
            const result = await bench.act(plan, ids[index] ?? '', values, { scope })
            const refusal = sight === 'not-found' ? 'not-found' : 'forbidden'
            const said = `${plan.name} by ${JSON.stringify(scope)} on job ${index}`
            assert.deepEqual(
              [result.applied ? 'applied' : result.refusal, result.row === null],
              [refusal, sight === 'not-found'],
              said,
            )
          }
        }
      }
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('who may act does', async (t) => {
      const bench = await openBench(t, open)
      for (const scope of [OPERATOR, ADMIN, ANN]) {
        const id = await bench.add({ tenant: 'acme', owner: 'ann', delayMs: 9 })
        await bench.must(RUN_NOW, id, {}, { scope })
        await bench.must(CANCEL, id, { actor: 'x' }, { scope })
        await bench.must(RETRY, id, { phase: 0, seenGeneration: 1, seenFence: 0 }, { scope })
      }
      for (const scope of [OPERATOR, ADMIN]) {
        const id = await bench.add({ tenant: 'acme' })
        await bench.must(FORCE_FAIL, id, {}, { scope })
        await bench.renew(FORCE_RESET, id, 0, { scope })
      }
    })

    test('a job that is not there is not found in any scope', async (t) => {
      const bench = await openBench(t, open)
      const id = bench.runtime.uuid()
      for (const [scope] of SIGHTS) {
        for (const plan of [CANCEL, RETRY, RUN_NOW, FORCE_FAIL, FORCE_RESET]) {
          assert.deepEqual(await bench.act(plan, id, { phase: 0 }, { scope }), {
            applied: false,
            refusal: 'not-found',
            row: null,
          })
        }
        assert.equal(await bench.store.jobs.get(id, scope), 'not-found')
      }
      assert.deepEqual(await bench.act(CANCEL, 'no id at all'), { applied: false, refusal: 'not-found', row: null })
    })
  })
}
