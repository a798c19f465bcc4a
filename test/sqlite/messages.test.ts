/** What travels between the store and its threads comes out as it went in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import * as fc from 'fast-check'

import { MillraceError } from '../../src/core/errors.ts'
import { answersOf, countAnswers, flattenAnswers, flattenCalls, unflattenCalls } from '../../src/sqlite/messages.ts'
import type { NumberedCall } from '../../src/sqlite/messages.ts'
import { READS, WRITES } from '../../src/sqlite/operations.ts'
import type { OperationName } from '../../src/sqlite/operations.ts'
import type { CallOutcome } from '../../src/sqlite/operations.ts'
import { scaled } from '../support/scale.ts'

const NAMES = [...Object.keys(WRITES), ...Object.keys(READS)] as OperationName[]

/** Often the next, sometimes a few on, at times back. */
const numbers: fc.Arbitrary<readonly number[]> = fc
  .array(
    fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.integer({ min: -3, max: 5 }) }),
    {
      minLength: 1,
      maxLength: 60,
    },
  )
  .map((steps) => {
    let last = 100
    return steps.map((step) => (last += step))
  })

/** Equal, and one and the same where it is an object: as refusals and results are shared. */
const SHARED = { applied: false, refusal: 'lease-lost' }

const outcome: fc.Arbitrary<CallOutcome> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('completed', 'queued', undefined, null, 0, false, true).map((answer) => ({ answer })),
  },
  { weight: 2, arbitrary: fc.constantFrom({ answer: SHARED }, { answer: { ...SHARED } }) },
  { weight: 1, arbitrary: fc.anything({ maxDepth: 2 }).map((answer) => ({ answer })) },
  { weight: 1, arbitrary: fc.constantFrom('first', 'second').map((message) => ({ error: errorOf(message) })) },
)

/** Runs of alike ones among others. */
const outcomes: fc.Arbitrary<readonly CallOutcome[]> = fc
  .array(fc.tuple(outcome, fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 20 })
  .map((runs) => runs.flatMap(([one, count]) => Array.from({ length: count }, () => one)))

function errorOf(message: string): MillraceError {
  return new MillraceError('internal', message, { details: { place: message }, cause: new Error('why') })
}

function plain(given: CallOutcome): unknown {
  if (!('error' in given)) return given
  const { code, message, details, cause } = given.error
  return {
    code,
    message,
    details,
    cause: cause instanceof Error && (cause.stack ?? cause.message).includes('why'),
  }
}

function callsOf(given: readonly number[]): readonly NumberedCall[] {
  return given.map((number, index) => ({ number, name: NAMES[index % NAMES.length] ?? 'now', args: { index } }))
}

test('every answer comes back under the number of its call, whatever runs of alike ones and errors there are', () => {
  fc.assert(
    fc.property(numbers, outcomes, (given, came) => {
      const calls = callsOf(given)
      const mine = calls.map((_call, index) => came[index % came.length] ?? { answer: undefined })
      const flat = flattenAnswers(calls, mine)
      assert.equal(countAnswers(flat), calls.length)
      const back = [...answersOf(flat)]
      assert.deepEqual(
        back.map(({ number }) => number),
        given,
      )
      assert.deepEqual(
        back.map((answered) => plain(answered.outcome)),
        mine.map(plain),
      )
    }),
    { numRuns: scaled(500) },
  )
})

test('a thousand alike answers to calls in a row are said once, and once more after each gap', () => {
  const alike = (calls: readonly NumberedCall[]): number =>
    flattenAnswers(
      calls,
      calls.map(() => ({ answer: 'completed' })),
    ).length
  const row = Array.from({ length: 1_000 }, (_, index) => index + 7)
  const once = alike(callsOf(row))
  assert.ok(once < 10)
  assert.equal(alike(callsOf(row.filter((number) => number !== 500))), 2 * once)
})

test('answers that are equal but differ in kind are told apart', () => {
  const mixed: readonly unknown[] = [0, false, '', null, undefined, '0', 'false']
  const calls = callsOf(mixed.map((_answer, index) => index))
  const flat = flattenAnswers(
    calls,
    mixed.map((answer) => ({ answer })),
  )
  assert.deepEqual(
    [...answersOf(structuredClone(flat))].map((answered) => answered.outcome),
    mixed.map((answer) => ({ answer })),
  )
})

test('errors of calls in a row are each told, and the answer behind them is no error', () => {
  const error = errorOf('first')
  const calls = callsOf([1, 2, 3])
  const flat = flattenAnswers(calls, [{ error }, { error }, { answer: undefined }])
  assert.deepEqual(
    [...answersOf(flat)].map((answered) => 'error' in answered.outcome),
    [true, true, false],
  )
})

test('calls come back with their numbers, names and arguments', () => {
  fc.assert(
    fc.property(numbers, (given) => {
      const calls = callsOf(given)
      assert.deepEqual(unflattenCalls(structuredClone(flattenCalls(calls))), calls)
    }),
    { numRuns: scaled(100) },
  )
  assert.throws(() => unflattenCalls([1, NAMES.length, null]), RangeError)
})
