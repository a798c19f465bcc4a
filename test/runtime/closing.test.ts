import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { Closing, closingTimes } from '../../src/runtime/closing.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'

const NEVER_ENDS = new Promise<never>(() => undefined)

describe('how the time of a closing is divided', () => {
  for (const [timeoutMs, times] of [
    [40_000, { hurry: 36_000, work: 38_000, services: 39_000, cut: 39_500, store: 40_000 }],
    [1_000, { hurry: 600, work: 800, services: 900, cut: 950, store: 1_000 }],
    [0, { hurry: 0, work: 0, services: 0, cut: 0, store: 0 }],
  ] as const) {
    test(`of ${timeoutMs} ms`, () => assert.deepEqual(closingTimes(timeoutMs), times))
  }
})

describe('a closing', () => {
  test('ends as soon as all are at rest, and leaves no timer', async () => {
    const runtime = virtualRuntime()
    const closing = new Closing(runtime, 1_000)
    await closing.rest('workers', 'work', Promise.resolve())
    await closing.rest('store', 'store', Promise.resolve())
    closing.end()
    assert.equal(runtime.waiting, 0)
  })

  test('goes on with the next in time, tells those who wait to hurry, and the last that it is cut off', async () => {
    const runtime = virtualRuntime()
    const closing = new Closing(runtime, 1_000)
    const at: Record<string, number> = {}
    const note = (name: string) => (): void => void (at[name] = runtime.now() - begunAt)
    const begunAt = runtime.now()
    closing.hurry.addEventListener('abort', note('hurry'))
    closing.cut.addEventListener('abort', note('cut'))
    const steps = closing
      .rest('workers', 'work', NEVER_ENDS)
      .then(note('workers'))
      .then(() => closing.rest('log', 'services', NEVER_ENDS))
      .then(note('log'))
      .then(() => closing.rest('store', 'store', NEVER_ENDS))
      .then(note('store'))
    for (let ms = 0; ms < 1_000; ms += 50) await runtime.advance(50)
    await steps
    assert.deepEqual(at, { hurry: 600, workers: 800, log: 900, cut: 950, store: 1_000 })
    assert.throws(() => closing.end(), {
      code: 'close-timeout',
      details: { timeoutMs: 1_000, unfinished: ['workers', 'log', 'store'] },
    })
  })

  test('counts as unfinished what had to be cut off, and what was given less time than it wanted', async () => {
    const runtime = virtualRuntime()
    const closing = new Closing(runtime, 1_000)
    const cut = new Promise((resolve) => closing.cut.addEventListener('abort', resolve))
    closing.missed('workers')
    const resting = closing.rest('store', 'store', cut)
    await runtime.advance(1_000)
    await resting
    assert.throws(() => closing.end(), { details: { timeoutMs: 1_000, unfinished: ['workers', 'store'] } })
  })

  test('throws what went wrong first, or has it as the cause of the time-out', async () => {
    const failed = new Error('the first')
    const closing = new Closing(virtualRuntime(), 1_000)
    await closing.rest('workers', 'work', Promise.reject(failed))
    await closing.rest('store', 'store', Promise.reject(new Error('the second')))
    assert.throws(
      () => closing.end(),
      (error) => error === failed,
    )
    closing.missed('workers')
    assert.throws(() => closing.end(), { code: 'close-timeout', cause: failed })
  })
})
