import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  ARTIFACT,
  CANCEL,
  CHECKPOINT,
  COMPLETE,
  COMPLETE_ONLY_PHASE,
  FAIL_FINAL,
  PROGRESS,
  RETRY,
} from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import type { FinishedJob, FinishedQuery } from '../../src/store/retention.ts'
import { MINUTE, THREE_PHASES, attemptError, openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore, readEvents } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NOTHING_OLD = { eventsMs: DAY, sessionsMs: DAY, limit: 100 }

async function finished(bench: Bench, query: Partial<FinishedQuery> = {}): Promise<readonly FinishedJob[]> {
  const jobs: FinishedJob[] = []
  let after: string | null = null
  do {
    const page = await bench.store.retention.finished({
      type: 'map.export',
      state: 'completed',
      from: 'oldest',
      until: null,
      limit: 2,
      ...query,
      after,
    })
    jobs.push(...page.jobs)
    after = page.next
  } while (after !== null)
  return jobs
}

/** A job that has completed, with all that a job can have. */
async function wholeJob(bench: Bench): Promise<string> {
  const long = JSON.stringify('x'.repeat(2_000))
  const { claim } = await bench.running({
    policy: THREE_PHASES,
    labels: { course: 'c1' },
    key: 'order-7',
    uniqueKey: 'seven',
    tenant: 'acme',
    owner: 'ann',
    input: long,
  })
  await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact({ path: 'ab/one.png' }) })
  await bench.must(FAIL_FINAL, claim, {}, { error: attemptError(), detail: '{}' })
  await bench.renew(RETRY, claim.jobId)
  const again = await bench.take(await bench.session(), ['map.export'])
  for (const progress of [30, 60, 100]) await bench.must(CHECKPOINT, again.claim, { progress }, { result: long })
  await bench.must(COMPLETE, again.claim)
  return claim.jobId
}

async function completed(bench: Bench, job: Parameters<Bench['running']>[0] = {}): Promise<string> {
  const { claim } = await bench.running(job)
  await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
  return claim.jobId
}

async function purge(bench: Bench, ...ids: readonly string[]): Promise<readonly string[]> {
  const jobs = await Promise.all(ids.map(async (id) => ({ id, finishedAt: (await bench.details(id)).finishedAt ?? 0 })))
  return (await bench.store.retention.purge(jobs)).jobs
}

export function retentionContract(open: OpenStore): void {
  describe('retention', () => {
    test('jobs of a type that are over are found state by state, each once, from either end', async (t) => {
      const bench = await openBench(t, open)
      const ids: string[] = []
      for (let count = 0; count < 5; count += 1) {
        bench.advance(10)
        ids.push(await completed(bench))
      }
      const { claim } = await bench.running()
      await bench.must(FAIL_FINAL, claim, {}, { error: attemptError() })
      await bench.must(CANCEL, await bench.add(), { actor: 'ann', reason: null })
      await bench.add()
      const other = await completed(bench, { type: 'another' })
      const found = await finished(bench)
      assert.deepEqual(
        found.map(({ id }) => id),
        ids,
      )
      assert.deepEqual(
        found.map(({ eventSeq }) => eventSeq),
        ids.map(() => 3),
      )
      const { finishedAt } = await bench.details(ids[0] ?? '')
      assert.equal(found[0]?.finishedAt, finishedAt)
      const back = await finished(bench, { from: 'newest' })
      assert.deepEqual(back, found.toReversed())
      assert.deepEqual(
        (await finished(bench, { state: 'failed' })).map(({ id }) => id),
        [claim.jobId],
      )
      assert.equal((await finished(bench, { state: 'cancelled' })).length, 1)
      assert.deepEqual(
        (await finished(bench, { type: 'another' })).map(({ id }) => id),
        [other],
      )
      assert.deepEqual(await finished(bench, { type: 'unheard of' }), [])
    })

    test('none that ended by the given time is left out', async (t) => {
      const bench = await openBench(t, open)
      const early = [await completed(bench), await completed(bench), await completed(bench)]
      const until = await bench.store.now()
      bench.advance(HOUR)
      for (let count = 0; count < 6; count += 1) await completed(bench)
      const found = await finished(bench, { until })
      assert.deepEqual(
        found.filter(({ finishedAt }) => finishedAt <= until).map(({ id }) => id),
        early,
      )
      assert.ok(found.length < 9)
    })

    test('a job is deleted with all that belongs to it, and one event tells of it', async (t) => {
      const bench = await openBench(t, open)
      const id = await wholeJob(bench)
      const other = await completed(bench, { labels: { course: 'c1' } })
      const { eventSeq, attempt } = await bench.details(id)
      const before = await bench.store.events.latest()
      const { finishedAt } = await bench.details(id)
      const purged = await bench.store.retention.purge([{ id, finishedAt: finishedAt ?? 0 }])
      assert.deepEqual(purged, { jobs: [id], paths: ['ab/one.png'] })
      assert.equal(await bench.store.jobs.get(id, OPERATOR), 'not-found')
      assert.equal(await bench.store.artifacts.list(id, OPERATOR), 'not-found')
      assert.deepEqual([...(await bench.store.jobs.states([id, other])).keys()], [other])
      const { jobs } = await bench.store.jobs.list({
        scope: OPERATOR,
        labels: { course: 'c1' },
        limit: 10,
        after: null,
      })
      assert.deepEqual(
        jobs.map((job) => job.id),
        [other],
      )
      const [event, ...others] = await readEvents(bench.store, id)
      assert.deepEqual(others, [])
      assert.ok(event !== undefined && event.position > before)
      assert.deepEqual(event, {
        position: event.position,
        jobId: id,
        type: 'map.export',
        seq: eventSeq + 1,
        name: 'job:deleted',
        at: await bench.store.now(),
        attempt,
        detail: JSON.stringify({ deletedJobId: id }),
        tenant: 'acme',
        owner: 'ann',
      })
      assert.deepEqual((await readEvents(bench.store)).at(-1), event)
    })

    test('a note of its entity goes with it', async (t) => {
      const bench = await openBench(t, open)
      const id = await completed(bench)
      await bench.store.jobTypes.noteEntities([{ jobId: id, status: 'DRAFT' }])
      await purge(bench, id)
      assert.deepEqual((await bench.store.integrity.strays('entity', { after: null, limit: 9 })).strays, [])
      assert.deepEqual((await bench.store.jobTypes.evidence({ endedLimit: 9, entityLimit: 9 })).entities, [])
    })

    test('the event is told to those who could see the job, and to nobody else', async (t) => {
      const bench = await openBench(t, open)
      const id = await completed(bench, { tenant: 'acme', owner: 'ann' })
      await purge(bench, id)
      const scopes: readonly Scope[] = [
        { role: 'admin', tenant: 'acme' },
        { role: 'member', tenant: 'acme', user: 'ann' },
        { role: 'admin', tenant: 'other' },
        { role: 'member', tenant: 'acme', user: 'bob' },
      ]
      const told = await Promise.all(
        scopes.flatMap((scope) =>
          [id, null].map(async (jobId) => (await bench.store.events.read({ scope, after: 0, limit: 9, jobId })).length),
        ),
      )
      assert.deepEqual(told, [1, 1, 1, 1, 0, 0, 0, 0])
    })

    test('a job that is not over, or was retried meanwhile, stays as it is', async (t) => {
      const bench = await openBench(t, open)
      const waiting = await bench.add()
      const again = await completed(bench, { type: 'other' })
      const { finishedAt } = await bench.details(again)
      await bench.renew(RETRY, again)
      bench.advance(10)
      const { claim } = await bench.take(await bench.session(), ['other'])
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '2' })
      const before = await dumpStore(bench.store)
      const seen = [waiting, again, 'no id', bench.runtime.uuid()].map((id) => ({ id, finishedAt: finishedAt ?? 0 }))
      assert.deepEqual(await bench.store.retention.purge(seen), { jobs: [], paths: [] })
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('what is new after a deletion has nothing to do with what was', async (t) => {
      const bench = await openBench(t, open)
      const { claim: old } = await bench.running()
      await bench.must(COMPLETE_ONLY_PHASE, old, { output: '1' })
      await purge(bench, old.jobId)
      const { claim } = await bench.running()
      assert.notEqual(claim.row ?? null, old.row ?? undefined)
      const late = await bench.act(PROGRESS, { ...old, holder: claim.holder, fence: claim.fence }, { progress: 5 })
      assert.equal(late.applied ? null : late.refusal, 'lease-lost')
      assert.equal((await bench.details(claim.jobId)).progress, 0)
      assert.deepEqual(await bench.eventNames(claim.jobId), ['job:queued', 'job:started'])
    })

    test('an idempotency key is held for its time although the job is gone, and free after it', async (t) => {
      const bench = await openBench(t, open)
      const id = await completed(bench, { key: 'k', uniqueKey: 'u' })
      await purge(bench, id)
      bench.advance(DAY - 1)
      assert.deepEqual(await bench.store.jobs.enqueue([bench.job({ key: 'k' })]), [
        { outcome: 'duplicate', id, state: 'deleted' },
      ])
      assert.deepEqual(await bench.store.jobs.enqueue([bench.job({ key: 'k', input: '2' })]), [
        { outcome: 'key-reused', id },
      ])
      bench.advance(1)
      const next = await bench.add({ key: 'k', input: '2' })
      await bench.store.retention.sweepUp({ eventsMs: 0, sessionsMs: 0, limit: 9 })
      const [again] = await bench.store.jobs.enqueue([bench.job({ key: 'k', input: '2' })])
      assert.deepEqual(again, { outcome: 'duplicate', id: next, state: 'queued' })
    })

    test('a key whose time is over goes with its job', async (t) => {
      const bench = await openBench(t, open)
      const id = await completed(bench, { key: 'k' })
      bench.advance(DAY)
      await purge(bench, id)
      await bench.add({ key: 'k' })
    })

    test('the telling of a deletion is deleted after its time, the log goes on', async (t) => {
      const bench = await openBench(t, open)
      const first = await completed(bench)
      await purge(bench, first)
      bench.advance(HOUR)
      const second = await completed(bench)
      await purge(bench, second)
      const latest = await bench.store.events.latest()
      bench.advance(DAY - HOUR)
      assert.equal((await bench.store.retention.sweepUp(NOTHING_OLD)).deletedEvents, 1)
      assert.deepEqual(
        (await readEvents(bench.store)).map(({ jobId }) => jobId),
        [second],
      )
      bench.advance(HOUR)
      assert.equal((await bench.store.retention.sweepUp(NOTHING_OLD)).deletedEvents, 1)
      assert.deepEqual(await readEvents(bench.store), [])
      assert.equal(await bench.store.events.latest(), latest)
      await bench.add()
      const [event] = await bench.store.events.read({ scope: OPERATOR, after: latest, limit: 9, jobId: null })
      assert.ok(event !== undefined && event.position > latest)
    })

    test('artifacts that have expired are dropped, with the paths of their files', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      for (const [name, expiresInMs] of [
        ['soon', 10],
        ['later', 20],
        ['never', null],
      ] as const) {
        await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact({ name, expiresInMs, path: name }) })
      }
      assert.deepEqual((await bench.store.retention.sweepUp(NOTHING_OLD)).paths, [])
      bench.advance(20)
      assert.deepEqual((await bench.store.retention.sweepUp({ ...NOTHING_OLD, limit: 1 })).paths, ['soon'])
      assert.deepEqual((await bench.store.retention.sweepUp(NOTHING_OLD)).paths, ['later'])
      const left = await bench.store.artifacts.list(claim.jobId, OPERATOR)
      assert.ok(typeof left !== 'string')
      assert.deepEqual(
        left.map(({ name }) => name),
        ['never'],
      )
    })

    test('the paths of artifacts are told by their ids', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const artifact = bench.artifact({ path: 'ab/x.png' })
      await bench.must(ARTIFACT, claim, {}, { artifact })
      const known = await bench.store.retention.artifactPaths([bench.runtime.uuid(), artifact.id, 'none'])
      assert.deepEqual([...known], [[artifact.id, 'ab/x.png']])
      assert.deepEqual([...(await bench.store.retention.artifactPaths([]))], [])
    })

    test('a session that ended long ago is dropped once no job can show it', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
      await bench.store.sessions.end(claim.holder)
      const living = await bench.session({ leaseMs: 100 * DAY })
      bench.advance(10 * DAY)
      assert.equal((await bench.store.retention.sweepUp(NOTHING_OLD)).sessions, 0)
      assert.equal((await bench.details(claim.jobId)).worker?.service, 'workers')
      await purge(bench, claim.jobId)
      await bench.add()
      assert.equal((await bench.store.retention.sweepUp(NOTHING_OLD)).sessions, 1)
      assert.equal((await bench.store.sessions.list()).length, 1)
      await bench.store.sessions.end(living)
    })
  })
}
