import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FRESH_TRUST, isTrusted, judgePass } from '../../src/maintenance/reaper-trust.ts'

const EVERY_MS = 5_000
const LEASE_MS = 30_000

/** Whether a reaper would sweep at each of these seconds, given that its passes were then. */
function sweeps(seconds: readonly number[], leaseMs = LEASE_MS): readonly boolean[] {
  let trust = FRESH_TRUST
  return seconds.map((second) => {
    const judgement = judgePass(trust, { now: second * 1_000, everyMs: EVERY_MS, leaseMs })
    trust = judgement.trust
    return judgement.sweep
  })
}

const T = true
const F = false

describe('a reaper', () => {
  for (const [what, seconds, expected] of [
    ['that has just been started sweeps', [100], [T]],
    ['whose passes are on time sweeps each time', [100, 105, 110, 115], [T, T, T, T]],
    ['whose pass is a little late sweeps', [100, 105, 115, 120], [T, T, T, T]],
    ['that slept waits a lease', [100, 105, 200, 205, 210, 215, 220, 225, 229, 230], [T, T, F, F, F, F, F, F, F, T]],
    [
      'that slept twice waits a lease after the second sleep',
      [100, 200, 205, 300, 325, 329, 330, 335],
      [T, F, F, F, F, F, F, F],
    ],
    [
      'whose clock was set back waits a lease',
      [100, 105, 50, 55, 60, 65, 70, 75, 80, 85],
      [T, T, F, F, F, F, F, F, T, T],
    ],
  ] as const) {
    test(what, () => {
      assert.deepEqual(sweeps(seconds), expected)
    })
  }

  test('with a short lease wants two passes on time all the same', () => {
    assert.deepEqual(sweeps([100, 200, 205, 210], 1_000), [T, F, F, T])
  })
})

test('between two passes somebody else may sweep as long as the latest was trusted and the next is not late', () => {
  const trusted = { lastPassAt: 100_000, onTime: 2, heldUntil: 0 }
  const pass = { now: 101_000, everyMs: 5_000 }
  assert.equal(isTrusted(FRESH_TRUST, pass), true)
  assert.equal(isTrusted(trusted, pass), true)
  assert.equal(isTrusted({ ...trusted, onTime: 1 }, pass), false)
  assert.equal(isTrusted({ ...trusted, heldUntil: 101_001 }, pass), false)
  assert.equal(isTrusted(trusted, { ...pass, now: 110_001 }), false)
  assert.equal(isTrusted(trusted, { ...pass, now: 99_999 }), false)
  assert.equal(isTrusted(trusted, { now: 900_000, everyMs: null }), true)
})
