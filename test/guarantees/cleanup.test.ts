/** Cleaning up: when, by whom, and what it leaves alone. */
import assert from 'node:assert/strict'
import { existsSync, utimesSync, writeFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { test } from 'node:test'

import { defineJob, handle } from '../../src/index.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { openTestMill } from '../support/open-test-mill.ts'

const MINUTE = 60_000
const draw = defineJob('draw', { service: 'press' })

test('a report has these seven members, and all that went wrong', async (context) => {
  const runtime = virtualRuntime()
  const { mill } = await openTestMill(context, { runtime, maintenance: false })
  const report = await mill.cleanup.runOnce()
  assert.deepEqual(report, {
    timestamp: runtime.now(),
    stuckJobsRecovered: 0,
    expiredJobsDeleted: 0,
    expiredLocksCleared: 0,
    validationIssuesFixed: 0,
    totalProcessingTime: 0,
    errors: [],
  })
})

test('of all processes one cleans up in two minutes, unless it is forced', async (context) => {
  const runtime = virtualRuntime()
  const { mill, open } = await openTestMill(context, { runtime, maintenance: false, retention: { cancelled: 0 } })
  const other = await open()
  const cancelled = async (): Promise<void> => {
    const { job } = await mill.enqueue(draw, undefined)
    await mill.cancel(job)
  }
  await cancelled()
  assert.equal((await mill.cleanup.runOnce()).expiredJobsDeleted, 1)
  await cancelled()
  await runtime.advance(2 * MINUTE - 1)
  assert.equal((await other.cleanup.runOnce()).expiredJobsDeleted, 0)
  assert.equal((await other.cleanup.forceCleanup()).expiredJobsDeleted, 1)
  await cancelled()
  await runtime.advance(1)
  assert.equal((await mill.cleanup.runOnce()).expiredJobsDeleted, 0)
  await runtime.advance(2 * MINUTE)
  assert.equal((await mill.cleanup.runOnce()).expiredJobsDeleted, 1)
})

test('whoever forces a cleanup is given one, also while the scheduler finds that it is not its turn', async (context) => {
  const { mill } = await openTestMill(context, { maintenance: false, retention: { cancelled: 0 } })
  await mill.cleanup.runOnce()
  const { job } = await mill.enqueue(draw, undefined)
  await mill.cancel(job)
  const [, forced] = await Promise.all([mill.cleanup.runOnce(), mill.cleanup.forceCleanup()])
  assert.equal(forced.expiredJobsDeleted, 1)
})

test('whoever forces a cleanup while one is under way is given its report', async (context) => {
  const { mill } = await openTestMill(context, { maintenance: false, retention: { cancelled: 0 } })
  const { job } = await mill.enqueue(draw, undefined)
  await mill.cancel(job)
  const [one, two, three] = await Promise.all([
    mill.cleanup.forceCleanup(),
    mill.cleanup.forceCleanup(),
    mill.cleanup.runOnce(),
  ])
  assert.equal(one.expiredJobsDeleted, 1)
  assert.equal(one, two)
  assert.equal(one, three)
})

test('the scheduler cleans up at once and every five minutes, until it is stopped', async (context) => {
  const runtime = virtualRuntime()
  const { mill } = await openTestMill(context, { runtime, maintenance: false, retention: { cancelled: 0 } })
  const { cleanup } = mill
  const cancelled = async (): Promise<string> => {
    const { job } = await mill.enqueue(draw, undefined)
    await mill.cancel(job)
    return job.id
  }
  const isGone = (id: string): Promise<boolean> =>
    mill.get(id).then(
      () => false,
      () => true,
    )
  const first = await cancelled()
  cleanup.startScheduler()
  // Joins the one under way.
  await cleanup.runOnce()
  assert.equal(await isGone(first), true)
  const second = await cancelled()
  const told = assert.rejects(mill.waitFor(second, { state: 'running', timeout: 'none' }))
  await runtime.advance(4 * MINUTE)
  assert.equal(await isGone(second), false)
  await runtime.advance(2 * MINUTE)
  await told
  await cleanup.stopScheduler()
  const third = await cancelled()
  await runtime.advance(60 * MINUTE)
  assert.equal(await isGone(third), false)
})

test('jobs of a dead worker are taken back, and its lease is cleared', async (context) => {
  const runtime = virtualRuntime()
  const { mill, database } = await openTestMill(context, { runtime, maintenance: false })
  const { job } = await mill.enqueue(draw, undefined)
  const dead = await database.openStore({ runtime, logger: console, clock: runtime.clock })
  context.after(() => dead.close())
  await dead.sessions.open(
    { holder: 7, service: 'press', host: 'gone', pid: 1, leaseMs: 30_000, concurrency: 1 },
    () => undefined,
  )
  assert.equal((await dead.claims.claim({ holder: 7, types: ['draw'], limit: 1 })).jobs.length, 1)
  await dead.sessions.abandon(7)
  await runtime.advance(30_000)
  const report = await mill.cleanup.forceCleanup()
  assert.deepEqual([report.stuckJobsRecovered, report.expiredLocksCleared], [1, 1])
  assert.equal((await mill.get(job)).state, 'queued')
})

test('expired artifacts and old bytes of none are removed, and nothing else is', async (context) => {
  const runtime = virtualRuntime()
  const { mill, database } = await openTestMill(context, { runtime, maintenance: false })
  const write = handle(draw, async ({ artifact }) => {
    await artifact.write('brief.txt', 'brief', { expiresIn: '1h' })
    await artifact.write('lasting.txt', 'lasting')
  })
  const { job } = await mill.enqueue(draw, undefined)
  const worker = await mill.work([write], { manual: true })
  await worker.runOnce()
  await worker.stop()
  const store = await database.openStore({ runtime, logger: console, clock: runtime.clock })
  context.after(() => store.close())
  const { bytes } = store.artifacts
  const paths = await store.retention.artifactPaths((await mill.artifacts(job)).map(({ id }) => id))
  const [orphan, young] = [`ab/${runtime.uuid()}.txt`, `ab/${runtime.uuid()}.txt`]
  const writeAt = async (path: string): Promise<void> => {
    await bytes.write(path, Readable.from([Buffer.from('ink')]))
    touch(bytes.fileOf(path), runtime.now())
  }
  await writeAt(orphan)
  for (const path of paths.values()) touch(bytes.fileOf(path), runtime.now())
  await runtime.advance(1_000)
  await writeAt(young)
  const stranger = bytes.fileOf('ab/notes.txt')
  if (stranger !== null) writeFileSync(stranger, '')
  touch(stranger, 0)
  await runtime.advance(24 * 60 * MINUTE - 1_000)
  await mill.cleanup.forceCleanup()
  const left = (await mill.artifacts(job)).map(({ name }) => name)
  assert.deepEqual(left, ['lasting.txt'])
  const sizes = await Promise.all([orphan, young].map((path) => bytes.sizeOf(path)))
  assert.deepEqual(sizes, [null, 3])
  const kept = await Promise.all([...paths.values()].map((path) => bytes.sizeOf(path)))
  assert.deepEqual(new Set(kept), new Set([7, null]))
  assert.ok(stranger === null || existsSync(stranger))
})

test('a Millrace that looks after its store cleans up by itself', async (context) => {
  const runtime = virtualRuntime()
  const { mill } = await openTestMill(context, { runtime, maintenance: true, retention: { cancelled: '1m' } })
  const { job } = await mill.enqueue(draw, undefined)
  await mill.cancel(job)
  let isThere = true
  for (let minutes = 0; isThere && minutes < 500; minutes += 1) {
    await runtime.advance(MINUTE)
    const found = await mill.list()
    isThere = found.jobs.length > 0
  }
  assert.equal(isThere, false)
})

/** Files go by the machine's clock, which no test moves. */
function touch(file: string | null, ms: number): void {
  if (file !== null) utimesSync(file, 0, ms / 1_000)
}
