/** Which job comes next: priority, then its time, then the order of enqueueing; and nothing of a queue that is paused. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import * as fc from 'fast-check'

import { defineJob, handle } from '../../src/index.ts'
import type { Handler, Worker } from '../../src/index.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { scaled } from '../support/scale.ts'

const print = defineJob('map.print', { service: 'press', queue: 'paper' })
const bind = defineJob('book.bind', { service: 'press', queue: 'paper' })
const mail = defineJob('mail.send', { service: 'press' })

interface Press extends TestMill {
  readonly runtime: VirtualRuntime
  /** Takes one job at a time, and only when it is told to. */
  readonly worker: Worker
  /** Inputs of the jobs that were run, in their order. */
  readonly ran: unknown[]
  /** Runs jobs one by one until there is none; answers the inputs. */
  readonly runAll: () => Promise<readonly unknown[]>
}

async function openPress(context: TestContext): Promise<Press> {
  const runtime = virtualRuntime()
  const opened = await openTestMill(context, { runtime, maintenance: false })
  const ran: unknown[] = []
  const note = ({ input }: { readonly input: unknown }): void => {
    ran.push(input)
  }
  const handlers: readonly Handler[] = [handle(print, note), handle(bind, note), handle(mail, note)]
  const worker = await opened.work(handlers, { concurrency: 1, manual: true, lease: '365d' })
  const runAll = async (): Promise<readonly unknown[]> => {
    const begin = ran.length
    while ((await worker.runOnce()).claimed > 0);
    return ran.slice(begin)
  }
  return { ...opened, runtime, worker, ran, runAll }
}

describe('the order of jobs', () => {
  test('is that of their enqueueing where nothing else is said, across types', async (context) => {
    const { mill, runAll } = await openPress(context)
    for (let n = 0; n < 12; n += 1) await mill.enqueue([print, bind, mail][n % 3] ?? print, n)
    assert.deepEqual(await runAll(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  test('is that of the list within one enqueueMany', async (context) => {
    const { mill, runAll } = await openPress(context)
    const inputs = Array.from({ length: 300 }, (_none, n) => n)
    await mill.enqueueMany(inputs.map((input) => ({ definition: print, input })))
    assert.deepEqual(await runAll(), inputs)
  })

  test('is that of the priority first: a lower number goes before', async (context) => {
    const { mill, runAll } = await openPress(context)
    for (const priority of [0, 10, -10, 1_000_000, -1_000_000, 1]) await mill.enqueue(print, priority, { priority })
    assert.deepEqual(await runAll(), [-1_000_000, -10, 0, 1, 10, 1_000_000])
  })

  test('is that of their time among those of one priority, however they were enqueued', async (context) => {
    const { mill, runtime, runAll } = await openPress(context)
    const now = runtime.now()
    await mill.enqueue(print, 'in 3 s', { delay: '3s' })
    await mill.enqueue(print, 'in 1 s', { runAt: new Date(now + 1_000) })
    await mill.enqueue(print, 'in 2 s', { runAt: now + 2_000 })
    await mill.enqueue(print, 'now')
    await runtime.advance(10_000)
    await mill.enqueue(print, 'ten seconds later')
    assert.deepEqual(await runAll(), ['now', 'in 1 s', 'in 2 s', 'in 3 s', 'ten seconds later'])
  })

  test('is priority, then time, then insertion, for any list of jobs', async (context) => {
    const { mill, runtime, runAll } = await openPress(context)
    const jobs = fc.array(
      fc.record({ priority: fc.integer({ min: -2, max: 2 }), delay: fc.integer({ min: 0, max: 4 }) }),
      {
        minLength: 1,
        maxLength: 12,
      },
    )
    await fc.assert(
      fc.asyncProperty(jobs, async (list) => {
        const items = list.map(({ priority, delay }, n) => ({ definition: print, input: n, priority, delay }))
        await mill.enqueueMany(items)
        await runtime.advance(10)
        const expected = items
          .toSorted((a, b) => a.priority - b.priority || a.delay - b.delay || a.input - b.input)
          .map(({ input }) => input)
        assert.deepEqual(await runAll(), expected)
      }),
      { numRuns: scaled(40) },
    )
  })

  test('of a retried job is its own: it waits for its time, and then comes by its priority', async (context) => {
    const { mill, runtime, runAll } = await openPress(context)
    const { job } = await mill.enqueue(print, 'cancelled and retried', { priority: 5 })
    await mill.cancel(job)
    await mill.enqueue(print, 'first', { priority: 1 })
    await mill.enqueue(print, 'last', { priority: 9 })
    await runtime.advance(1)
    await mill.retry(job)
    assert.deepEqual(await runAll(), ['first', 'cancelled and retried', 'last'])
  })
})

describe('a job with a time', () => {
  test('does not start a millisecond before it, and starts when it has come', async (context) => {
    const { mill, runtime, runAll } = await openPress(context)
    const { job, state } = await mill.enqueue(print, 'later', { delay: '1h' })
    assert.equal(state, 'scheduled')
    await runtime.advance(3_599_999)
    assert.deepEqual(await runAll(), [])
    assert.equal((await mill.get(job)).state, 'scheduled')
    await runtime.advance(1)
    assert.deepEqual(await runAll(), ['later'])
  })

  test('that has passed already starts at once', async (context) => {
    const { mill, runtime, runAll } = await openPress(context)
    const past = await mill.enqueue(print, 'past', { runAt: new Date(runtime.now() - 1) })
    const now = await mill.enqueue(print, 'now', { delay: 0 })
    assert.deepEqual([past.state, now.state], ['queued', 'queued'])
    assert.deepEqual(await runAll(), ['past', 'now'])
  })

  test('starts without it where somebody says so', async (context) => {
    const { mill, runAll } = await openPress(context)
    const { job } = await mill.enqueue(print, 'impatient', { delay: '30d' })
    assert.deepEqual(await mill.runNow(job), { jobId: job.id, state: 'queued' })
    assert.deepEqual(await mill.runNow(job), { jobId: job.id, state: 'queued' }, 'once more is no error')
    assert.deepEqual(await runAll(), ['impatient'])
    await assert.rejects(mill.runNow(job), { code: 'job-not-waiting' })
  })

  test('is queued by the maintenance when nobody claims', async (context) => {
    const { mill, runtime } = await openPress(context)
    const { job } = await mill.enqueue(print, null, { delay: '5m' })
    await runtime.advance(300_000)
    assert.equal((await mill.maintenance.runOnce()).jobsPromoted, 1)
    assert.equal((await mill.get(job)).state, 'queued')
  })

  test('of real time starts by itself', async (context) => {
    const { mill, work } = await openTestMill(context)
    await work([handle(print, () => 'printed')])
    const { job } = await mill.enqueue(print, null, { delay: '150ms' })
    const { output, startedAt, runAt } = await mill.waitFor(job)
    assert.equal(output, 'printed')
    assert.ok((startedAt ?? 0) >= runAt, 'not before its time')
  })
})

describe('a paused queue', () => {
  test('gives out nothing until it is resumed, whatever the types in it; other queues go on', async (context) => {
    const { mill, runAll } = await openPress(context)
    await mill.enqueue(print, 'map')
    await mill.enqueue(bind, 'book')
    await mill.enqueue(mail, 'mail')
    assert.equal(await mill.pauseQueue('paper', { actor: 'ann' }), true)
    assert.equal(await mill.pauseQueue('paper', { actor: 'bob' }), false, 'it was paused already')
    assert.deepEqual(await runAll(), ['mail'])
    const paused = (await mill.queues()).find(({ name }) => name === 'paper')
    assert.equal(paused?.pausedBy, 'ann')
    await mill.enqueue(print, 'enqueued while it is paused')
    assert.deepEqual(await runAll(), [])
    assert.equal(await mill.resumeQueue('paper'), true)
    assert.equal(await mill.resumeQueue('paper'), false)
    assert.deepEqual(await runAll(), ['map', 'book', 'enqueued while it is paused'])
  })

  test('can be paused before it has had a job, and stays paused for every process and after a restart', async (context) => {
    const { mill, runAll, open, runtime } = await openPress(context)
    await mill.pauseQueue('paper')
    const { job } = await mill.enqueue(print, 'map')
    const other = await open()
    assert.equal((await other.queues()).find(({ name }) => name === 'paper')?.pausedAt, runtime.now())
    await other.close()
    const reopened = await open()
    assert.deepEqual(await runAll(), [])
    const { reasons } = await reopened.explain(job)
    assert.equal(reasons[0]?.code, 'queue-paused')
    await reopened.resumeQueue('paper')
    assert.deepEqual(await runAll(), ['map'])
  })

  test('lets come due what has a time, and lets a job that runs go on', async (context) => {
    const { mill, work } = await openTestMill(context)
    const gate = Promise.withResolvers<void>()
    await work([handle(print, () => gate.promise)])
    const { job } = await mill.enqueue(print)
    await mill.waitFor(job, { state: 'running' })
    await mill.pauseQueue('paper')
    const due = await mill.enqueue(print, null, { delay: '50ms' })
    assert.equal((await mill.waitFor(due.job, { state: 'queued' })).attempt, 0)
    gate.resolve()
    assert.equal((await mill.waitFor(job)).state, 'completed')
    await mill.cancel(due.job)
  })

  test('is resumed for workers of other processes at once', async (context) => {
    const { mill, work, open } = await openTestMill(context)
    await work([handle(print, () => 'printed')])
    const other = await open()
    await other.pauseQueue('paper')
    const { job } = await mill.enqueue(print)
    assert.equal((await mill.get(job)).state, 'queued')
    await other.resumeQueue('paper')
    assert.equal((await mill.waitFor(job)).output, 'printed')
  })
})
