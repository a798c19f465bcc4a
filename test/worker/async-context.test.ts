/** Handlers run in the asynchronous context of their worker, not in that of whoever enqueued the job or ended another one. */
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'

import { defineJob, handle } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'

const whose = new AsyncLocalStorage<string>()

test('no phase of a job sees the request that enqueued it, nor that of another job of the same turn', async (t) => {
  const { mill, work } = await openTestMill(t)
  const seen: (string | undefined)[] = []
  const see = (): void => {
    seen.push(whose.getStore())
  }
  const job = defineJob('map.render', { service: 'maps', phases: ['load', 'render', 'store'] })
  const handler = handle(job)
    .phase('load', see)
    .phase('render', async () => {
      see()
      await Promise.resolve()
      see()
    })
    .phase('store', see)
  const worker = await whose.run('worker', () => work([handler], { concurrency: 2 }))
  await Promise.all(
    ['one', 'other', 'third'].map((request) =>
      whose.run(request, async () => {
        await mill.run(job, {})
        assert.equal(whose.getStore(), request)
      }),
    ),
  )
  await worker.stop({ timeout: '20s' })
  assert.deepEqual(
    seen,
    Array.from({ length: 12 }, () => 'worker'),
  )
})

test('what a handler enters is not where the next one of the same turn begins', async (t) => {
  const { mill, work } = await openTestMill(t)
  const seen: (string | undefined)[] = []
  const job = defineJob('map.render', { service: 'maps' })
  const handler = handle(job, () => {
    seen.push(whose.getStore())
    whose.enterWith('another handler')
  })
  await mill.enqueueMany(Array.from({ length: 5 }, () => ({ definition: job })))
  const worker = await whose.run('worker', () => work([handler]))
  await worker.idle()
  assert.deepEqual(
    seen,
    Array.from({ length: 5 }, () => 'worker'),
  )
})

test('whoever listens for a stop hears of it in the context of the worker, whoever cancels', async (t) => {
  const { mill, work } = await openTestMill(t)
  const started = Promise.withResolvers<void>()
  const heard = Promise.withResolvers<string | undefined>()
  const job = defineJob('map.render', { service: 'maps' })
  const handler = handle(job, async ({ signal }) => {
    const stopped = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => {
      heard.resolve(whose.getStore())
      stopped.resolve()
    })
    started.resolve()
    await stopped.promise
  })
  await whose.run('worker', () => work([handler]))
  const { job: running } = await mill.enqueue(job)
  await started.promise
  await whose.run('canceller', () => mill.cancel(running))
  assert.equal(await heard.promise, 'worker')
})
