/** Cleaning up: when, by whom, and what it leaves alone. */
import assert from 'node:assert/strict'
import { existsSync, utimesSync, writeFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { InvalidInputError, JobCleanupService, defineJob, handle } from '../../src/index.ts'
import type { CleanupReport } from '../../src/index.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { CleanupTurnStore } from '../../src/store/cleanup-turns.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'

const MINUTE = 60_000
const draw = defineJob('draw', { service: 'press' })
const NOTHING_DONE = {
  stuckJobsRecovered: 0,
  expiredJobsDeleted: 0,
  expiredLocksCleared: 0,
  validationIssuesFixed: 0,
  totalProcessingTime: 0,
  errors: [],
}

test('a report has these seven members, and all that went wrong', async (context) => {
  const runtime = virtualRuntime()
  const { mill } = await openTestMill(context, { runtime, maintenance: false })
  assert.deepEqual(await mill.cleanup.runOnce(), { timestamp: runtime.now(), ...NOTHING_DONE })
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

test('whoever forces a cleanup while the scheduler is at a share of the store is given one of the whole', async (context) => {
  const { mill } = await openTestMill(context, { maintenance: false, retention: { cancelled: 0 } })
  const { job } = await mill.enqueue(draw, undefined)
  await mill.cancel(job)
  const [share, forced] = await Promise.all([mill.cleanup.runOnce(), mill.cleanup.forceCleanup()])
  assert.deepEqual([share.expiredJobsDeleted, forced.expiredJobsDeleted], [1, 0])
})

test('whoever forces a cleanup while such a one is given its report', async (context) => {
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

describe('a cleanup that is forced while another process is at one', () => {
  const LEASE_MS = 15_000

  interface Meanwhile {
    readonly opened: TestMill
    readonly runtime: VirtualRuntime
    /** Of the other process, which has the turn. */
    readonly turns: CleanupTurnStore
    readonly forced: Promise<CleanupReport>
    /** Whether the forced one has ended, once the time has gone on; what it begins then may take a moment more. */
    readonly endsWithin: (ms: number) => Promise<boolean>
  }

  /** One cancelled job is to be deleted; the other process has taken its turn with the key 7. */
  async function forceBeside(context: TestContext, isWhole: boolean): Promise<Meanwhile> {
    const runtime = virtualRuntime()
    const opened = await openTestMill(context, { runtime, maintenance: false, retention: { cancelled: 0 } })
    const { mill, database } = opened
    const { job } = await mill.enqueue(draw, undefined)
    await mill.cancel(job)
    const other = await database.openStore({ runtime, logger: console, clock: runtime.clock })
    context.after(() => other.close())
    await other.cleanupTurns.begin({ key: 7, isWhole, apartMs: 0, leaseMs: LEASE_MS })
    const end = { reached: false }
    const forced = mill.cleanup.forceCleanup().finally(() => (end.reached = true))
    const settle = async (): Promise<void> => {
      for (let turns = 0; turns < 10 && !end.reached; turns += 1) await mill.list()
    }
    const endsWithin = async (ms: number): Promise<boolean> => {
      await settle()
      for (let left = ms; left > 0 && !end.reached; left -= 1_000) {
        await runtime.advance(Math.min(left, 1_000))
        await settle()
      }
      return end.reached
    }
    return { opened, runtime, turns: other.cleanupTurns, forced, endsWithin }
  }

  test('is given the report of that one, where it looks at the whole store', async (context) => {
    const { turns, forced, endsWithin } = await forceBeside(context, true)
    assert.equal(await endsWithin(10_000), false)
    const report = { ...NOTHING_DONE, timestamp: 1, expiredJobsDeleted: 42 }
    await turns.end(7, JSON.stringify(report))
    assert.deepEqual(await forced, report)
  })

  test('begins once that one has ended, where it looks at a share of the store', async (context) => {
    const { turns, forced, endsWithin } = await forceBeside(context, false)
    assert.equal(await endsWithin(10_000), false)
    await turns.end(7, JSON.stringify({ ...NOTHING_DONE, timestamp: 1, expiredJobsDeleted: 42 }))
    assert.equal((await forced).expiredJobsDeleted, 1)
  })

  test('begins where that one was stopped before its end', async (context) => {
    const { turns, forced } = await forceBeside(context, true)
    await turns.end(7, null)
    assert.equal((await forced).expiredJobsDeleted, 1)
  })

  test('begins once that one has given no sign of life for 15 seconds, and leaves its own report', async (context) => {
    const { turns, forced, endsWithin } = await forceBeside(context, true)
    assert.equal(await endsWithin(LEASE_MS - 1_000), false)
    await endsWithin(2_000)
    const report = await forced
    assert.equal(report.expiredJobsDeleted, 1)
    const { report: left, isWhole } = (await turns.latest()) ?? {}
    assert.deepEqual([isWhole, JSON.parse(left ?? '')], [true, report])
  })

  test('waits ten minutes for one that lives and does not end, and then begins beside it', async (context) => {
    const { turns, forced, endsWithin } = await forceBeside(context, true)
    for (let minutes = 0; minutes < 9; minutes += 1) {
      await turns.keep(7, 2 * MINUTE)
      assert.equal(await endsWithin(MINUTE), false)
    }
    await turns.keep(7, 2 * MINUTE)
    await endsWithin(MINUTE + 1_000)
    assert.equal((await forced).expiredJobsDeleted, 1)
    assert.equal((await turns.latest())?.key, 7)
  })

  test('ends with nothing done when its process is told to stop', async (context) => {
    const { opened, forced } = await forceBeside(context, true)
    await opened.mill.cleanup.stopScheduler()
    assert.equal((await forced).expiredJobsDeleted, 0)
  })
})

test('a service that somebody constructs is the same cleanup: it shares turns, and joins what is under way', async (context) => {
  const runtime = virtualRuntime()
  const { mill } = await openTestMill(context, { runtime, maintenance: false, retention: { cancelled: 0 } })
  const service = new JobCleanupService(mill)
  const { job } = await mill.enqueue(draw, undefined)
  await mill.cancel(job)
  const [one, two] = await Promise.all([service.forceCleanup(), mill.cleanup.forceCleanup()])
  assert.equal(one.expiredJobsDeleted, 1)
  assert.equal(one, two)
  const later = await mill.enqueue(draw, undefined)
  await mill.cancel(later.job)
  assert.equal((await service.runOnce()).expiredJobsDeleted, 0, 'it is not its turn yet')
  await runtime.advance(2 * MINUTE)
  service.startScheduler()
  // Joins the one under way.
  assert.equal((await new JobCleanupService(mill).runOnce()).expiredJobsDeleted, 1)
  await service.stopScheduler()
  await mill.close()
  await assert.rejects(service.runOnce(), { code: 'store-closed' })
  assert.throws(() => new JobCleanupService(null as unknown as typeof mill), InvalidInputError)
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
