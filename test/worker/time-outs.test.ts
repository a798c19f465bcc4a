import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { EXTEND } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { handle } from '../../src/worker/handler.ts'
import type { ContextOf } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'

const slow = defineJob('slow', {
  service: 'tests',
  timeout: '10s',
  cancelGrace: '2s',
  retry: { maxAttempts: 2, backoff: { base: '1s', jitter: 0 } },
})

type Context = ContextOf<typeof slow>

function untilAborted({ signal }: Context): Promise<null> {
  const { promise, reject } = Promise.withResolvers<null>()
  signal.addEventListener('abort', () => reject(signal.reason as Error))
  return promise
}

describe('an attempt that takes longer than its type allows', () => {
  test('is told so by its signal, and tried again', async (context) => {
    const { enqueue, start, runtime, job, logged } = await openWorkplace(context)
    const id = await enqueue(slow)
    const reasons: { readonly code?: string }[] = []
    await start([
      handle(slow, (handler) => {
        handler.signal.addEventListener('abort', () => reasons.push(handler.signal.reason as object))
        return handler.attempt === 1 ? untilAborted(handler) : 'quick this time'
      }),
    ])
    await runtime.advance(9_900)
    assert.equal(reasons.length, 0)
    await runtime.advance(200)
    assert.equal(reasons[0]?.code, 'time-out')
    const { state, failures, attempts } = await job(id)
    assert.deepEqual({ state, failures }, { state: 'retrying', failures: 1 })
    assert.equal(attempts[0]?.outcome, 'timed-out')
    assert.match(attempts[0]?.error ?? '', /"code":"time-out"/)
    assert.equal(logged('JOB_FAILED')[0]?.['willRetry'], true)
    await runtime.advance(2_000)
    assert.equal((await job(id)).state, 'completed')
  })

  test('is settled after the grace although its handler goes on, and the worker goes on too', async (context) => {
    const { enqueue, start, runtime, job } = await openWorkplace(context)
    const id = await enqueue(slow)
    const worker = await start([handle(slow, () => new Promise<null>(() => {}))], { concurrency: 1 })
    await runtime.advance(11_900)
    assert.equal((await job(id)).state, 'running')
    await runtime.advance(200)
    assert.equal((await job(id)).state, 'retrying')
    assert.equal(worker.abandoned, 1)
    assert.equal(worker.running, 0)
    await runtime.advance(15_000)
    const { state, failures } = await job(id)
    assert.deepEqual({ state, failures }, { state: 'failed', failures: 2 })
  })

  test('is completed when its handler comes to its end within the grace', async (context) => {
    const { enqueue, start, runtime, job } = await openWorkplace(context)
    const id = await enqueue(slow)
    const gate = Promise.withResolvers<string>()
    await start([handle(slow, () => gate.promise)])
    await runtime.advance(11_000)
    gate.resolve('at the last moment')
    await runtime.advance(0)
    assert.equal((await job(id)).state, 'completed')
  })

  test('has each attempt measured by itself', async (context) => {
    const { enqueue, start, runtime, job } = await openWorkplace(context)
    const id = await enqueue(slow)
    await start([handle(slow, untilAborted)])
    await runtime.advance(10_100)
    assert.equal((await job(id)).attempt, 1)
    await runtime.advance(1_100)
    assert.equal((await job(id)).attempt, 2)
    await runtime.advance(9_000)
    assert.equal((await job(id)).state, 'running')
    await runtime.advance(1_500)
    assert.equal((await job(id)).state, 'failed')
  })

  test('may give itself more time', async (context) => {
    const { enqueue, start, runtime, job } = await openWorkplace(context)
    const id = await enqueue(slow)
    const gate = Promise.withResolvers<string>()
    let extend: Context['extend'] | undefined
    await start([
      handle(slow, (handler) => {
        extend = handler.extend
        return gate.promise
      }),
    ])
    await runtime.advance(9_000)
    await extend?.('30s')
    assert.equal((await job(id)).deadlineAt, runtime.now() + 30_000)
    await runtime.advance(29_000)
    assert.equal((await job(id)).state, 'running')
    gate.resolve('in the end')
    await runtime.advance(0)
    assert.equal((await job(id)).state, 'completed')
    await assert.rejects(async () => extend?.('1s'), { code: 'lease-lost' })
  })

  test('cannot be given a time of nothing', async (context) => {
    const { enqueue, start, job } = await openWorkplace(context)
    const id = await enqueue(slow)
    const worker = await start([
      handle(slow, async ({ extend }) => {
        await assert.rejects(extend(0), { code: 'option-invalid' })
        await assert.rejects(extend('soon' as '1s'), { code: 'option-invalid' })
      }),
    ])
    await worker.idle()
    assert.equal((await job(id)).state, 'completed')
  })

  test('is never told anything where its type allows any length', async (context) => {
    const { enqueue, start, runtime, job } = await openWorkplace(context)
    const endless = defineJob('endless', { service: 'tests', timeout: 'none' })
    const id = await enqueue(endless)
    const gate = Promise.withResolvers<null>()
    await start([handle(endless, () => gate.promise)])
    await runtime.advance(3_600_000)
    assert.equal((await job(id)).state, 'running')
    gate.resolve(null)
    await runtime.advance(0)
    assert.equal((await job(id)).state, 'completed')
  })

  test('counts as an ordinary failure where the store still gives it time', async (context) => {
    const { store, enqueue, start, runtime, job } = await openWorkplace(context)
    const jobId = await enqueue(slow)
    await start([handle(slow, untilAborted)])
    await runtime.advance(0)
    const { holder, fence } = await job(jobId)
    assert(holder !== null)
    const claim = { jobId, holder, fence }
    await store.claims.apply({
      jobId,
      plan: EXTEND,
      scope: OPERATOR,
      claim,
      values: { timeoutMs: 60_000 },
      detail: null,
    })
    await runtime.advance(10_100)
    const { state, attempts } = await job(jobId)
    assert.deepEqual([state, attempts[0]?.outcome], ['retrying', 'failed'])
    assert.match(attempts[0]?.error ?? '', /"code":"time-out"/)
  })
})
