/** Whoever cancels a job gets what they asked for: it stops, once, for good, and its worker goes on. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ConflictError, defineJob, ForbiddenError, handle, NotFoundError } from '../../src/index.ts'
import type { Cancelled, Handler } from '../../src/index.ts'
import { scaled } from '../support/scale.ts'
import { Announcements } from '../support/wait-for-event.ts'
import { assertCancelledOnce, assertWorkerGoesOn, bake, grind, listening, openBakery, print } from './bakery.ts'

/** Of each of the five scenarios. They share a store and a worker, and are over in milliseconds. */
const ROUNDS = scaled(100)

const ANN = { tenant: 'acme', user: 'ann', role: 'member' } as const
const BOB = { tenant: 'acme', user: 'bob', role: 'member' } as const
const ADA = { tenant: 'acme', user: 'ada', role: 'admin' } as const
const EVE = { tenant: 'other', user: 'eve', role: 'admin' } as const

test('owner cancels a running job', async (context) => {
  const bakery = await openBakery(context, (announce) => [listening(announce)])
  const { mill, announce } = bakery
  const ann = mill.as(ANN)
  for (let round = 0; round < ROUNDS; round += 1) {
    const { job } = await ann.enqueue(grind, { round })
    await announce.hear(`started ${job.id}`)
    const answer = await ann.cancel(job, { reason: 'wrong region' })
    assert.deepEqual(answer, { success: true, jobId: job.id, state: 'running', cancelledBy: 'ann' })
    const cancelled = await assertCancelledOnce(ann, job, { by: 'ann', reason: 'wrong region' })
    assert.equal(cancelled.attempts.at(-1)?.outcome, 'cancelled')
    await assertWorkerGoesOn(bakery)
  }
})

test('owner cancels a queued job', async (context) => {
  const bakery = await openBakery(context, (announce) => [listening(announce)])
  const { mill, announce } = bakery
  const ann = mill.as(ANN)
  const queued: string[] = []
  const cancelQueued = async (): Promise<void> => {
    const { job } = await ann.enqueue(grind)
    const answer = await ann.cancel(job)
    assert.deepEqual(answer, { success: true, jobId: job.id, state: 'cancelled', cancelledBy: 'ann' })
    const cancelled = await assertCancelledOnce(ann, job, { by: 'ann', ran: false })
    assert.equal(cancelled.attempt, 0)
    queued.push(job.id)
  }
  const blocker = await mill.enqueue(grind, 'the one slot')
  await announce.hear(`started ${blocker.job.id}`)
  await cancelQueued()
  await mill.cancel(blocker.job)
  await assertWorkerGoesOn(bakery)
  for (let round = 1; round < ROUNDS; round += 1) {
    await mill.pauseQueue(grind.queue)
    await cancelQueued()
    await mill.resumeQueue(grind.queue)
    await assertWorkerGoesOn(bakery)
  }
  for (const id of queued) assert.equal(announce.count(`started ${id}`), 0, 'it never started')
})

test('a member who is not the owner is refused, and the job runs on', async (context) => {
  const finish = new Announcements()
  const finishing = (announce: Announcements): Handler =>
    handle(grind, async ({ jobId, signal }) => {
      announce.tell(`started ${jobId}`)
      await finish.hear(jobId)
      signal.throwIfAborted()
      return 'flour'
    })
  const bakery = await openBakery(context, (announce) => [finishing(announce)])
  const { mill, announce } = bakery
  const ann = mill.as(ANN)
  for (let round = 0; round < ROUNDS; round += 1) {
    const { job } = await ann.enqueue(grind, { round })
    await announce.hear(`started ${job.id}`)
    const before = await ann.get(job)
    await assert.rejects(mill.as(BOB).cancel(job), ForbiddenError)
    await assert.rejects(mill.as(EVE).cancel(job), NotFoundError, 'of another tenant, where even an admin is nobody')
    assert.deepEqual(await ann.get(job), before)
    finish.tell(job.id)
    const { state, output, cancelRequestedAt } = await ann.waitFor(job)
    assert.deepEqual([state, output, cancelRequestedAt], ['completed', 'flour', null])
    await assertWorkerGoesOn(bakery)
  }
})

test("a completed job can't be cancelled", async (context) => {
  const bakery = await openBakery(context, () => [])
  const { mill } = bakery
  const ann = mill.as(ANN)
  for (let round = 0; round < ROUNDS; round += 1) {
    const { job } = await ann.enqueue(bake, { round })
    const completed = await ann.waitFor(job)
    await assert.rejects(ann.cancel(job), (error) => {
      assert.ok(error instanceof ConflictError)
      assert.equal(error.code, 'job-final')
      assert.equal(error.details['state'], 'completed')
      assert.match(error.message, /completed/)
      return true
    })
    assert.deepEqual(await ann.get(job), completed)
    await assertWorkerGoesOn(bakery)
  }
})

test("an admin cancels another's job, running or queued", async (context) => {
  const bakery = await openBakery(context, (announce) => [listening(announce)])
  const { mill, announce } = bakery
  const [ann, ada] = [mill.as(ANN), mill.as(ADA)]
  for (let round = 0; round < ROUNDS; round += 1) {
    const running = await ann.enqueue(grind, { round })
    await announce.hear(`started ${running.job.id}`)
    await mill.pauseQueue(grind.queue)
    const queued = await ann.enqueue(grind, { round })
    const jobs = [
      [queued.job, 'cancelled'],
      [running.job, 'running'],
    ] as const
    for (const [job, state] of jobs) {
      const answer = await ada.cancel(job, { reason: 'house rules' })
      assert.deepEqual(answer, { success: true, jobId: job.id, state, cancelledBy: 'ada' })
      const ran = state === 'running'
      const cancelled = await assertCancelledOnce(ann, job, { by: 'ada', reason: 'house rules', ran })
      assert.equal(cancelled.owner, 'ann')
    }
    await mill.resumeQueue(grind.queue)
    await assertWorkerGoesOn(bakery)
  }
})

describe('a cancel', () => {
  test('of a scheduled job keeps it from ever starting', async (context) => {
    const bakery = await openBakery(context, (announce) => [listening(announce)])
    const { mill, announce, worker } = bakery
    const { job } = await mill.enqueue(grind, null, { delay: '2s' })
    const { state } = await mill.cancel(job, { actor: 'ann', reason: 'not needed' })
    assert.equal(state, 'cancelled')
    await assertCancelledOnce(mill, job, { by: 'ann', reason: 'not needed', ran: false })
    // A job that comes due later has had its turn: this one's time has come and gone.
    const later = await mill.enqueue(bake, null, { delay: '2100ms' })
    assert.equal((await mill.waitFor(later.job)).state, 'completed')
    await worker.idle()
    assert.equal(announce.count(`started ${job.id}`), 0)
    await assertWorkerGoesOn(bakery)
  })

  test('of a retrying job ends it with the failure that it had', async (context) => {
    const printer = handle(print)
      .phase('load', () => 'countries')
      .phase('draw', () => {
        throw new Error('the plotter is busy')
      })
      .phase('store', () => null)
    const bakery = await openBakery(context, () => [printer])
    const { mill } = bakery
    const { job } = await mill.enqueue(print)
    const retrying = await mill.waitFor(job, { state: 'retrying' })
    assert.equal(retrying.failures, 1)
    assert.equal((await mill.cancel(job, { actor: 'ann' })).state, 'cancelled')
    const cancelled = await assertCancelledOnce(mill, job, { by: 'ann', ran: false, failures: 1 })
    assert.deepEqual(
      cancelled.phases.map(({ state }) => state),
      ['done', 'cancelled', 'cancelled'],
    )
    await assertWorkerGoesOn(bakery)
  })

  test('by nobody in particular is by the system', async (context) => {
    const bakery = await openBakery(context, (announce) => [listening(announce)])
    const { mill, announce } = bakery
    const { job } = await mill.enqueue(grind)
    await announce.hear(`started ${job.id}`)
    assert.equal((await mill.cancel(job)).cancelledBy, 'system')
    await assertCancelledOnce(mill, job, { by: 'system' })
    await assertWorkerGoesOn(bakery)
  })

  test('that comes twice is answered the same, and the first actor and reason stay', async (context) => {
    const patient = defineJob('corn.sift', { service: 'bakery', cancelGrace: '20s' })
    const stopping = Promise.withResolvers<void>()
    const careful = (announce: Announcements): Handler =>
      handle(patient, async ({ jobId, signal }) => {
        announce.tell(`started ${jobId}`)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        announce.tell(`signalled ${jobId}`)
        await stopping.promise
        throw signal.reason as Error
      })
    const bakery = await openBakery(context, (announce) => [careful(announce)])
    const { mill, announce } = bakery
    const { job } = await mill.enqueue(patient)
    await announce.hear(`started ${job.id}`)
    const first = await mill.cancel(job, { actor: 'ann', reason: 'wrong region' })
    await announce.hear(`signalled ${job.id}`)
    assert.deepEqual(await mill.cancel(job, { actor: 'bob', reason: 'too late' }), first, 'while it is stopping')
    stopping.resolve()
    await assertCancelledOnce(mill, job, { by: 'ann', reason: 'wrong region' })
    const again = await mill.cancel(job, { actor: 'cem' })
    assert.deepEqual(again, { ...first, state: 'cancelled' }, 'when it has stopped')
    await assertCancelledOnce(mill, job, { by: 'ann', reason: 'wrong region' })
    await assertWorkerGoesOn(bakery)
  })

  test('from two places at once has one winner, and both are told who it was', async (context) => {
    const bakery = await openBakery(context, (announce) => [listening(announce)])
    const { mill, announce, open } = bakery
    const other = await open()
    for (let round = 0; round < scaled(20); round += 1) {
      const { job } = await mill.enqueue(grind, { round })
      if (round % 2 === 0) await announce.hear(`started ${job.id}`)
      const [one, two] = await Promise.all([mill.cancel(job, { actor: 'ann' }), other.cancel(job.id, { actor: 'bob' })])
      assert.equal(one.cancelledBy, two.cancelledBy)
      const cancelled = await mill.waitFor(job)
      const ran = cancelled.attempt > 0
      await assertCancelledOnce(mill, job, { by: one.cancelledBy, ran })
    }
    await assertWorkerGoesOn(bakery)
  })

  test('from two processes at once has one winner, and both are told who it was', async (context) => {
    const bakery = await openBakery(context, (announce) => [listening(announce)])
    const { mill, announce, start } = bakery
    const cancellers = [start('canceller'), start('canceller')]
    await Promise.all(cancellers.map((canceller) => canceller.hear('ready')))
    for (let round = 1; round <= scaled(10); round += 1) {
      const { job } = await mill.enqueue(grind, { round })
      if (round % 2 === 0) await announce.hear(`started ${job.id}`)
      for (const canceller of cancellers)
        canceller.tell('cancel', { id: job.id, actor: `${canceller.pid}`, reason: 'both' })
      const answers = await Promise.all(
        cancellers.map((canceller) => canceller.hear<Cancelled>('cancelled', { nth: round })),
      )
      const [winner, ...others] = new Set(answers.map(({ cancelledBy }) => cancelledBy))
      assert.deepEqual(others, [])
      const { attempt } = await mill.waitFor(job)
      await assertCancelledOnce(mill, job, { by: winner ?? '', reason: 'both', ran: attempt > 0 })
    }
    await assertWorkerGoesOn(bakery)
  })

  test('from another process reaches the handler', async (context) => {
    const bakery = await openBakery(context, (announce) => [listening(announce)])
    const { mill, announce, start } = bakery
    const canceller = start('canceller')
    await canceller.hear('ready')
    for (let round = 1; round <= scaled(20); round += 1) {
      const { job } = await mill.enqueue(grind, { round })
      await announce.hear(`started ${job.id}`)
      canceller.tell('cancel', { id: job.id, actor: 'ann', reason: 'from afar' })
      const answer = await canceller.hear('cancelled', { nth: round })
      assert.deepEqual(answer, { success: true, jobId: job.id, state: 'running', cancelledBy: 'ann' })
      await assertCancelledOnce(mill, job, { by: 'ann', reason: 'from afar' })
      await assertWorkerGoesOn(bakery)
    }
  })
})
