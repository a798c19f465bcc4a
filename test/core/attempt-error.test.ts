import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { attemptError, summarizeError } from '../../src/core/attempt-error.ts'
import { LIMITS } from '../../src/core/limits.ts'

const VERDICT = { fatal: false, rule: 'unknown' }
const WHERE = { phase: 'render', progress: 40, context: undefined }

describe('what is kept of an error', () => {
  test('is its name, its text, its code and its stack, and where it happened', () => {
    const error = Object.assign(new TypeError('no ink'), { code: 'E_INK', stack: 'TypeError: no ink\n    at press' })
    assert.deepEqual(attemptError(error, VERDICT, { ...WHERE, context: { page: 3 } }), {
      name: 'TypeError',
      message: 'no ink',
      code: 'E_INK',
      stack: 'TypeError: no ink\n    at press',
      verdict: VERDICT,
      phase: 'render',
      progress: 40,
      context: { page: 3 },
    })
  })

  test('of what is no error is what can be said of it', () => {
    assert.deepEqual(summarizeError(undefined), {
      name: 'undefined',
      message: 'an error without a message (undefined)',
    })
    assert.deepEqual(summarizeError('no ink').message, 'no ink')
    assert.deepEqual(attemptError('no ink', VERDICT, WHERE).stack, undefined)
    assert.equal(summarizeError({ message: 'no ink', code: 42 }).code, '42')
  })

  test('is cut to its limits, and holds nothing that a store can not keep', () => {
    const { errorMessageCharacters, errorStackCharacters } = LIMITS
    const error = Object.assign(new Error('x'.repeat(10_000)), { stack: 'y'.repeat(10_000) })
    const kept = attemptError(error, VERDICT, WHERE)
    assert.deepEqual([kept.message.length, kept.stack?.length], [errorMessageCharacters, errorStackCharacters])
    assert.equal(summarizeError(new Error('a\0b\uD800c')).message, 'a\uFFFDb\uFFFDc')
  })
})
