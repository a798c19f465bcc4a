/** A bakery with one worker that has one slot, jobs to cancel in it, and what must hold of a job once it was cancelled. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'

import { defineJob, handle } from '../../src/index.ts'
import type { Handler, Job, JobClient, Worker } from '../../src/index.ts'
import { eventsOf, finalEvents } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { Announcements } from '../support/wait-for-event.ts'

export const bake = defineJob('bread.bake', { service: 'bakery' })
export const grind = defineJob('corn.grind', { service: 'bakery', cancelGrace: '100ms' })
export const print = defineJob('map.print', {
  service: 'bakery',
  phases: ['load', 'draw', 'store'],
  retry: { maxAttempts: 2, backoff: { base: '1h', jitter: 0 } },
})

const baker = handle(bake, ({ input }) => ({ baked: input }))

/** A handler that stops as soon as its signal fires. */
export function listening(announce: Announcements): Handler {
  return handle(grind, async ({ jobId, signal }) => {
    announce.tell(`started ${jobId}`)
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  })
}

export interface Bakery extends TestMill {
  readonly worker: Worker
  readonly announce: Announcements
}

/** One worker with one slot, so that a job that does not let go of it would hold up the next. */
export async function openBakery(
  context: TestContext,
  makeHandlers: (announce: Announcements) => readonly Handler[],
): Promise<Bakery> {
  const opened = await openTestMill(context)
  const announce = new Announcements()
  const worker = await opened.work([baker, ...makeHandlers(announce)], { concurrency: 1 })
  return { ...opened, worker, announce }
}

/** The worker that had the cancelled job takes and completes another. */
export async function assertWorkerGoesOn({ mill, worker }: Bakery): Promise<void> {
  assert.equal(worker.state, 'running')
  const { job } = await mill.enqueue(bake, { loaf: 1 })
  const baked = await mill.waitFor(job)
  assert.equal(baked.state, 'completed')
  assert.deepEqual(baked.output, { baked: { loaf: 1 } })
}

export interface Expected {
  readonly by: string
  readonly reason?: string
  /** Whether it ran when it was cancelled. Default true. */
  readonly ran?: boolean
  readonly failures?: number
}

/** One final state, one event that tells of it, nothing counted as a failure, and every phase that was not done is cancelled. */
export async function assertCancelledOnce(
  mill: JobClient,
  { id }: { readonly id: string },
  expected: Expected,
): Promise<Job> {
  const { by, reason = null, ran = true, failures = 0 } = expected
  const job = await mill.waitFor(id)
  assert.equal(job.state, 'cancelled')
  assert.equal(job.cancelledBy, by)
  assert.equal(job.cancelReason, reason)
  assert.equal(job.cancelledAt, job.finishedAt)
  assert.ok(job.cancelRequestedAt !== null && job.cancelledAt !== null && job.cancelRequestedAt <= job.cancelledAt)
  assert.equal(job.failures, failures)
  const done = job.phases.findIndex(({ state }) => state !== 'done')
  const rest = job.phases.slice(done)
  assert.ok(done !== -1 && rest.every(({ state }) => state === 'cancelled'), 'every phase not done is cancelled')
  const events = await eventsOf(mill, job)
  assert.deepEqual(
    finalEvents(events).map(({ name, detail }) => ({ name, by: detail['cancelledBy'], reason: detail['reason'] })),
    [{ name: 'job:cancelled', by, reason }],
  )
  assert.equal(events.at(-1)?.name, 'job:cancelled', 'nothing is told after the final event')
  assert.equal(events.filter(({ name }) => name === 'job:cancel-requested').length, ran ? 1 : 0)
  assert.equal(job.worker === null, !ran && failures === 0, 'a job that never started has no worker')
  return job
}
