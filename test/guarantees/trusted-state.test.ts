/** What `get` returns is what was committed: at once, for every transition, and for jobs that end in microseconds. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { defineJob, handle, InvalidInputError } from '../../src/index.ts'
import type { Job, JobEvent } from '../../src/index.ts'
import { eventNames, eventsOf } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { scaled } from '../support/scale.ts'
import { Announcements, take, waitForEvent, within } from '../support/wait-for-event.ts'

const blink = defineJob('eye.blink', { service: 'face' })
const paint = defineJob('picture.paint', {
  service: 'studio',
  phases: ['sketch', 'colour'],
  retry: { maxAttempts: 3, backoff: { base: '1ms', max: '1ms' } },
})
const carve = defineJob('stone.carve', {
  service: 'studio',
  retry: { maxAttempts: 3, backoff: { base: '1ms', max: '1ms' } },
})

describe('the state that is read', () => {
  test('after waitFor is final, 500 times for a job that ends in microseconds', async (context) => {
    const { mill, work, open } = await openTestMill(context)
    const other = await open()
    await work([handle(blink, ({ input }) => input as number)])
    for (let round = 0; round < scaled(500); round += 1) {
      const { job } = await mill.enqueue(blink, round)
      const awaited = await mill.waitFor(job)
      const { state, output, progress, phase, finishedAt, eventSeq, fence } = awaited
      assert.deepEqual(
        { state, output, progress, phase, eventSeq, fence },
        { state: 'completed', output: round, progress: 100, phase: null, eventSeq: 3, fence: 1 },
      )
      assert.ok(finishedAt !== null)
      assert.deepEqual(await mill.get(job.id), awaited)
      assert.deepEqual(await other.get(job.id), awaited, 'and the same by another connection')
    }
  })

  test('after an act is what the act did, by every connection', async (context) => {
    const { mill, open } = await openTestMill(context)
    const other = await open()
    for (let round = 0; round < scaled(30); round += 1) {
      const { job } = await mill.enqueue(blink, null, { delay: '1h' })
      assert.equal((await other.get(job)).state, 'scheduled')
      await other.runNow(job)
      assert.equal((await mill.get(job)).state, 'queued')
      await mill.cancel(job)
      assert.equal((await other.get(job)).state, 'cancelled')
      await other.retry(job)
      const { state, generation } = await mill.get(job)
      assert.deepEqual({ state, generation }, { state: 'queued', generation: 2 })
      assert.equal((await other.list({ limit: 1 })).jobs[0]?.state, 'queued')
      await mill.cancel(job)
      assert.equal((await other.counts()).cancelled, round + 1)
    }
  })

  test('when an event is told is of that event or a later one', async (context) => {
    const { mill, work } = await openTestMill(context)
    await work(
      [
        handle(paint)
          .phase('sketch', ({ attempt }) => {
            if (attempt === 1) throw new Error('the pencil broke')
            return 'lines'
          })
          .phase('colour', () => 'oil'),
      ],
      // A slot for each, so that none is taken ahead, and given back.
      { concurrency: scaled(20) },
    )
    const told: { readonly event: JobEvent; readonly job: Job }[] = []
    const last = Promise.withResolvers<void>()
    const count = scaled(20)
    let completed = 0
    await mill.subscribe(async (event) => {
      told.push({ event, job: await mill.get(event.jobId) })
      if (event.name !== 'job:completed') return
      completed += 1
      if (completed === count) last.resolve()
    })
    for (let n = 0; n < count; n += 1) await mill.enqueue(paint, n)
    await within('the last completion', last.promise)
    for (const { event, job } of told) {
      assert.ok(job.eventSeq >= event.seq, `event ${event.seq} was told before it could be read`)
      const state = STATE_AFTER[event.name]
      if (job.eventSeq === event.seq && state !== undefined) assert.equal(job.state, state)
    }
    const byJob = Map.groupBy(told, ({ event }) => event.jobId)
    for (const [id, of] of byJob) {
      const names = of.map(({ event }) => event.name)
      assert.deepEqual(names, await eventNames(mill, { id }), 'every transition was told, in its order')
      assert.deepEqual(names, [
        'job:queued',
        'job:started',
        'job:retrying',
        'job:queued',
        'job:started',
        'phase:completed',
        'phase:completed',
        'job:completed',
      ])
    }
  })
})

const STATE_AFTER: Readonly<Partial<Record<JobEvent['name'], Job['state']>>> = {
  'job:queued': 'queued',
  'job:started': 'running',
  'phase:completed': 'running',
  'job:retrying': 'retrying',
  'job:completed': 'completed',
}

describe('progress', () => {
  test('never falls within an attempt, and begins anew with the next', async (context) => {
    const { mill, work } = await openTestMill(context)
    const announce = new Announcements()
    const gate = Promise.withResolvers<void>()
    await work([
      handle(carve, async ({ attempt, progress }) => {
        if (attempt === 1) {
          for (const percent of [10, 60, 30, 0, 60, 59.9]) progress(percent)
          // Longer than progress is held back, so that what is written is seen.
          await take(300)
          progress(40)
          throw new Error('the chisel slipped')
        }
        announce.tell('second')
        await gate.promise
        progress(5)
        await within('the end of the test', end.promise)
        return 'a figure'
      }),
    ])
    const end = Promise.withResolvers<void>()
    const { job } = await mill.enqueue(carve)
    await announce.hear('second')
    const between = await mill.get(job)
    assert.deepEqual(
      { state: between.state, attempt: between.attempt, progress: between.progress },
      { state: 'running', attempt: 2, progress: 0 },
    )
    assert.equal(between.attempts[0]?.progress, 60, 'the first attempt keeps how far it came')
    gate.resolve()
    await waitForEvent(mill, job, 'job:progress', { where: ({ attempt }) => attempt === 2 })
    assert.equal((await mill.get(job)).progress, 5)
    end.resolve()
    assert.equal((await mill.waitFor(job)).progress, 100)
    const percents = new Map<number, number[]>()
    for (const { name, attempt, detail } of await eventsOf(mill, job)) {
      if (name === 'job:progress') percents.set(attempt, [...(percents.get(attempt) ?? []), Number(detail['percent'])])
    }
    for (const told of percents.values())
      assert.deepEqual(
        told,
        told.toSorted((a, b) => a - b),
      )
  })

  test('of a later attempt begins with the share of the phases that are done', async (context) => {
    const { mill, work } = await openTestMill(context)
    const announce = new Announcements()
    const end = Promise.withResolvers<void>()
    await work([
      handle(paint)
        .phase('sketch', () => 'lines')
        .phase('colour', async ({ attempt, progress }) => {
          progress(50)
          if (attempt === 1) throw new Error('out of blue')
          announce.tell('second')
          await end.promise
          return 'oil'
        }),
    ])
    const { job } = await mill.enqueue(paint)
    await announce.hear('second')
    const [first] = (await mill.get(job)).attempts
    assert.deepEqual({ phase: first?.phase, progress: first?.progress }, { phase: 'colour', progress: 75 })
    const started = (await eventsOf(mill, job)).findLast(({ name }) => name === 'job:started')
    assert.equal(started?.detail['phase'], 'colour')
    assert.ok((await mill.get(job)).progress >= 50)
    end.resolve()
    assert.equal((await mill.waitFor(job)).state, 'completed')
  })

  test('outside 0 to 100 is refused, where it is told', async (context) => {
    const { mill, work } = await openTestMill(context)
    await work([
      handle(carve, ({ progress }) => {
        const codes: string[] = []
        for (const percent of [-0.001, 100.001, Number.NaN, Number.POSITIVE_INFINITY, '50' as unknown as number]) {
          try {
            progress(percent)
          } catch (error) {
            assert.ok(error instanceof InvalidInputError)
            codes.push(`${error.code} ${error.path}`)
          }
        }
        progress(0)
        progress(100)
        return codes
      }),
    ])
    assert.deepEqual(
      await mill.run(carve),
      Array.from({ length: 5 }, () => 'option-invalid progress'),
    )
  })
})
