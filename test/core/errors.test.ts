import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  ConflictError,
  ERROR_CODES,
  ForbiddenError,
  InvalidInputError,
  JobCancelledError,
  LeaseLostError,
  MillraceError,
  NotFoundError,
  UnrecoverableError,
} from '../../src/core/errors.ts'

describe('errors', () => {
  test('an error carries its code, its message, its details and its cause', () => {
    const cause = new Error('no space left')
    const error = new MillraceError('store-full', 'The disk is full.', { details: { freeBytes: 0 }, cause })
    assert.equal(error.name, 'MillraceError')
    assert.equal(error.code, 'store-full')
    assert.equal(error.message, 'The disk is full.')
    assert.deepEqual(error.details, { freeBytes: 0 })
    assert.equal(error.cause, cause)
    assert.match(error.stack ?? '', /^Error: The disk is full\.|^MillraceError: The disk is full\./)
  })

  test('an error without a cause has none, not even an undefined one', () => {
    const error = new MillraceError('internal', 'A bug.')
    assert.equal('cause' in error, false)
    assert.deepEqual(error.details, {})
  })

  test('every error is a MillraceError and an Error of its own name', () => {
    const errors = [
      [new InvalidInputError({ path: 'input', expected: 'a number' }), 'InvalidInputError'],
      [new UnrecoverableError('Of no use.'), 'UnrecoverableError'],
      [new JobCancelledError({ jobId: 'job-1', cancelledBy: 'ann' }), 'JobCancelledError'],
      [new LeaseLostError('job-1', 'progress'), 'LeaseLostError'],
      [new NotFoundError('job-not-found', 'No such job.'), 'NotFoundError'],
      [new ForbiddenError('forbidden', 'Not yours.'), 'ForbiddenError'],
      [new ConflictError('job-final', 'It is over.'), 'ConflictError'],
    ] as const
    for (const [error, name] of errors) {
      assert.ok(error instanceof MillraceError)
      assert.ok(error instanceof Error)
      assert.equal(error.name, name)
      assert.ok(error.code in ERROR_CODES, `${error.code} is a code`)
    }
  })

  test('a refused value is named by its path, with what was expected', () => {
    const error = new InvalidInputError({ path: 'retry.maxAttempts', expected: 'a whole number from 1' })
    assert.equal(error.code, 'option-invalid')
    assert.equal(error.message, 'retry.maxAttempts: expected a whole number from 1.')
    assert.deepEqual(error.details, { path: 'retry.maxAttempts', expected: 'a whole number from 1' })
  })

  test('a refused value says what was received, and may have a code and details of its own', () => {
    const error = new InvalidInputError({
      path: 'input.pages',
      expected: 'an array',
      received: 'a date',
      code: 'json-invalid',
      details: { index: 3 },
    })
    assert.equal(error.code, 'json-invalid')
    assert.equal(error.message, 'input.pages: expected an array, got a date.')
    assert.deepEqual(error.details, { path: 'input.pages', expected: 'an array', received: 'a date', index: 3 })
    assert.equal(error.path, 'input.pages')
    assert.equal(error.expected, 'an array')
  })

  test('an unrecoverable error has a code of its own unless another is given', () => {
    assert.equal(new UnrecoverableError('Of no use.').code, 'unrecoverable')
    assert.equal(new UnrecoverableError('Too old.', { code: 'input-outdated' }).code, 'input-outdated')
    assert.equal(new UnrecoverableError('x', { cause: 'y' }).cause, 'y')
  })

  test('a cancelled job names the job, the actor and the reason, and is unrecoverable', () => {
    const error = new JobCancelledError({ jobId: 'job-1', cancelledBy: 'ann', reason: 'wrong region' })
    assert.ok(error instanceof UnrecoverableError)
    assert.equal(error.code, 'job-cancelled')
    assert.equal(error.message, 'Job job-1 was cancelled by ann (wrong region).')
    assert.deepEqual(error.details, { jobId: 'job-1', cancelledBy: 'ann', reason: 'wrong region' })
    assert.deepEqual([error.jobId, error.cancelledBy, error.reason], ['job-1', 'ann', 'wrong region'])
  })

  test('a job cancelled without a reason says no more than that', () => {
    const error = new JobCancelledError({ jobId: 'job-1', cancelledBy: 'system' })
    assert.equal(error.message, 'Job job-1 was cancelled by system.')
    assert.equal(error.reason, null)
    assert.equal(error.details['reason'], null)
  })

  test('a lost lease names the job and the act, and what to do', () => {
    const error = new LeaseLostError('job-1', 'progress')
    assert.equal(error.code, 'lease-lost')
    assert.deepEqual(error.details, { jobId: 'job-1', act: 'progress' })
    assert.match(error.message, /^Job job-1 .*"progress" was refused and nothing was written.*: stop working on it\.$/)
  })

  test('codes are lower case with dashes, and their meanings begin small and end without a full stop', () => {
    for (const [code, meaning] of Object.entries(ERROR_CODES)) {
      assert.match(code, /^[a-z]+(?:-[a-z]+)*$/)
      assert.match(meaning, /^(?:[a-z]|Node|Millrace).*[^.]$/)
    }
  })
})
