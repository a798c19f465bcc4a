import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULT_BACKOFF, backoffDelayMs, retryDelayMs } from '../../src/core/retry.ts'
import type { Backoff } from '../../src/core/retry.ts'

const plain: Backoff = { kind: 'exponential', baseMs: 1_000, maxMs: 60_000, factor: 2, jitter: 0 }
const ALMOST_ONE = 1 - Number.EPSILON

describe('the wait between two attempts', () => {
  const rows: readonly (readonly [string, Backoff, number, number, number])[] = [
    ['is the base after the first failure', plain, 1, 0.7, 1_000],
    ['doubles after the second', plain, 2, 0.7, 2_000],
    ['doubles again after the third', plain, 3, 0.7, 4_000],
    ['stops at the cap', plain, 7, 0.7, 60_000],
    ['stays at the cap after very many failures', plain, 1e9, 0.7, 60_000],
    ['stays at the cap after infinitely many failures', plain, Infinity, 0.7, 60_000],
    ['takes no failure for the first', plain, 0, 0.7, 1_000],
    ['grows by another factor', { ...plain, factor: 1.5 }, 3, 0, 2_250],
    ['stays 0 with a base of 0, however many failures', { ...plain, baseMs: 0 }, 5_000, 0.5, 0],
    ['is never negative', { ...plain, maxMs: -1 }, 1, 0.5, 0],
    ['is fixed when the backoff is', { ...plain, kind: 'fixed' }, 9, 0, 1_000],
    ['is capped when fixed too', { ...plain, kind: 'fixed', baseMs: 90_000 }, 1, 0, 60_000],
    ['is nothing at the low end of full jitter', { ...plain, jitter: 1 }, 3, 0, 0],
    ['is nearly all at the high end of full jitter', { ...plain, jitter: 1 }, 3, ALMOST_ONE, 3_999],
    ['is half at the low end of equal jitter', { ...plain, jitter: 0.5 }, 3, 0, 2_000],
    ['is three quarters in the middle of equal jitter', { ...plain, jitter: 0.5 }, 3, 0.5, 3_000],
    ['keeps whole milliseconds', { ...plain, baseMs: 3, jitter: 1 }, 1, 0.5, 1],
  ]
  for (const [sentence, backoff, failures, random, expected] of rows) {
    test(sentence, () => assert.equal(backoffDelayMs(backoff, failures, random), expected))
  }

  test('never exceeds the cap, whatever the jitter', () => {
    for (const jitter of [0, 0.1, 0.3, 0.5, 0.7, 1]) {
      for (let failures = 1; failures < 2_000; failures += 37) {
        const delayMs = backoffDelayMs({ ...plain, jitter }, failures, ALMOST_ONE)
        assert.ok(delayMs >= 0 && delayMs <= plain.maxMs, `${delayMs} after ${failures} failures`)
      }
    }
  })

  test('by default begins between half a second and a second and ends between 5 and 10 minutes', () => {
    assert.equal(backoffDelayMs(DEFAULT_BACKOFF, 1, 0), 500)
    assert.equal(backoffDelayMs(DEFAULT_BACKOFF, 1, 0.99), 995)
    assert.equal(backoffDelayMs(DEFAULT_BACKOFF, 30, 0), 300_000)
    assert.equal(backoffDelayMs(DEFAULT_BACKOFF, 30, 0.99), 597_000)
  })
})

describe('a wait that the other side asked for', () => {
  const rows: readonly (readonly [string, number | undefined, number])[] = [
    ['is not needed', undefined, 1_000],
    ['gives way to a longer backoff', 400, 1_000],
    ['holds where it is longer than the backoff', 30_000, 30_000],
    ['may exceed the cap of the backoff', 3_600_000, 3_600_000],
    ['is never longer than a day', 1e15, 86_400_000],
    ['is rounded up to whole milliseconds', 1_500.2, 1_501],
  ]
  for (const [sentence, retryAfterMs, expected] of rows) {
    test(sentence, () => assert.equal(retryDelayMs({ backoff: plain, failures: 1, random: 0, retryAfterMs }), expected))
  }
})
