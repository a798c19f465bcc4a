import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { MAX_DURATION_MS } from '../../src/core/duration.ts'
import { DEFAULTS, LIMITS } from '../../src/core/limits.ts'

describe('limits and defaults', () => {
  test('every limit is a whole number above 0', () => {
    assert.deepEqual(
      Object.entries(LIMITS).filter(([, limit]) => !Number.isSafeInteger(limit) || limit <= 0),
      [],
    )
  })

  test('every default is a whole number from 0', () => {
    const defaults: readonly (readonly [string, number])[] = Object.entries(DEFAULTS)
    assert.deepEqual(
      defaults.filter(([, value]) => !Number.isSafeInteger(value) || value < 0),
      [],
    )
  })

  test('defaults keep the limits', () => {
    assert.ok(DEFAULTS.concurrency <= LIMITS.concurrency)
    assert.ok(LIMITS.listPageDefault <= LIMITS.listPage)
    assert.ok(DEFAULTS.maxAttempts >= 1)
    assert.ok(DEFAULTS.maxStrikes >= 1)
  })

  test('a lease outlives several sweeps, and a time-out the lease', () => {
    assert.ok(DEFAULTS.leaseMs >= 3 * DEFAULTS.sweepMs)
    assert.ok(DEFAULTS.timeoutMs > DEFAULTS.leaseMs)
    assert.ok(DEFAULTS.cancelGraceMs < DEFAULTS.drainMs)
  })

  test('a job can be scheduled as far ahead as a duration reaches', () => {
    assert.equal(LIMITS.scheduleAheadMs, MAX_DURATION_MS)
  })

  test('the limits are those of the documents', () => {
    const { inputBytes, resultBytes, progressContextBytes, keyCharacters, enqueueManyJobs } = LIMITS
    assert.deepEqual(
      { inputBytes, resultBytes, progressContextBytes, keyCharacters, enqueueManyJobs },
      {
        inputBytes: 262_144,
        resultBytes: 262_144,
        progressContextBytes: 16_384,
        keyCharacters: 200,
        enqueueManyJobs: 5_000,
      },
    )
    assert.equal(DEFAULTS.timeoutMs, 1_800_000)
    assert.equal(DEFAULTS.leaseMs, 30_000)
    assert.equal(DEFAULTS.keyHoldMs, 86_400_000)
  })
})
