/** What is over is deleted after its time, whole, and not before. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob, handle, NotFoundError } from '../../src/index.ts'
import type { Handler, JobEvent, MillraceOptions } from '../../src/index.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'

const DAY = 86_400_000
const print = defineJob('print', { service: 'press' })
const printHandler: Handler = handle(print, async ({ artifact }) => {
  await artifact.write('page.txt', 'ink')
  return 'printed'
})
const jam = defineJob('jam', { service: 'press', retry: { maxAttempts: 1 } })
const jamHandler: Handler = handle(jam, () => Promise.reject(new Error('the press is jammed')))

interface Press extends TestMill {
  readonly runtime: VirtualRuntime
  /** Works off whatever waits. */
  readonly drain: (handlers?: readonly Handler[]) => Promise<void>
  readonly after: (ms: number) => Promise<void>
}

async function openPress(context: TestContext, options: MillraceOptions = {}): Promise<Press> {
  const runtime = virtualRuntime()
  const place = await openTestMill(context, { runtime, maintenance: false, ...options })
  return {
    ...place,
    runtime,
    async drain(handlers = [printHandler, jamHandler]) {
      const worker = await place.mill.work(handlers, { manual: true, drain: 0 })
      while ((await worker.runOnce()).claimed > 0);
      await worker.stop()
    },
    after: (ms) => runtime.advance(ms),
  }
}

test('a completed job is deleted after seven days and not before, others after thirty, with all of their files', async (context) => {
  const { mill, drain, after, openStore } = await openPress(context)
  const { job: done } = await mill.enqueue(print, undefined)
  const { job: failed } = await mill.enqueue(jam, undefined)
  const { job: cancelled } = await mill.enqueue(print, undefined)
  const { job: waiting } = await mill.enqueue(print, undefined, { delay: '3650d' })
  await mill.cancel(cancelled)
  await drain()
  const [artifact] = await mill.artifacts(done)
  const { artifacts, retention } = await openStore()
  const path = (await retention.artifactPaths([artifact?.id ?? ''])).get(artifact?.id ?? '') ?? ''
  assert.equal(await artifacts.bytes.sizeOf(path), 3)
  await after(7 * DAY - 1)
  assert.equal((await mill.cleanup.forceCleanup()).expiredJobsDeleted, 0)
  await after(1)
  assert.equal((await mill.cleanup.forceCleanup()).expiredJobsDeleted, 1)
  await assert.rejects(mill.get(done), NotFoundError)
  assert.equal(await artifacts.bytes.sizeOf(path), null)
  await after(23 * DAY - 1)
  assert.equal((await mill.cleanup.forceCleanup()).expiredJobsDeleted, 0)
  await after(1)
  assert.equal((await mill.cleanup.forceCleanup()).expiredJobsDeleted, 2)
  for (const job of [failed, cancelled]) await assert.rejects(mill.get(job), NotFoundError)
  assert.equal((await mill.get(waiting)).state, 'scheduled')
  assert.deepEqual((await mill.doctor()).findings, [])
})

test('a deletion is told once, to whoever follows the log, and to whoever waits for the job', async (context) => {
  const { mill, drain, after } = await openPress(context)
  const { job } = await mill.enqueue(print, undefined, { tenant: 'acme', owner: 'ann' })
  await drain()
  const told: JobEvent[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  await mill.subscribe((event) => {
    told.push(event)
    if (event.name === 'job:deleted') resolve()
  })
  const waited = assert.rejects(mill.waitFor(job, { state: 'running', timeout: 'none' }), NotFoundError)
  const before = (await mill.events({ job })).length
  await after(7 * DAY)
  await mill.cleanup.forceCleanup()
  await promise
  await waited
  assert.deepEqual(
    told.map(({ name, jobId, seq, detail }) => ({ name, jobId, seq, detail })),
    [{ name: 'job:deleted', jobId: job.id, seq: before + 1, detail: { deletedJobId: job.id } }],
  )
  assert.deepEqual(await mill.events({ job }), told)
  await mill.cleanup.forceCleanup()
  assert.equal((await mill.events()).filter(({ name }) => name === 'job:deleted').length, 1)
  await assert.rejects(mill.waitFor(job), NotFoundError)
})

test('a type says for itself how long, and how many, also to a process that knows nothing of it', async (context) => {
  const { mill, drain, after, open } = await openPress(context)
  const brief = defineJob('brief', { service: 'press', retention: { completed: '1h' } })
  const kept = defineJob('kept', { service: 'press', retention: 'none' })
  const few = defineJob('few', { service: 'press', retention: { completed: { age: 'none', count: 2 } } })
  const made: string[] = []
  for (const definition of [brief, kept, few, few, few, few]) {
    await after(10)
    made.push((await mill.enqueue(definition, undefined)).job.id)
  }
  await drain([handle(brief, () => 1), handle(kept, () => 1), handle(few, () => 1)])
  const janitor = await open({ retention: { completed: '100d' } })
  await after(3_600_000)
  await janitor.cleanup.forceCleanup()
  const left = async (): Promise<readonly number[]> => {
    const { jobs } = await mill.list()
    return made.flatMap((id, index) => (jobs.some((job) => job.id === id) ? [index] : []))
  }
  assert.deepEqual(await left(), [1, 4, 5])
  await after(3_650 * DAY)
  await janitor.cleanup.forceCleanup()
  assert.deepEqual(await left(), [1, 4, 5])
})

test('nothing is deleted where nothing is to be, and a job that was retried begins anew', async (context) => {
  const { mill, drain, after, open } = await openPress(context)
  const { job } = await mill.enqueue(print, undefined)
  await drain()
  await after(365 * DAY)
  const keeper = await open({ retention: 'none' })
  assert.equal((await keeper.cleanup.forceCleanup()).expiredJobsDeleted, 0)
  await mill.retry(job, { fromStart: true })
  assert.equal((await mill.cleanup.forceCleanup()).expiredJobsDeleted, 0)
  await drain()
  await after(7 * DAY - 1)
  assert.equal((await mill.cleanup.forceCleanup()).expiredJobsDeleted, 0)
  await after(1)
  assert.equal((await mill.cleanup.forceCleanup()).expiredJobsDeleted, 1)
})

test('more than a thousand jobs go in one cleanup, whose report is given to both processes that force one', async (context) => {
  const { mill, open, after } = await openPress(context, { retention: { cancelled: '1h' } })
  const items = Array.from({ length: 1_100 }, () => ({ definition: print, input: undefined }))
  const results = await mill.enqueueMany(items)
  await Promise.all(results.map(({ job }) => mill.cancel(job)))
  const { job: last } = await mill.enqueue(print, undefined)
  await after(3_600_000)
  const other = await open()
  const reports = await Promise.all([mill.cleanup.forceCleanup(), other.cleanup.forceCleanup()])
  for (const { errors, expiredJobsDeleted } of reports) assert.deepEqual([errors, expiredJobsDeleted], [[], 1_100])
  assert.equal((await mill.cleanup.forceCleanup()).expiredJobsDeleted, 0)
  assert.equal((await mill.get(last)).state, 'queued')
})

test('of those of which so many are kept, the last to end are, not the last to be made', async (context) => {
  const { mill, drain, after } = await openPress(context)
  const few = defineJob('few', {
    service: 'press',
    retry: { maxAttempts: 1 },
    retention: { failed: { age: 'none', count: 2 } },
  })
  const failing = [handle(few, () => Promise.reject(new Error('torn')))]
  const made: string[] = []
  for (let count = 0; count < 3; count += 1) {
    await after(10)
    made.push((await mill.enqueue(few, undefined)).job.id)
  }
  await drain(failing)
  await after(10)
  await mill.retry(made[0] ?? '')
  await drain(failing)
  assert.equal((await mill.cleanup.forceCleanup()).expiredJobsDeleted, 1)
  assert.equal((await mill.get(made[0] ?? '')).state, 'failed')
})
