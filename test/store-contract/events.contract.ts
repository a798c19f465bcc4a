import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { CANCEL, COMPLETE_ONLY_PHASE, FAIL_RETRY, LOG, PROGRESS } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { readEvents } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

async function liveThrough(bench: Bench): Promise<void> {
  const holder = await bench.session()
  for (let index = 0; index < 4; index += 1) await bench.add({ type: `t${index % 2}` })
  const types = ['t0', 't1']
  const [one, two, three] = await bench.claim(holder, 3, types)
  assert.ok(one !== undefined && two !== undefined && three !== undefined)
  await bench.must(COMPLETE_ONLY_PHASE, one.claim, { output: '1' })
  await bench.must(FAIL_RETRY, two.claim, { delayMs: 10 })
  for (let line = 0; line < 5; line += 1) await bench.must(LOG, three.claim, {}, { detail: `{"message":"${line}"}` })
  bench.advance(10)
  await bench.claim(holder, 3, types)
}

export function eventsContract(open: OpenStore): void {
  describe('events', () => {
    test('an empty log has position 0 and no events', async (t) => {
      const { store } = await openBench(t, open)
      assert.equal(await store.events.latest(), 0)
      assert.deepEqual(await store.events.read({ scope: OPERATOR, after: 0, limit: 10, jobId: null }), [])
    })

    test("positions grow, times never fall, and each job's events count from 1 without a gap", async (t) => {
      const bench = await openBench(t, open)
      await liveThrough(bench)
      const events = await readEvents(bench.store)
      for (const [index, event] of events.entries()) {
        const before = events[index - 1]
        assert.ok(before === undefined || (before.position < event.position && before.at <= event.at))
      }
      assert.equal(await bench.store.events.latest(), events.at(-1)?.position)
      for (const [jobId, own] of Map.groupBy(events, (event) => event.jobId)) {
        assert.deepEqual(
          own.map(({ seq }) => seq),
          own.map((_event, index) => index + 1),
        )
        const { eventSeq, type } = await bench.details(jobId)
        assert.equal(eventSeq, own.length)
        assert.ok(own.every((event) => event.type === type))
        assert.deepEqual(await bench.events(jobId), own)
      }
    })

    test('the log is read in pages of any size, from any position', async (t) => {
      const bench = await openBench(t, open)
      await liveThrough(bench)
      const all = await readEvents(bench.store)
      for (const limit of [1, 2, 7, 1_000]) {
        const seen = []
        for (;;) {
          const page = await bench.store.events.read({
            scope: OPERATOR,
            after: seen.at(-1)?.position ?? 0,
            limit,
            jobId: null,
          })
          assert.ok(page.length <= limit)
          seen.push(...page)
          if (page.length === 0) break
        }
        assert.deepEqual(seen, all)
      }
      const last = all.at(-1)?.position ?? 0
      assert.deepEqual(await bench.store.events.read({ scope: OPERATOR, after: last, limit: 5, jobId: null }), [])
      assert.deepEqual(
        await bench.store.events.read({ scope: OPERATOR, after: last + 1_000, limit: 5, jobId: null }),
        [],
      )
    })

    test("one job's events are read in pages too", async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.add()
      for (let line = 0; line < 6; line += 1) {
        await bench.must(LOG, claim)
        await bench.add()
      }
      const seen = []
      for (;;) {
        const after = seen.at(-1)?.position ?? 0
        const page = await bench.store.events.read({ scope: OPERATOR, after, limit: 3, jobId: claim.jobId })
        seen.push(...page)
        if (page.length < 3) break
      }
      assert.deepEqual(
        seen.map(({ seq }) => seq),
        [1, 2, 3, 4, 5, 6, 7, 8],
      )
      assert.ok(seen.every(({ jobId }) => jobId === claim.jobId))
    })

    test('an event tells the attempt in which it happened', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(LOG, claim)
      await bench.must(FAIL_RETRY, claim, { delayMs: 0 })
      const { claim: second } = await bench.take(claim.holder)
      await bench.must(LOG, second)
      await bench.must(CANCEL, second.jobId)
      const events = await bench.events(claim.jobId)
      assert.deepEqual(
        events.map(({ name, attempt }) => [name, attempt]),
        [
          ['job:queued', 0],
          ['job:started', 1],
          ['job:log', 1],
          ['job:retrying', 1],
          ['job:queued', 1],
          ['job:started', 2],
          ['job:log', 2],
          ['job:cancel-requested', 2],
        ],
      )
    })

    test('silent progress and refusals tell nothing', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const position = await bench.store.events.latest()
      await bench.must(PROGRESS, claim, { progress: 5 })
      await bench.act(PROGRESS, { ...claim, fence: 99 }, { progress: 6 })
      await bench.act(LOG, { ...claim, fence: 99 })
      assert.equal(await bench.store.events.latest(), position)
    })

    test('whoever listens is called after a commit, until they go', async (t) => {
      const bench = await openBench(t, open)
      let first = Promise.withResolvers<void>()
      let calls = 0
      const stop = bench.store.onChange(() => {
        calls += 1
        first.resolve()
      })
      const id = await bench.add()
      await first.promise
      first = Promise.withResolvers<void>()
      await bench.must(CANCEL, id)
      await first.promise
      stop()
      const seen = calls
      const second = Promise.withResolvers<void>()
      const stopSecond = bench.store.onChange(() => second.resolve())
      await bench.add()
      await second.promise
      stopSecond()
      assert.equal(calls, seen)
    })
  })
}
