/** How the log is kept: most events stand in lists, which is not to be seen from outside but in what is saved. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { DatabaseSync } from 'node:sqlite'

import { COMPLETE_ONLY_PHASE } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { ClaimedJob } from '../../src/store/claims.ts'
import { planCall } from '../support/contract-bench.ts'
import { openSqlite } from './sqlite-bench.ts'
import type { SqliteBench } from './sqlite-bench.ts'

const MANY = 20

interface Place {
  readonly bench: SqliteBench
  readonly all: (sql: string) => readonly Record<string, unknown>[]
  readonly change: (sql: string) => void
}

async function openPlace(context: TestContext): Promise<Place> {
  const bench = await openSqlite(context)
  const connection = new DatabaseSync(bench.file)
  context.after(() => connection.close())
  return { bench, all: (sql) => connection.prepare(sql).all(), change: (sql) => connection.exec(sql) }
}

async function complete({ store }: SqliteBench, claimed: readonly ClaimedJob[]): Promise<void> {
  const calls = claimed.map(({ claim }) => planCall(COMPLETE_ONLY_PHASE, claim, { output: '1' }))
  const results = await Promise.all(calls.map((call) => store.claims.apply(call)))
  assert.ok(results.every(({ applied }) => applied))
}

async function completeMany(bench: SqliteBench): Promise<readonly string[]> {
  const jobs = Array.from({ length: MANY }, () => bench.job())
  await bench.store.jobs.enqueue(jobs)
  await complete(bench, await bench.claim(await bench.session(), MANY))
  return jobs.map(({ id }) => id)
}

const LISTS = 'SELECT position, events, code, seq, attempt, jobs FROM millrace_event_lists ORDER BY position'

test('jobs that live as most do leave no rows in the log, and a few numbers for all of them', async (context) => {
  const { bench, all } = await openPlace(context)
  await completeMany(bench)
  assert.deepEqual(all('SELECT * FROM millrace_events'), [])
  const jobs = JSON.stringify([[0, 1, MANY]])
  assert.deepEqual(
    all(LISTS).map((row) => ({ ...row })),
    [
      { position: 1, events: MANY, code: 2, seq: 1, attempt: 0, jobs },
      { position: 1 + MANY, events: MANY, code: 3, seq: 2, attempt: 1, jobs },
      { position: 1 + 2 * MANY, events: MANY, code: 5, seq: 3, attempt: 1, jobs },
    ],
  )
})

test('jobs of which others stand between are told by several runs', async (context) => {
  const { bench, all } = await openPlace(context)
  const { store } = bench
  await store.jobs.enqueue(Array.from({ length: MANY }, (_, index) => bench.job({ type: index % 5 === 4 ? 'b' : 'a' })))
  const holder = await bench.session()
  await complete(bench, await bench.claim(holder, MANY, ['a']))
  const runs = [0, 1, 2, 3].map((run) => [4 * run, 5 * run + 1, 4])
  const [, started, completed] = all(LISTS).map(({ jobs }) => JSON.parse(String(jobs)) as unknown)
  assert.deepEqual([started, completed], [runs, runs])
  const events = await store.events.read({ scope: OPERATOR, after: MANY, limit: MANY, jobId: null })
  assert.deepEqual(
    events.map(({ position }) => position),
    Array.from({ length: MANY }, (_, index) => MANY + 1 + index),
  )
})

test('a list is there for as long as one of its jobs is', async (context) => {
  const { bench, all } = await openPlace(context)
  const ids = await completeMany(bench)
  const purge = async (gone: readonly string[]): Promise<void> => {
    const jobs = await Promise.all(
      gone.map(async (id) => ({ id, finishedAt: (await bench.details(id)).finishedAt ?? 0 })),
    )
    await bench.store.retention.purge(jobs)
  }
  await purge(ids.slice(1))
  assert.equal(all(LISTS).length, 3)
  await purge(ids.slice(0, 1))
  assert.deepEqual(all(LISTS), [])
  const added = await bench.add()
  const [first] = await bench.events(added)
  assert.ok((first?.position ?? 0) > 3 * MANY, 'positions go on where they were')
})

test('a job whose list does not name it, or is gone, has an event too few', async (context) => {
  const { bench, change } = await openPlace(context)
  const [id = '', other = ''] = await completeMany(bench)
  const countOf = async (job: string): Promise<number> => {
    const audited = await bench.store.integrity.auditOne(job, OPERATOR)
    assert.ok(typeof audited === 'object')
    return audited.events?.count ?? 0
  }
  assert.equal(await countOf(id), 3)
  change(`UPDATE millrace_event_lists SET jobs = '[[1,2,${MANY - 1}]]' WHERE seq = 2`)
  assert.deepEqual([await countOf(id), await countOf(other)], [2, 3])
  change('DELETE FROM millrace_event_lists WHERE seq = 1')
  assert.deepEqual([await countOf(id), await countOf(other)], [1, 2])
})
