import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { Alarms } from '../../src/worker/alarms.ts'

describe('alarms', () => {
  test('ring each at its time, on one timer', async () => {
    const runtime = virtualRuntime()
    const rung: [string, number][] = []
    const alarms = new Alarms<string>(runtime, (name) => rung.push([name, runtime.monotonic()]))
    alarms.set('c', 300)
    alarms.set('a', 100)
    alarms.set('b', 200)
    assert.equal(runtime.waiting, 1)
    await runtime.advance(1_000)
    assert.deepEqual(rung, [
      ['a', 100],
      ['b', 200],
      ['c', 300],
    ])
    assert.equal(runtime.waiting, 0)
  })

  test('do not ring once cleared, and ring at their new time once moved', async () => {
    const runtime = virtualRuntime()
    const rung: [string, number][] = []
    const alarms = new Alarms<string>(runtime, (name) => rung.push([name, runtime.monotonic()]))
    alarms.set('cleared', 100)
    alarms.set('later', 100)
    alarms.set('sooner', 500)
    alarms.clear('cleared')
    alarms.set('later', 400)
    alarms.set('sooner', 50)
    await runtime.advance(1_000)
    assert.deepEqual(rung, [
      ['sooner', 50],
      ['later', 400],
    ])
  })

  test('may be set and cleared by one that rings', async () => {
    const runtime = virtualRuntime()
    const rung: string[] = []
    const alarms: Alarms<string> = new Alarms<string>(runtime, (name) => {
      rung.push(name)
      if (name === 'first') alarms.set('second', runtime.monotonic() + 10)
    })
    alarms.set('first', 10)
    await runtime.advance(100)
    assert.deepEqual(rung, ['first', 'second'])
  })

  test('leave nothing behind when they are closed', async () => {
    const runtime = virtualRuntime()
    const alarms = new Alarms<string>(runtime, () => assert.fail('it was closed'))
    alarms.set('a', 10)
    alarms.close()
    assert.equal(runtime.waiting, 0)
    await runtime.advance(100)
  })

  test('ring neither early nor late, in whatever order they are set, moved and cleared', async () => {
    const act = fc.record({
      subject: fc.integer({ min: 0, max: 5 }),
      at: fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }),
      gapMs: fc.integer({ min: 0, max: 20 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 20 }), async (acts) => {
        const runtime = virtualRuntime()
        const expected = new Map<number, number>()
        const alarms = new Alarms<number>(runtime, (subject) => {
          assert.equal(runtime.monotonic(), expected.get(subject))
          expected.delete(subject)
        })
        for (const { subject, at, gapMs } of acts) {
          if (at === undefined) {
            alarms.clear(subject)
            expected.delete(subject)
          } else {
            const ringsAt = runtime.monotonic() + 1 + at
            alarms.set(subject, ringsAt)
            expected.set(subject, ringsAt)
          }
          await runtime.advance(gapMs)
        }
        await runtime.advance(100)
        assert.equal(expected.size, 0)
      }),
      { numRuns: 30 },
    )
  })
})
