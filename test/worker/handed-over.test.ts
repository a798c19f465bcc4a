import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defineJob } from '../../src/client/define-job.ts'
import { handle } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'

const ping = defineJob('ping', { service: 'tests' })
const pong = defineJob('pong', { service: 'tests' })
const handlers = [handle(ping, () => null), handle(pong, () => null)]

test('a worker that opens its session anew takes no type that was handed over since it was started', async (context) => {
  const { store, runtime, start, enqueue, job, sessionLost } = await openWorkplace(context)
  await start(handlers)
  const there = { type: 'ping', from: 'tests', to: 'others', actor: 'ann', reason: null }
  await store.jobTypes.transfer(there)
  await store.jobTypes.transfer({ ...there, from: 'others', to: 'tests' })
  sessionLost()
  await runtime.advance(1_000)
  const sessions = await store.sessions.list()
  assert.deepEqual(
    sessions.map(({ endedAt, epoch }) => [endedAt === null, epoch]),
    [
      [false, 1],
      [true, 1],
    ],
  )
  const [handedOver, own] = [await enqueue(ping), await enqueue(pong)]
  await runtime.advance(5_000)
  assert.deepEqual([(await job(handedOver)).state, (await job(own)).state], ['queued', 'completed'])
  await start(handlers)
  await runtime.advance(5_000)
  assert.equal((await job(handedOver)).state, 'completed')
})
