import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Plan } from '../../src/core/plan.ts'
import {
  FAIL_FINAL,
  FAIL_RETRY,
  REAP,
  REAP_POISON,
  REAP_STRIKE,
  REAP_STUCK,
  REAP_SUSPECT,
  TIME_OUT_FINAL,
  TIME_OUT_RETRY,
} from '../../src/core/plans.ts'
import type { Backoff } from '../../src/core/retry.ts'
import { planReap, planStuck, settleFailure, settleTimeOut, stuckAt } from '../../src/core/settle.ts'
import type { Orphan, SettleFailure } from '../../src/core/settle.ts'

const backoff: Backoff = { kind: 'exponential', baseMs: 1_000, maxMs: 60_000, factor: 2, jitter: 0 }
const failure: SettleFailure = {
  failures: 0,
  maxAttempts: 3,
  backoff,
  verdict: { fatal: false, rule: 'unknown' },
  random: 0,
}

describe('what becomes of an attempt that failed', () => {
  test('it is tried again after the wait of its backoff', () => {
    assert.deepEqual(settleFailure(failure), { plan: FAIL_RETRY, values: { delayMs: 1_000 }, willRetry: true })
  })

  test('the wait grows with the failures', () => {
    assert.deepEqual(settleFailure({ ...failure, failures: 1 }).values, { delayMs: 2_000 })
  })

  test('the wait is as long as the other side asked for', () => {
    const verdict = { fatal: false, rule: 'http-429', retryAfterMs: 7_500 }
    assert.deepEqual(settleFailure({ ...failure, verdict }).values, { delayMs: 7_500 })
  })

  test('the last failure is final', () => {
    assert.deepEqual(settleFailure({ ...failure, failures: 2 }), { plan: FAIL_FINAL, values: {}, willRetry: false })
  })

  test('the only attempt of a job is its last', () => {
    assert.equal(settleFailure({ ...failure, maxAttempts: 1 }).plan, FAIL_FINAL)
  })

  test('a fatal failure is final, however many attempts are left', () => {
    const verdict = { fatal: true, rule: 'http-4xx' }
    assert.deepEqual(settleFailure({ ...failure, verdict }), { plan: FAIL_FINAL, values: {}, willRetry: false })
  })
})

describe('what becomes of an attempt that took too long', () => {
  test('it is tried again after the wait of its backoff', () => {
    const settlement = settleTimeOut({ ...failure, failures: 1 })
    assert.deepEqual(settlement, { plan: TIME_OUT_RETRY, values: { delayMs: 2_000 }, willRetry: true })
  })

  test('it is final where it was the last', () => {
    const settlement = settleTimeOut({ ...failure, failures: 2 })
    assert.deepEqual(settlement, { plan: TIME_OUT_FINAL, values: {}, willRetry: false })
  })
})

const normal: Orphan = { suspect: false, strikes: 0 }
const suspect: Orphan = { suspect: true, strikes: 0 }
const struckTwice: Orphan = { suspect: true, strikes: 2 }

const deaths: readonly { title: string; orphans: readonly Orphan[]; plans: readonly Plan[] }[] = [
  { title: 'nothing was in flight', orphans: [], plans: [] },
  { title: 'one job is a suspect from then on', orphans: [normal], plans: [REAP_SUSPECT] },
  { title: 'all jobs are suspects where none was', orphans: [normal, normal], plans: [REAP_SUSPECT, REAP_SUSPECT] },
  {
    title: 'the suspect gets a strike and the others go free',
    orphans: [normal, suspect, normal],
    plans: [REAP, REAP_STRIKE, REAP],
  },
  { title: 'the last strike makes it poison', orphans: [struckTwice, normal], plans: [REAP_POISON, REAP] },
]

describe('what becomes of the jobs of a dead session', () => {
  for (const { title, orphans, plans } of deaths) {
    test(title, () => assert.deepEqual(planReap(orphans, 3), plans))
  }

  test('with one strike allowed, the second death is the last', () => {
    assert.deepEqual(planReap([normal], 1), [REAP_SUSPECT])
    assert.deepEqual(planReap([suspect], 1), [REAP_POISON])
  })
})

describe('a job that is driven by hand', () => {
  test('is stuck when its lock has run out and it has been quiet, whichever comes last', () => {
    assert.equal(stuckAt({ lockExpiresAt: 900, updatedAt: 0, quietMs: 600 }), 900)
    assert.equal(stuckAt({ lockExpiresAt: 900, updatedAt: 500, quietMs: 600 }), 1_100)
  })

  test('starts again where nothing was done, or all that counts is kept', () => {
    assert.equal(planStuck({ phase: 0, progress: 0, progressed: 'fail' }), REAP)
    assert.equal(planStuck({ phase: 1, progress: 50, progressed: 'fail' }), REAP)
  })

  test('has failed where something was done, unless its type says otherwise', () => {
    assert.equal(planStuck({ phase: 0, progress: 40, progressed: 'fail' }), REAP_STUCK)
    assert.equal(planStuck({ phase: 0, progress: 40, progressed: 'requeue' }), REAP)
  })
})
