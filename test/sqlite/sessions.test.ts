import assert from 'node:assert/strict'
import { test } from 'node:test'

import { LOG } from '../../src/core/plans.ts'
import { median } from '../support/median.ts'
import { spawnProgram } from './programs.ts'
import { elapsed, openSqlite, runtime, until } from './sqlite-bench.ts'

/** Holds the thread as a handler does that computes without a pause. */
function block(ms: number): void {
  const startedAt = runtime.monotonic()
  while (runtime.monotonic() - startedAt < ms) Math.sqrt(2)
}

test('a session whose main thread is blocked for three leases keeps its jobs', async (t) => {
  const b = await openSqlite(t)
  const watcher = await spawnProgram(t, 'sweeper', { file: b.file, everyMs: 20 })
  const leaseMs = 2_000
  let lost = 0
  await b.add()
  const holder = await b.session({ leaseMs }, () => {
    lost += 1
  })
  const { claim } = await b.take(holder)
  block(3 * leaseMs)
  await b.must(LOG, claim)
  assert.equal(lost, 0)
  assert.deepEqual(await watcher.ask('report'), { sessionsEnded: 0, jobsReaped: 0 })
})

test('a session that ends while nobody beats for it is taken over after its lease, by another process', async (t) => {
  const b = await openSqlite(t)
  const dead = await spawnProgram(t, 'holder', { file: b.file, leaseMs: 300 })
  await b.add()
  await dead.ask('claim')
  dead.kill()
  await until('the job is reaped', async () => (await b.sweep()).jobsReaped === 1, 3_000)
  assert.equal((await b.take(await b.session())).attempt, 2)
})

test('a short lease beside a long one has its own beats', async (t) => {
  const b = await openSqlite(t)
  let lost = 0
  const onLost = (): void => {
    lost += 1
  }
  await b.session({ leaseMs: 60_000 }, onLost)
  await b.session({ leaseMs: 3_000 }, onLost)
  const watcher = await spawnProgram(t, 'sweeper', { file: b.file, everyMs: 10 })
  await elapsed(4_000)
  assert.deepEqual(await watcher.ask('report'), { sessionsEnded: 0, jobsReaped: 0 })
  assert.equal(lost, 0)
})

test('beats come every third of the lease, not only now and then', async (t) => {
  const b = await openSqlite(t)
  const leaseMs = 3_000
  await b.session({ leaseMs })
  const beats = new Set<number>()
  const startedAt = runtime.monotonic()
  while (runtime.monotonic() - startedAt < 2 * leaseMs) {
    for (const { beatAt } of await b.store.sessions.list()) beats.add(beatAt)
    await elapsed(5)
  }
  const gaps = [...beats].slice(1).map((beatAt, index) => beatAt - ([...beats][index] ?? 0))
  assert.ok(beats.size >= 4, `${beats.size} beats in two leases`)
  assert.ok(median(gaps) < leaseMs / 2, `gaps of ${gaps.join(', ')} ms`)
})

test('a session that another process has ended is told so once, and claims nothing', async (t) => {
  const b = await openSqlite(t)
  const other = await openSqlite(t, { file: b.file })
  let lost = 0
  const holder = await b.session({ leaseMs: 150 }, () => {
    lost += 1
  })
  await other.store.sessions.end(holder)
  await until('the session is told', () => lost > 0, 2_000)
  await elapsed(150)
  assert.equal(lost, 1)
  await b.add()
  const claimed = await b.store.claims.claim({ holder, types: ['map.export'], limit: 1 })
  assert.deepEqual(claimed, { jobs: [], nextDueInMs: null, sessionLost: true })
})

test('what is told of a lost session may close the store, without a thread too', async (t) => {
  const b = await openSqlite(t, { thread: false })
  const other = await openSqlite(t, { file: b.file })
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
  const holder = await b.session({ leaseMs: 90 }, () => {
    b.store.close().then(resolve, reject)
  })
  await other.store.sessions.end(holder)
  await closed
})

test('a session that is ended leaves its jobs to the next sweep', async (t) => {
  const b = await openSqlite(t)
  const { claim } = await b.running()
  await b.store.sessions.end(claim.holder)
  assert.partialDeepStrictEqual(await b.sweep(), { jobsReaped: 1, sessionsEnded: 0 })
})

test('an abandoned session is not beaten for any more', async (t) => {
  const b = await openSqlite(t)
  const { claim } = await b.running()
  const short = await b.session({ leaseMs: 120 })
  await b.add()
  await b.take(short)
  await b.store.sessions.abandon(short)
  await until('its job is reaped', async () => (await b.sweep()).jobsReaped === 1, 2_000)
  await b.must(LOG, claim)
})
