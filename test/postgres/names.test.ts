/** Each process remembers the types that it has looked up; what another has changed since is followed all the same. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import pg from 'pg'

import type { Enqueued, NewJob } from '../../src/store/jobs.ts'
import { ONE_PHASE, THREE_PHASES, benchOf, openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { openPostgres } from '../support/open-postgres.ts'
import { postgresUrl } from '../support/postgres-server.ts'

/** Two stores, as two processes have them. */
async function openTwo(context: TestContext): Promise<readonly [Bench, Bench]> {
  const first = await openBench(context, openPostgres)
  assert.ok(first.another !== undefined)
  const second = await first.another()
  context.after(() => second.close())
  return [first, benchOf(second)]
}

type Add = (bench: Bench, jobs: readonly NewJob[]) => Promise<readonly Enqueued[]>

async function addByOneself({ store }: Bench, jobs: readonly NewJob[]): Promise<readonly Enqueued[]> {
  return store.jobs.enqueue(jobs)
}

/** In a transaction of the application's. */
async function addAlong({ store }: Bench, jobs: readonly NewJob[]): Promise<readonly Enqueued[]> {
  const client = new pg.Client(await postgresUrl())
  await client.connect()
  try {
    await client.query('BEGIN')
    const added = await store.transactions.enqueue(client, jobs)
    await client.query('COMMIT')
    return added
  } finally {
    await client.end()
  }
}

const WAYS: Readonly<Record<string, Add>> = {
  'a plain enqueue': addByOneself,
  "a transaction of the application's": addAlong,
}
const KINDS: Readonly<Record<string, Partial<NewJob>>> = {
  'a job': {},
  'a job with a key': { key: 'k' },
  'a job with labels': { labels: { course: 'c1' } },
}

for (const [way, add] of Object.entries(WAYS)) {
  for (const [kind, changes] of Object.entries(KINDS)) {
    test(`${kind} in ${way} has the phases that its owner registered elsewhere a moment before`, async (context) => {
      const [producer, owner] = await openTwo(context)
      await producer.add()
      await owner.register(THREE_PHASES)
      const job = producer.job(changes)
      const [added] = await add(producer, [job])
      assert.equal(added?.outcome, 'created')
      assert.deepEqual((await owner.details(job.id)).phaseNames, THREE_PHASES.phases)
      await owner.register({ ...THREE_PHASES, phases: ['print'] })
      const later = producer.job({ ...changes, key: null })
      await add(producer, [later])
      assert.deepEqual((await owner.details(later.id)).phaseNames, ['print'])
    })
  }
}

describe('a type that nobody owns', () => {
  test('has the policy of whichever process enqueued last', async (context) => {
    const [one, two] = await openTwo(context)
    for (const maxAttempts of [4, 5, 6, 5]) {
      const bench = maxAttempts % 2 === 0 ? one : two
      const id = await bench.add({ policy: { ...ONE_PHASE, maxAttempts } })
      for (const either of [one, two]) assert.equal((await either.details(id)).policy.maxAttempts, maxAttempts)
    }
  })

  test('takes every job of processes that don’t agree about it and enqueue at once', async (context) => {
    const [one, two] = await openTwo(context)
    const jobs = Array.from({ length: 60 }, (_, turn) => {
      const bench = turn % 2 === 0 ? one : two
      const policy = turn % 2 === 0 ? ONE_PHASE : THREE_PHASES
      return { bench, job: bench.job({ policy, key: turn % 3 === 0 ? `k${turn}` : null }) }
    })
    const outcomes = await Promise.all(jobs.map(({ bench, job }) => bench.store.jobs.enqueue([job])))
    assert.ok(outcomes.flat().every(({ outcome }) => outcome === 'created'))
    for (const { job } of jobs) {
      const { phaseNames, phaseCount } = await one.details(job.id)
      assert.equal(phaseCount, phaseNames.length)
    }
  })

  test('takes jobs while its owner registers it again and again', async (context) => {
    const [producer, owner] = await openTwo(context)
    const registering = (async () => {
      for (let turn = 0; turn < 20; turn += 1) await owner.register({ ...ONE_PHASE, maxAttempts: 1 + (turn % 9) })
    })()
    const adding = Array.from({ length: 100 }, (_, turn) => producer.add({ key: turn % 2 === 0 ? `k${turn}` : null }))
    await Promise.all([registering, ...adding])
    assert.equal((await owner.store.jobs.counts({ scope: { role: 'operator' } })).queued, 100)
  })
})
