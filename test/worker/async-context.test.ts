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
  await worker.stop()
  assert.deepEqual(
    seen,
    Array.from({ length: 12 }, () => 'worker'),
  )
})
