/** Clocks are set forward and back, and machines sleep: workers that live keep their jobs, and whatever waits begins. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob, handle } from '../../src/index.ts'
import type { Job, Millrace, Worker } from '../../src/index.ts'
import { jumpingClock } from '../support/jumping-clock.ts'
import type { JumpingClock } from '../support/jumping-clock.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { Announcements, within } from '../support/wait-for-event.ts'

const watch = defineJob('night.watch', { service: 'town', timeout: 'none' })
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
/** Half of the time between two beats of a lease of 30 seconds. */
const STEP_MS = 5_000

interface Town extends JumpingClock {
  readonly mill: Millrace
  readonly worker: Worker
  /** It has been running since before the clock was touched, and ends when it is let go. */
  readonly running: { readonly id: string }
  readonly letGo: () => void
}

/** A worker with one job in hand, which writes nothing unless it is asked to, and somebody else who sweeps. */
async function openTown(context: TestContext): Promise<Town> {
  const clock = jumpingClock()
  const gate = Promise.withResolvers<void>()
  // First, so that a test that fails holds up nobody who closes.
  context.after(() => gate.resolve())
  const { mill, work, open } = await openTestMill(context, { runtime: clock.runtime, maintenance: false })
  const lookout = await open({ maintenance: true })
  const announce = new Announcements()
  const handler = handle(watch, async ({ input }) => {
    if (input !== 'long') return 'seen'
    announce.tell('watching')
    await gate.promise
    return 'watched'
  })
  const worker = await work([handler], { manual: true })
  const { job } = await mill.enqueue(watch, 'long')
  void worker.runOnce()
  await announce.hear('watching')
  const town = { ...clock, mill, worker, running: job, letGo: gate.resolve }
  await pass(town, 2 * STEP_MS)
  // None of its sweeps is under way when the clock is set: it would have been judged before that, and made after it.
  await lookout.maintenance.runOnce()
  await lookout.cleanup.forceCleanup()
  return town
}

/** Time goes on. With a virtual clock beats come with whatever is written, so something is, as often as a worker beats. */
async function pass({ mill, runtime }: Town, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += STEP_MS) {
    await runtime.advance(STEP_MS)
    await mill.resumeQueue('empty')
  }
}

/** The same without a beat. Those who sweep are given the time that their threads and servers take, which is not virtual. */
async function passUnwritten({ mill, runtime }: Town, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += STEP_MS) {
    await runtime.advance(STEP_MS)
    for (let reads = 0; reads < 20; reads += 1) await mill.workers()
  }
}

async function runNext({ mill, worker }: Town, id: string): Promise<Job> {
  void worker.runOnce()
  return within('the next job', mill.waitFor(id, { timeout: '1d' }))
}

async function assertKept({ mill, running, letGo }: Town): Promise<void> {
  letGo()
  const { output, attempt, fence, suspect } = await within('the end', mill.waitFor(running, { timeout: '1d' }))
  assert.deepEqual({ output, attempt, fence, suspect }, { output: 'watched', attempt: 1, fence: 1, suspect: false })
}

describe('where the clock is set', () => {
  for (const [what, ms] of [
    ['forward by ten minutes', 10 * MINUTE],
    ['forward by thirty days', 30 * DAY],
    ['back by half a minute', -MINUTE / 2],
    ['back by a day', -DAY],
  ] as const) {
    test(`${what}, as after a sleep, a worker that lives keeps its job and takes the next`, async (context) => {
      const town = await openTown(context)
      town.jump(ms)
      // Those who sweep have their passes, and the worker has not beaten yet.
      await passUnwritten(town, 3 * STEP_MS)
      await pass(town, MINUTE)
      assert.equal((await town.mill.workers()).filter(({ state }) => state === 'live').length, 1)
      const { job } = await town.mill.enqueue(watch, 'short')
      assert.equal((await runNext(town, job.id)).output, 'seen')
      await assertKept(town)
    })
  }

  test('forward by two months, what was put off for sixty days is begun, and not a day before', async (context) => {
    const town = await openTown(context)
    const { job } = await town.mill.enqueue(watch, 'short', { delay: '60d' })
    town.jump(59 * DAY)
    await pass(town, MINUTE)
    void town.worker.runOnce()
    await pass(town, STEP_MS)
    assert.equal((await town.mill.get(job)).state, 'scheduled')
    town.jump(DAY)
    const { createdAt, startedAt } = await runNext(town, job.id)
    assert.ok((startedAt ?? 0) - createdAt >= 60 * DAY)
    await assertKept(town)
  })
})
