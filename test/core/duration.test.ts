import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MAX_DURATION_MS, formatDuration, parseDuration } from '../../src/core/duration.ts'
import type { Duration } from '../../src/core/duration.ts'
import { InvalidInputError } from '../../src/core/errors.ts'

describe('a duration is read', () => {
  const rows: readonly (readonly [Duration, number])[] = [
    [0, 0],
    [250, 250],
    ['0s', 0],
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['1.005s', 1_005],
    [0.1 * 3 * 1_000, 300],
    ['3650d', MAX_DURATION_MS],
  ]
  for (const [given, expected] of rows) {
    test(`${given} is ${expected} ms`, () => assert.equal(parseDuration(given, 'timeout'), expected))
  }
})

describe('a duration is refused, with its path and what was given', () => {
  const rows: readonly (readonly [unknown, string])[] = [
    [-1, '-1'],
    [0.5, '0.5'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [MAX_DURATION_MS + 1, '315360000001'],
    ['3651d', '"3651d"'],
    ['0.5ms', '"0.5ms"'],
    ['-5s', '"-5s"'],
    ['1e3s', '"1e3s"'],
    ['5', '"5"'],
    ['5 m', '"5 m"'],
    ['5M', '"5M"'],
    ['', '""'],
    ['9'.repeat(5_000), `"${'9'.repeat(40)}"`],
    [null, 'object'],
    [undefined, 'undefined'],
    [5n, 'bigint'],
  ]
  for (const [given, received] of rows) {
    test(received, () => {
      assert.throws(
        () => parseDuration(given as Duration, 'retry.backoff.base'),
        (error: unknown) => {
          assert.ok(error instanceof InvalidInputError)
          assert.equal(error.path, 'retry.backoff.base')
          assert.match(error.expected, /whole milliseconds from 0 to 3650d/)
          assert.equal(error.details['received'], received)
          return true
        },
      )
    })
  }
})

describe('a duration is shown', () => {
  const rows: readonly (readonly [number, string])[] = [
    [0, '0ms'],
    [0.4, '0ms'],
    [1, '1ms'],
    [250, '250ms'],
    [999.9, '999ms'],
    [1_000, '1s'],
    [1_500, '1s 500ms'],
    [90_000, '1m 30s'],
    [90_999, '1m 30s'],
    [300_000, '5m'],
    [3_600_000, '1h'],
    [3_630_000, '1h'],
    [5_400_000, '1h 30m'],
    [86_399_999, '23h 59m'],
    [183_600_000, '2d 3h'],
    [MAX_DURATION_MS, '3650d'],
    [-1_500, '-1s 500ms'],
  ]
  for (const [ms, expected] of rows) {
    test(`${ms} ms as ${expected}`, () => assert.equal(formatDuration(ms), expected))
  }
})
