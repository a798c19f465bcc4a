import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { uuidV7Maker } from '../../src/runtime/uuid-v7.ts'

const SHAPE = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('an id is a UUID of version 7 with the time at its front', () => {
  const at = Date.UTC(2026, 3, 5, 6, 7, 8, 9)
  const make = uuidV7Maker({ now: () => at, randomBelow: (bound) => bound - 1 })
  const id = make()
  assert.match(id, SHAPE)
  assert.equal(Number.parseInt(id.replace('-', '').slice(0, 12), 16), at)
})

test('each id is greater than the one before, whatever the clock does', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 200 }), (steps) => {
      let at = 1_800_000_000_000
      const make = uuidV7Maker({ now: () => at, randomBelow: (bound) => Math.floor(bound / 2) })
      const ids = steps.map((step) => {
        at += step
        return make()
      })
      assert.deepEqual(ids, [...new Set(ids)].toSorted())
    }),
  )
})

test('ten thousand ids of one millisecond are in order, and the time at their front hardly runs ahead', () => {
  const at = 1_800_000_000_000
  const make = uuidV7Maker({ now: () => at, randomBelow: () => 0 })
  const ids = Array.from({ length: 10_000 }, make)
  assert.deepEqual(ids, [...new Set(ids)].toSorted())
  const last = Number.parseInt((ids.at(-1) ?? '').replace('-', '').slice(0, 12), 16)
  assert(last - at <= 3, `it ran ${last - at} ms ahead`)
})

test('the ids of the system do not repeat', () => {
  const runtime = systemRuntime()
  const ids = Array.from({ length: 20_000 }, () => runtime.uuid())
  assert.equal(new Set(ids).size, ids.length)
  assert(ids.every((id) => SHAPE.test(id)))
  assert.deepEqual(ids, ids.toSorted())
})
