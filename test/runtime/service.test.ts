import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LogFields } from '../../src/runtime/logger.ts'
import { Service } from '../../src/runtime/service.ts'
import type { Pass } from '../../src/runtime/service.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'

interface Bench {
  readonly runtime: VirtualRuntime
  readonly service: Service<number>
  /** When each pass began, milliseconds from the beginning. */
  readonly begun: number[]
  readonly causes: Pass['cause'][]
  readonly errors: LogFields[]
  /** What a pass does beside being counted. */
  during: () => Promise<void> | void
}

function openBench(jitter?: number): Bench {
  const runtime = virtualRuntime()
  const begun: number[] = []
  const causes: Pass['cause'][] = []
  const errors: LogFields[] = []
  const bench: Bench = {
    runtime,
    begun,
    causes,
    errors,
    during: () => {},
    service: new Service({
      name: 'counter',
      runtime,
      logger: { info: () => {}, warn: () => {}, error: (_message, fields = {}) => errors.push(fields) },
      everyMs: 1_000,
      ...(jitter === undefined ? {} : { jitter }),
      pass: async ({ cause }) => {
        begun.push(runtime.monotonic())
        causes.push(cause)
        await bench.during()
        return begun.length
      },
    }),
  }
  return bench
}

describe('a service', () => {
  test('waits with its first pass where it is told to, unless it is woken, and makes none once it was stopped', async () => {
    const { service, runtime, begun } = openBench()
    service.start(2_500)
    await runtime.advance(2_499)
    assert.deepEqual(begun, [])
    await runtime.advance(1_001)
    assert.deepEqual(begun, [2_500, 3_500])
    await service.stop()
    service.start(2_500)
    service.wake()
    await runtime.advance(0)
    assert.equal(begun.length, 3)
    await service.stop()
    service.start(2_500)
    await service.stop()
    await runtime.advance(5_000)
    assert.equal(begun.length, 3)
  })

  test('makes a pass when it starts and then one in every interval, until it is stopped', async () => {
    const { service, runtime, begun, causes } = openBench()
    service.start()
    service.start()
    await runtime.advance(3_500)
    assert.deepEqual(begun, [0, 1_000, 2_000, 3_000])
    assert.deepEqual([...new Set(causes)], ['time'])
    await service.stop()
    assert.equal(runtime.waiting, 0)
    await runtime.advance(5_000)
    assert.equal(begun.length, 4)
    assert.equal(service.started, false)
  })

  test('varies its interval around the mean', async () => {
    const { service, runtime, begun } = openBench(0.4)
    service.start()
    await runtime.advance(100_000)
    await service.stop()
    const gaps = begun.slice(1).map((at, index) => at - (begun[index] ?? 0))
    assert(gaps.every((gap) => gap >= 800 && gap <= 1_201))
    assert(new Set(gaps).size > 20)
    assert(Math.abs(100_000 / gaps.length - 1_000) < 60)
  })

  test('makes its next pass at once when it is woken', async () => {
    const { service, runtime, begun } = openBench()
    service.wake()
    service.start()
    await runtime.advance(300)
    service.wake()
    await runtime.advance(1_100)
    assert.deepEqual(begun, [0, 300, 1_300])
    await service.stop()
  })

  test('makes one more pass right after the one that was under way when it was woken', async () => {
    const bench = openBench()
    const { service, runtime, begun } = bench
    const { promise, resolve } = Promise.withResolvers<void>()
    bench.during = () => promise
    service.start()
    await runtime.advance(100)
    service.wake()
    service.wake()
    assert.deepEqual(begun, [0])
    bench.during = () => {}
    resolve()
    await runtime.advance(10)
    assert.deepEqual(begun, [0, 100])
    await service.stop()
  })

  test('answers a pass that somebody asks for, started or not', async () => {
    const { service, causes } = openBench()
    assert.equal(await service.runOnce(), 1)
    assert.deepEqual(causes, ['asked'])
  })

  test('joins whoever asks to the pass under way', async () => {
    const bench = openBench()
    const { promise, resolve } = Promise.withResolvers<void>()
    bench.during = () => promise
    const first = bench.service.runOnce()
    const second = bench.service.runOnce()
    resolve()
    assert.deepEqual(await Promise.all([first, second]), [1, 1])
    assert.equal(bench.begun.length, 1)
  })

  test('waits, when it is stopped, for the pass under way', async () => {
    const bench = openBench()
    const { promise, resolve } = Promise.withResolvers<void>()
    bench.during = () => promise
    bench.service.start()
    let stopped = false
    const stopping = bench.service.stop().then(() => (stopped = true))
    await bench.runtime.advance(10_000)
    assert.equal(stopped, false)
    resolve()
    await stopping
    assert.equal(bench.runtime.waiting, 0)
  })

  test('logs a pass that failed, waits longer after each, and is on time again after one that went well', async () => {
    const bench = openBench()
    const { service, runtime, begun, errors } = bench
    bench.during = () => {
      throw new Error('no luck')
    }
    service.start()
    await runtime.advance(400_000)
    const gaps = begun.slice(1).map((at, index) => at - (begun[index] ?? 0))
    assert.equal(errors.length, begun.length)
    assert.deepEqual(errors[0], { error: 'no luck', failures: 1 })
    assert((gaps[0] ?? 0) < 2_100)
    assert((gaps.at(-1) ?? 0) >= 30_000)
    assert(gaps.every((gap) => gap <= 60_000))
    service.wake()
    assert.equal(errors.length, begun.length)
    bench.during = () => {}
    await runtime.advance(60_000)
    const before = begun.length
    await runtime.advance(5_000)
    assert.equal(begun.length, before + 5)
    await service.stop()
  })

  test('rejects whoever asked for a pass that failed', async () => {
    const bench = openBench()
    bench.during = () => {
      throw new Error('no luck')
    }
    await assert.rejects(bench.service.runOnce(), /no luck/)
    bench.during = () => {}
    assert.equal(await bench.service.runOnce(), 2)
  })
})
