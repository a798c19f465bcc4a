/** How the log is kept: most events stand in lists, which is not to be seen from outside but in what is saved. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { COMPLETE_ONLY_PHASE } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { EVENT_CODES } from '../../src/store/codes.ts'
import { planCall } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { openPlace } from './open-place.ts'

const MANY = 20

async function completeMany(bench: Bench): Promise<readonly string[]> {
  const jobs = Array.from({ length: MANY }, () => bench.job())
  await bench.store.jobs.enqueue(jobs)
  const claimed = await bench.claim(await bench.session(), MANY)
  await Promise.all(
    claimed.map(async ({ claim }) => {
      const call = planCall(COMPLETE_ONLY_PHASE, claim, { output: '1' })
      assert.ok((await bench.store.claims.apply(call)).applied)
    }),
  )
  return jobs.map(({ id }) => id)
}

test('jobs that live as most do leave no rows in the log, and lists in the rows of its commits', async (context) => {
  const { bench, sql } = await openPlace(context)
  const ids = await completeMany(bench)
  assert.deepEqual(await sql('SELECT * FROM millrace.events'), [])
  const lists = await sql('SELECT n, events, code, seq, attempt, jobs FROM millrace.commits ORDER BY n')
  const [created, started, ...completed] = lists
  assert.deepEqual(created?.['jobs'], ids)
  for (const told of [[started], completed]) {
    assert.deepEqual(told.flatMap((list) => list?.['jobs'] as string[]).toSorted(), ids.toSorted())
  }
  for (const { events, jobs } of lists) assert.equal(events, (jobs as string[]).length)
  const codes = [EVENT_CODES['job:queued'], EVENT_CODES['job:started'], EVENT_CODES['job:completed']]
  assert.deepEqual([...new Set(lists.map(({ code }) => code))], codes)
})

test('jobs that are deleted are taken out of the lists that others are still in, once half of them have gone', async (context) => {
  const { bench, sql } = await openPlace(context)
  const ids = await completeMany(bench)
  await bench.store.events.latest()
  const purge = async (gone: readonly string[]): Promise<void> => {
    const jobs = await Promise.all(
      gone.map(async (id) => ({ id, finishedAt: (await bench.details(id)).finishedAt ?? 0 })),
    )
    await bench.store.retention.purge(jobs)
  }
  const createdList = async (): Promise<readonly [number, number, readonly string[]]> => {
    const [row] = await sql('SELECT listed, living, jobs FROM millrace.commits WHERE seq = 1')
    const jobs = row?.['jobs'] as readonly (string | null)[]
    return [Number(row?.['listed']), Number(row?.['living']), jobs.filter((id) => id !== null)]
  }
  await purge(ids.slice(15))
  assert.deepEqual(await createdList(), [MANY, 15, ids])
  await purge(ids.slice(3, 15))
  assert.deepEqual(await createdList(), [3, 3, ids.slice(0, 3)])
  await purge(ids.slice(0, 3))
  assert.deepEqual(await sql('SELECT * FROM millrace.commits WHERE seq IS NOT NULL'), [])
})

test('a job whose list does not name it, or is gone, has an event too few', async (context) => {
  const { bench, sql } = await openPlace(context)
  const [id = '', other = ''] = await completeMany(bench)
  const countOf = async (job: string): Promise<number> => {
    const audited = await bench.store.integrity.auditOne(job, OPERATOR)
    assert.ok(typeof audited === 'object')
    return audited.events?.count ?? 0
  }
  assert.equal(await countOf(id), 3)
  await sql('UPDATE millrace.commits SET jobs = array_replace(jobs, $1::uuid, NULL) WHERE seq = 2', id)
  assert.deepEqual([await countOf(id), await countOf(other)], [2, 3])
  await sql('DELETE FROM millrace.commits WHERE seq = 1')
  assert.deepEqual([await countOf(id), await countOf(other)], [1, 2])
})

/** Who waits for a row that this connection has. */
const WAITING = 'SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))'
const AT = 1

function isSettled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))])
}

test('a completion that has to wait for another write to its job is told after it', async (context) => {
  const { bench, sql } = await openPlace(context)
  const { claim } = await bench.running()
  await sql('BEGIN')
  await sql('UPDATE millrace.jobs SET event_seq = event_seq + 1 WHERE id = $1', claim.jobId)
  const completed = bench.store.claims.apply(planCall(COMPLETE_ONLY_PHASE, claim, { output: '1' }))
  while ((await sql(WAITING)).length === 0) assert.equal(await isSettled(completed), false)
  const [commit] = await sql('INSERT INTO millrace.commits (at, events) VALUES ($1, 1) RETURNING n', AT)
  await sql(
    'INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt) VALUES ($1, 0, $2, 3, $3, $4, 1)',
    commit?.['n'],
    claim.jobId,
    EVENT_CODES['job:log'],
    AT,
  )
  await sql('COMMIT')
  assert.ok((await completed).applied)
  const events = await bench.store.events.read({ scope: OPERATOR, after: 0, limit: 10, jobId: null })
  assert.deepEqual(
    events.map(({ name, seq }) => [name, seq]),
    [
      ['job:queued', 1],
      ['job:started', 2],
      ['job:log', 3],
      ['job:completed', 4],
    ],
  )
})
