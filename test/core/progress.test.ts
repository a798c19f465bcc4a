import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { InvalidInputError } from '../../src/core/errors.ts'
import { acceptProgress, jobProgress, progressDecision } from '../../src/core/progress.ts'
import type { ProgressDecision, ProgressMoment } from '../../src/core/progress.ts'

describe('progress that is told', () => {
  const accepted: readonly (readonly [string, number, number, number | 'ignored'])[] = [
    ['counts when it rises', 10, 12.5, 12.5],
    ['counts when it stays, as a sign of life', 10, 10, 10],
    ['is ignored when it falls', 10, 9.99, 'ignored'],
    ['may be 0 at the start', 0, 0, 0],
    ['may be 100', 99, 100, 100],
  ]
  for (const [sentence, current, next, expected] of accepted) {
    test(sentence, () => assert.equal(acceptProgress({ current, next }), expected))
  }

  const refused: readonly (readonly [unknown, string])[] = [
    [-0.001, '-0.001'],
    [100.001, '100.001'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    ['50', 'string'],
    [undefined, 'undefined'],
  ]
  for (const [next, received] of refused) {
    test(`is refused when it is ${received}`, () => {
      assert.throws(
        () => acceptProgress({ current: 0, next: next as number }),
        (error: unknown) => {
          assert.ok(error instanceof InvalidInputError)
          assert.equal(error.path, 'progress')
          assert.equal(error.details['received'], received)
          return true
        },
      )
    })
  }
})

describe('accepted progress', () => {
  const last = { lastWriteAt: 10_000, lastEventAt: 10_000, lastEventPercent: 40 }
  const rows: readonly (readonly [string, ProgressMoment, ProgressDecision])[] = [
    ['is written and told at once the first time', { now: 5, percent: 1 }, { write: true, event: true, dueInMs: 0 }],
    [
      'is not told while it is below the first whole percent',
      { now: 5, percent: 0.9 },
      { write: true, event: false, dueInMs: 0 },
    ],
    [
      'waits for the rest of 250 ms after a write',
      { ...last, now: 10_100, percent: 50 },
      { write: false, event: false, dueInMs: 150 },
    ],
    [
      'waits one more millisecond after 249',
      { ...last, now: 10_249, percent: 50 },
      { write: false, event: false, dueInMs: 1 },
    ],
    [
      'is written after 250 ms, without an event within the second',
      { ...last, now: 10_250, percent: 50 },
      { write: true, event: false, dueInMs: 0 },
    ],
    [
      'is told a second after the last event',
      { ...last, now: 11_000, percent: 50 },
      { write: true, event: true, dueInMs: 0 },
    ],
    [
      'is not told again within the same whole percent',
      { ...last, now: 60_000, percent: 40.9 },
      { write: true, event: false, dueInMs: 0 },
    ],
    [
      'is not told while the write itself must wait',
      { ...last, lastWriteAt: 11_900, now: 12_000, percent: 50 },
      { write: false, event: false, dueInMs: 150 },
    ],
    [
      'is not held up by a clock that was set back',
      { ...last, now: 3_000, percent: 50 },
      { write: true, event: true, dueInMs: 0 },
    ],
  ]
  for (const [sentence, moment, expected] of rows) {
    test(sentence, () => assert.deepEqual(progressDecision(moment), expected))
  }
})

describe('the progress of a job', () => {
  const rows: readonly (readonly [string, number, number, number, number])[] = [
    ['is that of its only phase', 0, 1, 37.5, 37.5],
    ['is 0 at the start', 0, 4, 0, 0],
    ['counts each phase alike', 1, 4, 50, 37.5],
    ['grows over a finished phase without a step back', 2, 4, 0, 50],
    ['is 100 at the end of the last phase', 2, 3, 100, 100],
    ['is 100 when every phase is done', 3, 3, 0, 100],
  ]
  for (const [sentence, phaseIndex, phaseCount, phaseProgress, expected] of rows) {
    test(sentence, () => assert.equal(jobProgress({ phaseIndex, phaseCount, phaseProgress }), expected))
  }
})
