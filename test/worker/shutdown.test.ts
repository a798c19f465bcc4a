import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { drainShares } from '../../src/worker/drain.ts'
import { handle } from '../../src/worker/handler.ts'
import type { ContextOf } from '../../src/worker/handler.ts'
import { steady, steadyHandler } from './isolated-handlers.ts'
import { openWorkplace } from './open-workplace.ts'

const convert = defineJob('convert', { service: 'tests', cancelGrace: '2s' })

function untilAborted({ signal }: ContextOf<typeof convert>): Promise<null> {
  const { promise, reject } = Promise.withResolvers<null>()
  signal.addEventListener('abort', () => reject(signal.reason as Error))
  return promise
}

describe('stopping a worker', () => {
  test('that does nothing takes no time, ends its session, and leaves no timer', async (context) => {
    const { store, start, runtime } = await openWorkplace(context)
    const worker = await start([handle(convert, () => null)])
    await worker.idle()
    await worker.stop()
    assert.equal(worker.state, 'stopped')
    assert.equal(runtime.monotonic(), 0)
    assert.equal(runtime.waiting, 0)
    const sessions = await store.sessions.list()
    assert.deepEqual(
      sessions.map(({ endedAt }) => endedAt),
      [runtime.now()],
    )
  })

  test('waits for the handlers that run, and takes no further job', async (context) => {
    const { enqueue, start, runtime, job } = await openWorkplace(context)
    const id = await enqueue(convert)
    const gate = Promise.withResolvers<string>()
    const worker = await start([handle(convert, () => gate.promise)])
    await runtime.advance(0)
    const stopping = worker.stop({ timeout: '20s' })
    const later = await enqueue(convert)
    await runtime.advance(5_000)
    assert.equal(worker.state, 'draining')
    gate.resolve('converted')
    await stopping
    assert.equal((await job(id)).state, 'completed')
    assert.equal((await job(later)).state, 'queued')
  })

  test('tells handlers to stop in time, and gives their jobs back without counting a failure', async (context) => {
    const { enqueue, start, runtime, job, events } = await openWorkplace(context)
    const id = await enqueue(convert)
    const reasons: { readonly code?: string }[] = []
    const worker = await start([
      handle(convert, (handler) => {
        handler.signal.addEventListener('abort', () => {
          reasons.push(handler.signal.reason as object)
        })
        return untilAborted(handler)
      }),
    ])
    await runtime.advance(0)
    const stopping = worker.stop({ timeout: '20s' })
    await runtime.advance(16_900)
    assert.equal(reasons.length, 0)
    await runtime.advance(200)
    await stopping
    assert.equal(reasons[0]?.code, 'shutting-down')
    const { state, failures, attempts } = await job(id)
    assert.deepEqual({ state, failures }, { state: 'queued', failures: 0 })
    assert.equal(attempts[0]?.outcome, 'released')
    assert.deepEqual(JSON.parse((await events(id)).at(-1)?.detail ?? ''), { cause: 'release' })
  })

  test('leaves a handler its grace although its time-out runs out meanwhile', async (context) => {
    const { enqueue, start, runtime, job } = await openWorkplace(context)
    const timed = defineJob('timed', { service: 'tests', cancelGrace: '5s', timeout: '6s' })
    const id = await enqueue(timed)
    const gate = Promise.withResolvers<string>()
    const worker = await start([handle(timed, () => gate.promise)])
    await runtime.advance(0)
    const stopping = worker.stop({ timeout: '10s' })
    await runtime.advance(7_000)
    assert.deepEqual([worker.state, worker.abandoned], ['draining', 0])
    gate.resolve('in time')
    await stopping
    const { state, output } = await job(id)
    assert.deepEqual({ state, output }, { state: 'completed', output: '"in time"' })
  })

  test('starts no thread for jobs that are given back unbegun', async (context) => {
    const { enqueue, start, runtime, job, faults } = await openWorkplace(context)
    const ids: string[] = []
    for (let count = 0; count < 6; count += 1) ids.push(await enqueue(steady))
    const gate = Promise.withResolvers<undefined>()
    faults.claim = () => gate.promise
    const worker = await start([steadyHandler], { concurrency: 6 })
    await runtime.advance(0)
    // Its threads end by the real clock, which may be later than its time by the virtual one.
    const stopping = worker.stop({ timeout: '10s' }).catch(() => {})
    await runtime.advance(9_100)
    let started = 0
    const count = (): void => {
      started += 1
    }
    process.on('worker', count)
    context.after(() => process.off('worker', count))
    gate.resolve(undefined)
    await runtime.advance(500)
    assert.equal(started, 0)
    await runtime.advance(500)
    await stopping
    for (const id of ids) assert.equal((await job(id)).state, 'queued')
  })

  test('lets a worker elsewhere go on at the first phase that is not done', async (context) => {
    const { enqueue, start, runtime, job } = await openWorkplace(context)
    const steps = defineJob('steps', { service: 'tests', phases: ['one', 'two'] })
    const id = await enqueue(steps)
    const ran: string[] = []
    const handler = handle(steps)
      .phase('one', ({ attempt }) => {
        ran.push(`one ${attempt}`)
        return 1
      })
      .phase('two', ({ attempt, signal, results }) => {
        ran.push(`two ${attempt}`)
        if (attempt > 1) return results.one + 1
        const { promise, reject } = Promise.withResolvers<number>()
        signal.addEventListener('abort', () => reject(new Error('stopped half-way')))
        return promise
      })
    const first = await start([handler])
    await runtime.advance(0)
    const stopping = first.stop({ timeout: '1s' })
    await runtime.advance(1_000)
    await stopping
    const second = await start([handler])
    await second.idle()
    assert.deepEqual(ran, ['one 1', 'two 1', 'two 2'])
    const { state, output, failures } = await job(id)
    assert.deepEqual({ state, output, failures }, { state: 'completed', output: '2', failures: 0 })
  })

  test('releases the job of a handler that ignores it, ends the session, and says that the time was over', async (context) => {
    const { store, enqueue, start, runtime, job } = await openWorkplace(context)
    const id = await enqueue(convert)
    const gate = Promise.withResolvers<string>()
    const worker = await start([handle(convert, () => gate.promise)])
    await runtime.advance(0)
    const refused = assert.rejects(worker.stop({ timeout: '10s' }), {
      code: 'drain-timeout',
      message: /1 of its handlers did not stop/,
    })
    await runtime.advance(10_000)
    await refused
    assert.equal((await job(id)).state, 'queued')
    assert((await store.sessions.list()).every(({ endedAt }) => endedAt !== null))
    gate.resolve('too late')
    await runtime.advance(1_000)
    const { state, output } = await job(id)
    assert.deepEqual({ state, output }, { state: 'queued', output: null })
    await assert.rejects(worker.stop(), { code: 'drain-timeout' })
  })

  test('waits for handlers no longer once a signal fires, also one of a second call', async (context) => {
    const { enqueue, start, runtime, job } = await openWorkplace(context)
    const id = await enqueue(convert)
    const heard = Promise.withResolvers<unknown>()
    const worker = await start([
      handle(convert, async ({ signal }) => {
        signal.addEventListener('abort', () => heard.resolve(signal.reason))
        await new Promise<never>(() => undefined)
        return ''
      }),
    ])
    await runtime.advance(0)
    const hurry = new AbortController()
    const refused = assert.rejects(worker.stop({ timeout: '1h' }), { code: 'drain-timeout' })
    void worker.stop({ signal: hurry.signal }).catch(() => undefined)
    await runtime.advance(60_000)
    assert.equal((await job(id)).state, 'running')
    hurry.abort()
    await runtime.advance(0)
    await refused
    const reason = await heard.promise
    assert.ok(reason instanceof MillraceError)
    assert.equal(reason.code, 'shutting-down')
    assert.equal((await job(id)).state, 'queued')
  })

  test('cancels the job that was to be cancelled, instead of giving it back', async (context) => {
    const { enqueue, start, runtime, job, cancel } = await openWorkplace(context)
    const id = await enqueue(convert)
    const worker = await start([handle(convert, untilAborted)])
    await runtime.advance(0)
    const stopping = worker.stop({ timeout: '0ms' })
    await cancel(id)
    await runtime.advance(100)
    await stopping.catch(() => {})
    assert.equal((await job(id)).state, 'cancelled')
  })

  test('gives back at once, without its handler, a job whose claim is answered when the waiting is over', async (context) => {
    const { enqueue, start, runtime, job, faults } = await openWorkplace(context)
    const id = await enqueue(convert)
    const gate = Promise.withResolvers<undefined>()
    faults.claim = () => gate.promise
    let ran = false
    const worker = await start([
      handle(convert, () => {
        ran = true
      }),
    ])
    await runtime.advance(0)
    const stopping = worker.stop({ timeout: '10s' })
    await runtime.advance(9_100)
    gate.resolve(undefined)
    await runtime.advance(1_000)
    await stopping.catch(() => {})
    const { state, attempts } = await job(id)
    assert.deepEqual([state, attempts[0]?.outcome, ran], ['queued', 'released', false])
  })

  test('comes to its end although the store takes nothing', async (context) => {
    const { enqueue, start, runtime, faults, logs } = await openWorkplace(context)
    await enqueue(convert)
    faults.apply = () => new Error('the disk is full')
    const worker = await start([handle(convert, () => 'result')])
    await runtime.advance(0)
    const refused = assert.rejects(worker.stop({ timeout: '5s' }), {
      code: 'drain-timeout',
      message: /the store did not take all that was left/,
    })
    await runtime.advance(5_000)
    await refused
    assert(logs.some(({ level, message }) => level === 'error' && message.startsWith('What came of a job could not')))
    assert.equal(runtime.waiting, 0)
  })

  test('happens at the end of its block', async (context) => {
    const { start } = await openWorkplace(context)
    let seen: { readonly state: string } | undefined
    {
      await using worker = await start([handle(convert, () => null)])
      seen = worker
      assert.equal(seen.state, 'running')
    }
    assert.equal(seen.state, 'stopped')
  })
})

describe('the shares of a drain', () => {
  for (const [timeoutMs, longestGraceMs, waitMs, graceMs, releaseMs] of [
    [30_000, 5_000, 24_000, 5_000, 1_000],
    [30_000, 0, 29_000, 0, 1_000],
    [30_000, 60_000, 17_000, 12_000, 1_000],
    [1_000, 5_000, 400, 400, 200],
    [0, 5_000, 0, 0, 0],
  ] as const) {
    test(`of ${timeoutMs} ms with handlers that may take ${longestGraceMs} ms add up`, () => {
      const shares = drainShares(timeoutMs, longestGraceMs)
      assert.deepEqual(shares, { waitMs, graceMs, releaseMs })
      assert.equal(shares.waitMs + shares.graceMs + shares.releaseMs, timeoutMs)
    })
  }
})
