import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { DEFAULT_RETENTION, latestExpiredEnd, purgeBatches, retentionRule } from '../../src/core/retention.ts'

const DAY = 86_400_000

describe('retention', () => {
  test('completed jobs are kept for a week, the others that are over for thirty days, however many', () => {
    assert.deepEqual(DEFAULT_RETENTION, {
      completed: { ageMs: 7 * DAY, count: null },
      failed: { ageMs: 30 * DAY, count: null },
      cancelled: { ageMs: 30 * DAY, count: null },
    })
  })

  test('what a type says goes before what the store says, part by part', () => {
    const store = { ...DEFAULT_RETENTION, completed: { ageMs: 10, count: 5 } }
    assert.deepEqual(retentionRule(undefined, store, 'completed'), { ageMs: 10, count: 5 })
    assert.deepEqual(retentionRule({ failed: { ageMs: 1 } }, store, 'completed'), { ageMs: 10, count: 5 })
    assert.deepEqual(retentionRule({ completed: { ageMs: null } }, store, 'completed'), { ageMs: null, count: 5 })
    assert.deepEqual(retentionRule({ completed: { count: 1 } }, store, 'completed'), { ageMs: 10, count: 1 })
  })

  test('a job has expired when its time is over, and never where there is none', () => {
    assert.equal(latestExpiredEnd({ ageMs: 100, count: null }, 1_100), 1_000)
    assert.equal(latestExpiredEnd({ ageMs: null, count: 1 }, Number.MAX_SAFE_INTEGER), null)
  })
})

describe('jobs are deleted in batches', () => {
  const jobs = (count: number, eventSeq: number): readonly { readonly eventSeq: number }[] =>
    Array.from({ length: count }, () => ({ eventSeq }))

  test('of 500 at most', () => {
    assert.deepEqual(
      purgeBatches(jobs(1_001, 3)).map(({ length }) => length),
      [500, 500, 1],
    )
    assert.deepEqual(purgeBatches([]), [])
  })

  test('of 5,000 events at most, but for a job that has more by itself', () => {
    assert.deepEqual(
      purgeBatches([...jobs(3, 2_000), ...jobs(1, 90_000), ...jobs(2, 10)]).map(({ length }) => length),
      [2, 1, 1, 2],
    )
  })
})
