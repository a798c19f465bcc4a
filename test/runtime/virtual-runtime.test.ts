import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { InvalidInputError } from '../../src/core/errors.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'

const START = Date.UTC(2030, 5, 1)

describe('a virtual clock', () => {
  test('stands still until it is moved', async () => {
    const runtime = virtualRuntime({ startAt: START })
    assert.equal(runtime.now(), START)
    await runtime.advance(1_500)
    assert.equal(runtime.now(), START + 1_500)
    assert.equal(runtime.monotonic(), 1_500)
  })

  test('fires timers in their order, each at its own time, and those they set on the way', async () => {
    const runtime = virtualRuntime({ startAt: START })
    const fired: [string, number][] = []
    const fire = (name: string) => (): void => {
      fired.push([name, runtime.now() - START])
    }
    runtime.after(300, fire('third'))
    runtime.after(100, () => {
      fire('first')()
      runtime.after(100, fire('second'))
    })
    runtime.after(300, fire('fourth, set later for the same moment'))
    runtime.after(301, fire('too late'))
    await runtime.advance(300)
    assert.deepEqual(fired, [
      ['first', 100],
      ['second', 200],
      ['third', 300],
      ['fourth, set later for the same moment', 300],
    ])
    assert.equal(runtime.waiting, 1)
  })

  test('lets what a timer set off happen before the next timer fires', async () => {
    const runtime = virtualRuntime()
    const order: string[] = []
    const work = async (): Promise<void> => {
      for (let step = 0; step < 50; step += 1) await Promise.resolve()
      order.push('the work of the first timer')
    }
    runtime.after(10, () => {
      work().catch(() => {})
    })
    runtime.after(11, () => order.push('the second timer'))
    await runtime.advance(11)
    assert.deepEqual(order, ['the work of the first timer', 'the second timer'])
  })

  test('does not fire what was cancelled', async () => {
    const runtime = virtualRuntime()
    const timer = runtime.after(10, () => assert.fail('it was cancelled'))
    timer.cancel()
    await runtime.advance(20)
    assert.equal(runtime.waiting, 0)
  })

  test('says how long it is until the first timer fires', async () => {
    const runtime = virtualRuntime()
    assert.equal(runtime.nextInMs, null)
    runtime.after(50, () => undefined)
    const first = runtime.after(20, () => undefined)
    await runtime.advance(5)
    assert.equal(runtime.nextInMs, 15)
    first.cancel()
    assert.equal(runtime.nextInMs, 45)
    await runtime.advance(45)
    assert.equal(runtime.nextInMs, null)
  })

  test('needs no move for a wait of nothing', async () => {
    const runtime = virtualRuntime()
    const { promise, resolve } = Promise.withResolvers<void>()
    runtime.after(0, resolve)
    runtime.after(0, () => assert.fail('it was cancelled')).cancel()
    await promise
    assert.equal(runtime.monotonic(), 0)
  })

  test('shows its time in shared memory, and tells how far it moved', async () => {
    const runtime = virtualRuntime({ startAt: START })
    const mirror = new BigInt64Array(runtime.clock)
    const moves: number[] = []
    const stop = runtime.onMove((ms) => moves.push(ms))
    assert.equal(mirror[0], BigInt(START))
    runtime.after(40, () => assert.equal(mirror[0], BigInt(START + 40)))
    await runtime.advance(100)
    stop()
    await runtime.advance(5)
    assert.equal(mirror[0], BigInt(START + 105))
    assert.deepEqual(moves, [40, 60])
  })

  test('refuses to go back, and to begin at no instant', async () => {
    await assert.rejects(virtualRuntime().advance(-1), InvalidInputError)
    await assert.rejects(virtualRuntime().advance(0.5), InvalidInputError)
    assert.throws(() => virtualRuntime({ startAt: Number.NaN }), InvalidInputError)
    assert.throws(() => virtualRuntime({ startAt: 1e18 }), InvalidInputError)
  })
})

describe('the randomness of a virtual runtime', () => {
  const draw = (seed: number): unknown => {
    const runtime = virtualRuntime({ seed })
    return [runtime.uuid(), runtime.uuid(), runtime.key(), runtime.random()]
  }

  test('is the same for the same seed and another for another', () => {
    assert.deepEqual(draw(1), draw(1))
    for (const seed of [0, 2, 3, -1, 2 ** 31]) assert.notDeepEqual(draw(seed), draw(1))
  })

  test('fills its ranges', () => {
    const runtime = virtualRuntime({ seed: 5 })
    const numbers = Array.from({ length: 2_000 }, () => runtime.random())
    assert(numbers.every((number) => number >= 0 && number < 1))
    const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length
    assert(Math.abs(mean - 0.5) < 0.05, `the mean is ${mean}`)
    const keys = new Set(Array.from({ length: 1_000 }, () => runtime.key()))
    assert.equal(keys.size, 1_000)
    assert([...keys].every((one) => Number.isSafeInteger(one) && one >= 0 && one < 2 ** 52))
  })
})
