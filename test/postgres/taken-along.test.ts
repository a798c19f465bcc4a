/** Whoever asks for jobs while new ones are being handed over has them a commit sooner; whoever hands them over has nothing to fear from it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ClaimedJob, Claimed } from '../../src/store/claims.ts'
import type { Enqueued, NewJob } from '../../src/store/jobs.ts'
import { openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { openPostgres } from '../support/open-postgres.ts'
import { openPlace } from './open-place.ts'

const TYPES = ['map.export']

interface Both {
  readonly added: readonly Enqueued[]
  readonly claims: readonly PromiseSettledResult<Claimed>[]
}

/** Enqueues, and claims in the turn in which it is told of it, as an idle worker does. */
async function addAndAsk(
  { store }: Bench,
  jobs: readonly NewJob[],
  requests: readonly (readonly [holder: number, limit: number])[],
): Promise<Both> {
  const asked: Promise<Claimed>[] = []
  const leave = store.onEnqueue(() => {
    for (const [holder, limit] of requests) asked.push(store.claims.claim({ holder, types: TYPES, limit }))
  })
  const adding = store.jobs.enqueue(jobs)
  leave()
  const [claims, added] = await Promise.all([Promise.allSettled(asked), adding])
  return { added, claims }
}

function taken(claims: Both['claims']): readonly ClaimedJob[] {
  return claims.flatMap((claim) => (claim.status === 'fulfilled' ? claim.value.jobs : []))
}

test('new jobs are taken in the transaction that adds them', async (context) => {
  const { bench, sql } = await openPlace(context)
  const holder = await bench.session()
  const jobs = [bench.job(), bench.job()]
  const { added, claims } = await addAndAsk(bench, jobs, [[holder, 5]])
  const ids = jobs.map(({ id }) => id)
  assert.deepEqual(
    added.map(({ id }) => id),
    ids,
  )
  assert.deepEqual(
    taken(claims).map(({ claim }) => claim.jobId),
    ids,
  )
  const commits = await sql('SELECT xid, events FROM millrace.commits')
  assert.deepEqual(
    commits.map(({ events }) => events),
    [2, 2],
  )
  assert.equal(new Set(commits.map(({ xid }) => xid)).size, 1)
})

test('of several that ask each is answered, and no job is given to two', async (context) => {
  const bench = await openBench(context, openPostgres)
  const holders = [await bench.session(), await bench.session(), await bench.session()]
  const jobs = [bench.job(), bench.job()]
  const { claims } = await addAndAsk(
    bench,
    jobs,
    holders.map((holder) => [holder, 1]),
  )
  assert.equal(claims.filter(({ status }) => status === 'fulfilled').length, 3)
  assert.deepEqual(
    taken(claims)
      .map(({ claim }) => claim.jobId)
      .toSorted(),
    jobs.map(({ id }) => id).toSorted(),
  )
})

test('jobs with keys, and more than go in one statement, are added first and taken then', async (context) => {
  const bench = await openBench(context, openPostgres)
  const holder = await bench.session()
  const keyed = await addAndAsk(bench, [bench.job({ key: 'k' })], [[holder, 1]])
  assert.equal(taken(keyed.claims).length, 1)
  const many = await addAndAsk(
    bench,
    Array.from({ length: 5_001 }, () => bench.job()),
    [[holder, 1]],
  )
  assert.deepEqual([many.added.length, taken(many.claims).length], [5_001, 1])
})

test('where nothing can be taken the jobs are added all the same', async (context) => {
  const bench = await openBench(context, openPostgres)
  const holder = await bench.session()
  const refused = await addAndAsk(bench, [bench.job()], [[holder, -1]])
  assert.deepEqual([refused.added[0]?.outcome, refused.claims[0]?.status], ['created', 'rejected'])
  const stranger = await addAndAsk(bench, [bench.job()], [[bench.runtime.key(), 1]])
  assert.equal(stranger.added[0]?.outcome, 'created')
  assert.ok(stranger.claims[0]?.status === 'fulfilled' && stranger.claims[0].value.sessionLost)
  assert.equal((await bench.claim(holder, 5)).length, 2)
})

test('jobs that are refused are not taken, and who asked is answered', async (context) => {
  const bench = await openBench(context, openPostgres)
  const holder = await bench.session()
  const job = bench.job()
  await bench.store.jobs.enqueue([job])
  await bench.claim(holder)
  await assert.rejects(addAndAsk(bench, [job], [[holder, 1]]))
  assert.deepEqual(await bench.claim(holder), [])
})
