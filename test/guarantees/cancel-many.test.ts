/** Whoever cancels all that match gets each of them once, while they move. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { CancelledMany, Job } from '../../src/index.ts'
import { eventsOf, finalEvents } from '../support/job-history.ts'
import { scaled } from '../support/scale.ts'
import { assertWorkerGoesOn, bake, grind, listening, openBakery } from './bakery.ts'

/** Jobs that the answer says were cancelled or told to stop by it. */
function touched({ cancelled, stopping }: CancelledMany): number {
  return cancelled + stopping
}

test('of jobs that a worker goes through meanwhile, each ends once, and is counted by one of two who cancel', async (context) => {
  const bakery = await openBakery(context, () => [])
  const { mill, open } = bakery
  const other = await open()
  const loaves = scaled(300)
  const enqueued = await mill.enqueueMany(
    Array.from({ length: loaves }, (_, loaf) => ({
      definition: bake,
      input: loaf,
      tenant: 'acme',
      owner: 'ann',
      // Some are there to be cancelled however fast the worker is.
      ...(loaf % 10 === 0 ? { delay: '1h' } : {}),
    })),
  )
  const ann = mill.as({ tenant: 'acme', user: 'ann', role: 'member' })
  const answers = await Promise.all([
    ann.cancelMany({ type: bake }, { reason: 'enough bread' }),
    other.cancelMany({ tenant: 'acme' }, { actor: 'olga' }),
  ])
  const jobs: Job[] = []
  for (const { job } of enqueued) jobs.push(await mill.waitFor(job.id))
  assert.ok(jobs.every(({ state }) => state === 'completed' || state === 'cancelled'))
  for (const job of jobs) assert.equal(finalEvents(await eventsOf(mill, job)).length, 1)
  const asked = jobs.filter(({ cancelRequestedAt }) => cancelRequestedAt !== null)
  assert.ok(asked.length > 0)
  assert.equal(touched(answers[0]) + touched(answers[1]), asked.length)
  for (const [by, answer] of [
    ['ann', answers[0]],
    ['olga', answers[1]],
  ] as const) {
    assert.equal(asked.filter(({ cancelledBy }) => cancelledBy === by).length, touched(answer), by)
    assert.equal(answer.more, false)
  }
  await assertWorkerGoesOn(bakery)
})

test('a look beforehand counts what would be cancelled and changes nothing; then all of it is', async (context) => {
  const bakery = await openBakery(context, (announce) => [listening(announce)])
  const { mill, announce, dump } = bakery
  const running = await mill.enqueue(grind, 0, { labels: { course: 'c-1' } })
  await announce.hear(`started ${running.job.id}`)
  for (const delay of [0, '1h'] as const) await mill.enqueue(grind, 1, { labels: { course: 'c-1' }, delay })
  const spared = await mill.enqueue(grind, 2, { labels: { course: 'c-2' }, delay: '1h' })
  const before = await dump()
  const filter = { labels: { course: 'c-1' } }
  assert.deepEqual(await mill.cancelMany(filter, { preview: true }), { preview: true, waiting: 2, running: 1 })
  assert.deepEqual((await dump()).jobs, before.jobs)
  const waiting = await mill.cancelMany({ ...filter, state: ['queued', 'scheduled', 'retrying'] })
  assert.deepEqual([waiting.cancelled, waiting.stopping], [2, 0])
  assert.equal((await mill.get(running.job)).cancelRequestedAt, null, 'what runs was not asked for')
  const rest = await mill.cancelMany(filter)
  assert.deepEqual([rest.cancelled, rest.stopping], [0, 1])
  assert.equal((await mill.waitFor(running.job)).state, 'cancelled')
  assert.equal((await mill.get(spared.job)).state, 'scheduled')
  await assertWorkerGoesOn(bakery)
})
