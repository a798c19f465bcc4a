import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { LONGEST_TIMER_MS, systemRuntime } from '../../src/runtime/system-runtime.ts'

test('a timer fires once, after its time', async () => {
  const runtime = systemRuntime()
  const startedAt = runtime.monotonic()
  const { promise, resolve } = Promise.withResolvers<void>()
  runtime.after(5, resolve)
  await promise
  assert(runtime.monotonic() - startedAt >= 4, 'it did not wait')
})

test('a wait of nothing comes before any timer, and can be cancelled', async () => {
  const runtime = systemRuntime()
  const order: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  runtime.after(2, resolve)
  runtime.after(0, () => order.push('cancelled')).cancel()
  runtime.after(0, () => order.push('now'))
  await promise
  assert.deepEqual(order, ['now'])
})

test('a wait of nothing ends where a test of an application has replaced the timers', async (context) => {
  mock.timers.enable({ apis: ['setImmediate'] })
  context.after(() => mock.timers.reset())
  await new Promise<void>((resolve) => systemRuntime().after(0, resolve))
})

test('a wait beyond what Node can set is split', (context) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  context.after(() => mock.timers.reset())
  const runtime = systemRuntime()
  let fired = 0
  runtime.after(LONGEST_TIMER_MS * 2 + 10, () => (fired += 1))
  mock.timers.tick(LONGEST_TIMER_MS)
  mock.timers.tick(LONGEST_TIMER_MS)
  mock.timers.tick(9)
  assert.equal(fired, 0)
  mock.timers.tick(1)
  assert.equal(fired, 1)
})

test('a split wait can be cancelled in its later parts', (context) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  context.after(() => mock.timers.reset())
  const timer = systemRuntime().after(LONGEST_TIMER_MS + 10, () => assert.fail('it was cancelled'))
  mock.timers.tick(LONGEST_TIMER_MS)
  timer.cancel()
  mock.timers.tick(100)
})

test('keys have 52 bits and do not repeat', () => {
  const runtime = systemRuntime()
  const keys = Array.from({ length: 5_000 }, () => runtime.key())
  assert.equal(new Set(keys).size, keys.length)
  assert(keys.every((one) => Number.isSafeInteger(one) && one >= 0 && one < 2 ** 52))
  assert(keys.some((one) => one >= 2 ** 51))
})

test("random numbers lie in [0, 1) and the clock is the machine's", () => {
  const runtime = systemRuntime()
  const number = runtime.random()
  assert(number >= 0 && number < 1)
  assert(Math.abs(runtime.now() - Date.now()) < 1_000)
})
