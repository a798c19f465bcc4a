/** What happens to many jobs at once, and to most of them alike, reads as if each event had been written by itself. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { COMPLETE, COMPLETE_ONLY_PHASE, CHECKPOINT, FAIL_RETRY, LOG, RETRY } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import type { ClaimedJob } from '../../src/store/claims.ts'
import type { EventRecord } from '../../src/store/events.ts'
import type { NewJob } from '../../src/store/jobs.ts'
import { MINUTE, THREE_PHASES, openBench, planCall } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { readEvents } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const MANY = 40

async function addMany(bench: Bench, changes: (index: number) => Partial<NewJob>): Promise<readonly string[]> {
  const jobs = Array.from({ length: MANY }, (_, index) => bench.job(changes(index)))
  await bench.store.jobs.enqueue(jobs)
  return jobs.map(({ id }) => id)
}

/** Together, so that they share transactions. */
async function completeAll({ store }: Bench, claimed: readonly ClaimedJob[]): Promise<void> {
  const results = await Promise.all(
    claimed.map(({ claim }) => store.claims.apply(planCall(COMPLETE_ONLY_PHASE, claim, { output: '1' }))),
  )
  assert.ok(results.every(({ applied }) => applied))
}

async function completed(
  bench: Bench,
  changes: (index: number) => Partial<NewJob> = () => ({}),
): Promise<readonly string[]> {
  const ids = await addMany(bench, changes)
  await completeAll(bench, await bench.claim(await bench.session(), MANY))
  return ids
}

async function inPages({ store }: Bench, scope: Scope, limit: number): Promise<readonly EventRecord[]> {
  const seen: EventRecord[] = []
  for (;;) {
    const after = seen.at(-1)?.position ?? 0
    const page = await store.events.read({ scope, after, limit, jobId: null })
    if (page.length === 0) return seen
    seen.push(...page)
  }
}

function namesOf(events: readonly EventRecord[]): readonly string[] {
  return events.map(({ name }) => name)
}

async function purge(bench: Bench, ids: readonly string[]): Promise<void> {
  const jobs = await Promise.all(ids.map(async (id) => ({ id, finishedAt: (await bench.details(id)).finishedAt ?? 0 })))
  assert.equal((await bench.store.retention.purge(jobs)).jobs.length, ids.length)
}

/** Its own events, in their order, say the same as the whole log does. */
async function assertSound(bench: Bench, ids: readonly string[]): Promise<void> {
  const all = await readEvents(bench.store)
  for (const [index, { position }] of all.entries()) assert.ok(position > (all[index - 1]?.position ?? 0))
  for (const id of ids) {
    const own = await bench.events(id)
    assert.deepEqual(
      own,
      all.filter(({ jobId }) => jobId === id),
    )
    assert.deepEqual(
      own.map(({ seq }) => seq),
      own.map((_, index) => index + 1),
    )
    const audited = await bench.store.integrity.auditOne(id, OPERATOR)
    assert.ok(typeof audited === 'object')
    assert.deepEqual(audited.events, { ...audited.events, count: own.length, lastSeq: own.length })
  }
}

export function eventListsContract(open: OpenStore): void {
  describe('events of many jobs at once', () => {
    test('are told one by one, the new ones in the order of the jobs, each with its time and attempt', async (t) => {
      const bench = await openBench(t, open)
      const ids = await addMany(bench, () => ({}))
      bench.advance(MINUTE)
      const claimed = await bench.claim(await bench.session(), MANY)
      bench.advance(MINUTE)
      await completeAll(bench, claimed)
      const all = await readEvents(bench.store)
      assert.equal(all.length, 3 * MANY)
      assert.equal(await bench.store.events.latest(), all.at(-1)?.position)
      for (const [index, name] of ['job:queued', 'job:started', 'job:completed'].entries()) {
        const part = all.slice(index * MANY, (index + 1) * MANY)
        const [first] = part
        assert.ok(first !== undefined)
        for (const event of part) {
          const { seq, attempt, at, detail } = event
          assert.deepEqual([event.name, seq, attempt, detail], [name, index + 1, Math.min(index, 1), null])
          assert.equal(at, first.at)
        }
        // A store may start and complete those of one batch in an order of its own.
        const jobs = part.map(({ jobId }) => jobId)
        assert.deepEqual(index === 0 ? jobs : jobs.toSorted(), index === 0 ? ids : ids.toSorted())
      }
      assert.deepEqual(
        [all[0]?.at, all[MANY]?.at, all[2 * MANY]?.at].map((at) => (at ?? 0) - (all[0]?.at ?? 0)),
        [0, MINUTE, 2 * MINUTE],
      )
      await assertSound(bench, ids)
    })

    test('are read in pages of any size, by whoever may, from any position', async (t) => {
      const bench = await openBench(t, open)
      await completed(bench, (index) => ({ tenant: `t${index % 3}`, owner: `u${index % 2}` }))
      const all = await readEvents(bench.store)
      const scopes: readonly (readonly [Scope, (event: EventRecord) => boolean])[] = [
        [OPERATOR, () => true],
        [{ role: 'admin', tenant: 't1' }, ({ tenant }) => tenant === 't1'],
        [{ role: 'member', tenant: 't1', user: 'u0' }, ({ tenant, owner }) => tenant === 't1' && owner === 'u0'],
      ]
      for (const [scope, isSeen] of scopes) {
        for (const limit of [1, 7, 64]) assert.deepEqual(await inPages(bench, scope, limit), all.filter(isSeen))
      }
      for (const after of [0, 1, 13, MANY - 1, MANY, MANY + 1, 3 * MANY]) {
        const page = await bench.store.events.read({ scope: OPERATOR, after, limit: 5, jobId: null })
        assert.deepEqual(page, all.filter(({ position }) => position > after).slice(0, 5))
      }
    })

    test('stand among those that only some have, in one order', async (t) => {
      const bench = await openBench(t, open)
      const kinds: readonly Partial<NewJob>[] = [{}, { delayMs: MINUTE }, { policy: THREE_PHASES, type: 'phases' }, {}]
      const ids = await addMany(bench, (index) => kinds[index % kinds.length] ?? {})
      bench.advance(MINUTE)
      const holder = await bench.session()
      const claimed = await bench.claim(holder, MANY, ['map.export', 'phases'])
      assert.equal(claimed.length, MANY)
      const talkative = claimed.filter(({ type }) => type !== 'phases').slice(0, 3)
      for (const { claim } of talkative) await bench.must(LOG, claim)
      const [again] = talkative
      assert.ok(again !== undefined)
      await bench.must(FAIL_RETRY, again.claim, { delayMs: 0 })
      const retried = await bench.take(holder)
      assert.equal(retried.attempt, 2)
      const ended = claimed.filter((one) => one.type !== 'phases' && one !== again)
      await completeAll(bench, [...ended, retried])
      for (const { claim } of claimed.filter(({ type }) => type === 'phases')) {
        for (const progress of [30, 60, 100]) await bench.must(CHECKPOINT, claim, { progress }, { result: '1' })
        await bench.must(COMPLETE, claim)
      }
      await assertSound(bench, ids)
      const all = await readEvents(bench.store)
      for (const limit of [1, 7]) assert.deepEqual(await inPages(bench, OPERATOR, limit), all)
      assert.deepEqual(namesOf(await bench.events(again.claim.jobId)).slice(-4), [
        'job:retrying',
        'job:queued',
        'job:started',
        'job:completed',
      ])
      const last = bench.job()
      await bench.store.jobs.enqueue([last])
      assert.equal((await readEvents(bench.store)).at(-1)?.jobId, last.id)
    })

    test('are claimed beside a job that has been tried before, which keeps its own history', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running({ policy: THREE_PHASES })
      await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '"loaded"' })
      await bench.must(FAIL_RETRY, claim, { delayMs: 0 })
      const ids = [claim.jobId, ...(await addMany(bench, () => ({})))]
      const claimed = await bench.claim(await bench.session(), MANY + 1)
      const tried = claimed.find((one) => one.claim.jobId === claim.jobId)
      assert.ok(tried !== undefined)
      const { attempt, failures, phase, results, progress } = tried
      assert.deepEqual([attempt, failures, phase, results, progress], [2, 1, 1, ['"loaded"'], 100 / 3])
      const others = claimed.filter((one) => one !== tried)
      assert.ok(others.every((one) => one.attempt === 1 && one.failures === 0 && one.phase === 0 && one.progress === 0))
      await completeAll(bench, others)
      await assertSound(bench, ids)
    })

    test('that are more than one list holds are told in their order', async (t) => {
      const bench = await openBench(t, open)
      const jobs = Array.from({ length: 2_300 }, () => bench.job())
      await bench.store.jobs.enqueue(jobs)
      const ids = jobs.map(({ id }) => id)
      const all = await inPages(bench, OPERATOR, 999)
      assert.deepEqual(
        all.map(({ jobId }) => jobId),
        ids,
      )
      const { position = 0 } = all[1_700] ?? {}
      const page = await bench.store.events.read({ scope: OPERATOR, after: position, limit: 10, jobId: null })
      assert.deepEqual(
        page.map(({ jobId }) => jobId),
        ids.slice(1_701, 1_711),
      )
      await assertSound(bench, [ids[0] ?? '', ids[999] ?? '', ids[1_000] ?? '', ids[2_299] ?? ''])
    })

    test('are told of a job once, whatever becomes of it later', async (t) => {
      const bench = await openBench(t, open)
      const ids = await completed(bench)
      const [id = ''] = ids
      await bench.renew(RETRY, id)
      await completeAll(bench, await bench.claim(await bench.session(), MANY))
      assert.deepEqual(namesOf(await bench.events(id)), [
        'job:queued',
        'job:started',
        'job:completed',
        'job:queued',
        'job:started',
        'job:completed',
      ])
      await assertSound(bench, ids)
    })

    test('of the others stay where they were when some of the jobs are deleted, and nothing is left when all are', async (t) => {
      const bench = await openBench(t, open)
      const ids = await completed(bench)
      const before = await readEvents(bench.store)
      const gone = ids.filter((_, index) => index % 3 !== 1)
      await purge(bench, gone)
      const kept = before.filter(({ jobId }) => !gone.includes(jobId))
      const after = await readEvents(bench.store)
      assert.deepEqual(
        after.filter(({ name }) => name !== 'job:deleted'),
        kept,
      )
      assert.equal(after.length, kept.length + gone.length)
      const rest = ids.filter((id) => !gone.includes(id))
      await assertSound(bench, rest)
      await purge(bench, rest)
      assert.deepEqual(
        namesOf(await readEvents(bench.store)),
        Array.from({ length: MANY }, () => 'job:deleted'),
      )
    })
  })
}
