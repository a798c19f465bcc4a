import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { classifyError } from '../../../src/core/classification.ts'
import { errorWith } from './verdicts.ts'

describe('the wait that the other side asked for', () => {
  const now = 784_111_777_000 - 90_000
  const date = 'Sun, 06 Nov 1994 08:49:37 GMT'
  const rows: readonly (readonly [string, object, number | undefined])[] = [
    ['in a plain object', { headers: { 'retry-after': '5' } }, 5_000],
    ['in a plain object with capitals', { headers: { 'X-A': '1', 'Retry-After': 5 } }, 5_000],
    ['in Headers', { headers: new Headers({ 'Retry-After': '7' }) }, 7_000],
    ['in a Map', { headers: new Map([['retry-after', '7']]) }, 7_000],
    ['in a Map with capitals it is not found', { headers: new Map([['Retry-After', '7']]) }, undefined],
    ['in a response', { response: { headers: { 'retry-after': '5' } } }, 5_000],
    ['in responseHeaders', { responseHeaders: { 'retry-after': '5' } }, 5_000],
    [
      'in a list of pairs',
      {
        headers: [
          ['a', 'b'],
          ['Retry-After', '5'],
        ],
      },
      5_000,
    ],
    ['in a flat list', { headers: ['a', 'b', 'Retry-After', '5'] }, 5_000],
    ['in a flat list with an odd end', { headers: ['a', 'b', 'Retry-After'] }, undefined],
    ['as a list of values', { headers: { 'retry-after': ['5', '6'] } }, 5_000],
    ['in milliseconds', { headers: { 'retry-after-ms': '1500', 'retry-after': '2' } }, 1_500],
    ['as retryAfter', { retryAfter: 3 }, 3_000],
    ['as retry_after', { retry_after: '3' }, 3_000],
    ['as retryAfterMs', { retryAfterMs: 250.5, retryAfter: 3 }, 251],
    ['with a fraction', { retryAfter: '1.5' }, 1_500],
    ['of nothing', { retryAfter: 0 }, 0],
    ['as a date', { headers: { 'retry-after': date } }, 90_000],
    ['as a date that has passed', { headers: { 'retry-after': 'Sun, 06 Nov 1994 08:00:00 GMT' } }, 0],
    ['as a leap day', { retryAfter: 'Mon, 29 Feb 2016 00:00:00 GMT' }, 86_400_000],
    ['of more than a day', { retryAfter: 1e9 }, 86_400_000],
    ['without end', { retryAfter: Infinity }, 86_400_000],
    ['that is negative', { retryAfter: -1 }, undefined],
    ['that is no number', { retryAfter: Number.NaN }, undefined],
    ['that is no date', { headers: { 'retry-after': 'soon' } }, undefined],
    ['as a date with no such month', { retryAfter: 'Sun, 06 Nop 1994 08:49:37 GMT' }, undefined],
    ['with an empty list', { headers: [] }, undefined],
    ['with a getter that throws', { headers: { get: () => assert.fail('no') } }, undefined],
    ['with a getter that finds nothing', { headers: { get: () => null } }, undefined],
    ['with headers that are none', { headers: 5 }, undefined],
    ['with null for headers', { headers: null }, undefined],
  ]
  for (const [sentence, fields, expected] of rows) {
    test(sentence, () => {
      const verdict = classifyError(errorWith({ status: 429, ...fields }), [], { now })
      const wait = expected === undefined ? {} : { retryAfterMs: expected }
      assert.deepEqual(verdict, { fatal: false, rule: 'http-429', ...wait })
    })
  }

  test('is counted from the given instant, in any year', () => {
    for (const at of [
      0, 68_169_600_000, 951_782_400_000, 951_868_800_000, 1_709_164_800_000, 4_107_542_400_000, 7_983_791_999_000,
    ]) {
      const verdict = classifyError({ status: 503, retryAfter: new Date(at).toUTCString() }, [], { now: at - 1_000 })
      assert.equal(verdict.retryAfterMs, 1_000, new Date(at).toUTCString())
    }
  })

  test('is not known from a date without an instant', () => {
    assert.deepEqual(classifyError({ status: 503, retryAfter: date }), { fatal: false, rule: 'http-5xx' })
  })

  test('is found in a cause', () => {
    const error = new Error('could not load', { cause: errorWith({ status: 429, retryAfter: 5 }) })
    assert.deepEqual(classifyError(error), { fatal: false, rule: 'http-429', retryAfterMs: 5_000 })
  })

  test('is found in a member', () => {
    const error = Object.assign(new AggregateError([errorWith({ status: 429, retryAfter: 5 })], 'all failed'), {
      cause: new Error('x'),
    })
    assert.deepEqual(classifyError(error), { fatal: false, rule: 'http-429', retryAfterMs: 5_000 })
  })

  test('is left out of a fatal verdict', () => {
    assert.deepEqual(classifyError({ status: 404, retryAfter: 5 }), { fatal: true, rule: 'http-4xx' })
  })
})
