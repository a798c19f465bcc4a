import assert from 'node:assert/strict'
import { test } from 'node:test'

import { REAP_SUSPECT } from '../../src/core/plans.ts'
import { ONE_PHASE } from '../support/contract-bench.ts'
import { openSqlite } from './sqlite-bench.ts'

test('a claim passes over all suspects but one and fills up with what waits behind them', async (t) => {
  const b = await openSqlite(t)
  for (let n = 0; n < 8; n += 1) await b.add({ priority: -1 })
  const dead = await b.session()
  assert.equal((await b.claim(dead, 8)).length, 8)
  await b.store.sessions.end(dead)
  assert.equal((await b.sweep()).jobsReaped, 8, REAP_SUSPECT.name)
  for (let n = 0; n < 20; n += 1) await b.add()
  const jobs = await b.claim(await b.session(), 6)
  assert.equal(jobs.length, 6)
  assert.equal(jobs.filter(({ attempt }) => attempt === 2).length, 1, 'one suspect')
  assert.equal(jobs[0]?.attempt, 2, 'which comes first by its priority')
})

test('jobs of several lanes are claimed in one order, and those of a paused queue not at all', async (t) => {
  const b = await openSqlite(t)
  await b.register(ONE_PHASE, 'a')
  await b.register(ONE_PHASE, 'b')
  const third = await b.add({ type: 'a', queue: 'q1', priority: 3 })
  const first = await b.add({ type: 'b', queue: 'q1', priority: 1 })
  const fourth = await b.add({ type: 'a', queue: 'q2', priority: 3 })
  const paused = await b.add({ type: 'a', queue: 'q3', priority: 0 })
  const second = await b.add({ type: 'b', queue: 'q2', priority: 2 })
  await b.store.queues.pause('q3', 'ann')
  const holder = await b.session()
  const claim = async (limit: number): Promise<readonly string[]> => {
    const { jobs } = await b.store.claims.claim({ holder, types: ['a', 'b'], limit })
    return jobs.map((job) => job.claim.jobId)
  }
  assert.deepEqual(await claim(3), [first, second, third])
  assert.deepEqual(await claim(3), [fourth])
  await b.store.queues.resume('q3', 'ann')
  assert.deepEqual(await claim(3), [paused])
})

test('a claim brings the labels of the first job in the store that has any', async (t) => {
  const b = await openSqlite(t)
  const holder = await b.session()
  await b.add()
  assert.deepEqual((await b.take(holder)).labels, {})
  await b.add({ labels: { course: 'c1' } })
  assert.deepEqual((await b.take(holder)).labels, { course: 'c1' })
  const other = await openSqlite(t)
  const neighbour = await openSqlite(t, { file: other.file })
  const second = await neighbour.session()
  await other.add()
  assert.deepEqual((await neighbour.take(second)).labels, {})
  await other.add({ labels: { course: 'c2' } })
  assert.deepEqual((await neighbour.take(second)).labels, { course: 'c2' })
})
