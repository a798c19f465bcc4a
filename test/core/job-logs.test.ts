import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createFailureLog, createSuccessLog } from '../../src/core/job-logs.ts'
import type { JobContext } from '../../src/core/job-logs.ts'

const context: JobContext = {
  jobId: 'job-1',
  jobType: 'map.export',
  entityId: 'map-7',
  attemptNumber: 1,
  maxAttempts: 3,
  queuedAt: 1_000,
  startedAt: 2_000,
}

describe('the log of a success', () => {
  test('holds the ids, how long it took, and the file', () => {
    assert.deepEqual(createSuccessLog(context, { durationMs: 900, filePath: '/out/map.png', fileSizeMB: 1.25 }), {
      jobId: 'job-1',
      jobType: 'map.export',
      entityId: 'map-7',
      status: 'success',
      durationMs: 900,
      filePath: '/out/map.png',
      fileSizeMB: 1.25,
      attemptNumber: 1,
    })
  })

  test('leaves out what is not known', () => {
    assert.deepEqual(createSuccessLog({ ...context, entityId: undefined }, { durationMs: 900 }), {
      jobId: 'job-1',
      jobType: 'map.export',
      status: 'success',
      durationMs: 900,
      attemptNumber: 1,
    })
  })
})

describe('the log of a failure', () => {
  test('holds the ids, the error, the verdict and whether it is tried again', () => {
    assert.deepEqual(createFailureLog(context, new Error('socket hang up'), 900), {
      jobId: 'job-1',
      jobType: 'map.export',
      entityId: 'map-7',
      status: 'failed',
      error: 'socket hang up',
      rule: 'network',
      isFatal: false,
      willRetry: true,
      durationMs: 900,
      attemptNumber: 1,
      maxAttempts: 3,
    })
  })

  const rows: readonly (readonly [string, number, unknown, boolean, boolean])[] = [
    ['a fatal error is not tried again', 0, 'book not found', true, false],
    ['the last attempt is not tried again', 2, 'socket hang up', false, false],
  ]
  for (const [sentence, attemptNumber, error, isFatal, willRetry] of rows) {
    test(sentence, () => {
      const log = createFailureLog({ ...context, attemptNumber }, error, 1)
      assert.deepEqual([log.isFatal, log.willRetry], [isFatal, willRetry])
    })
  }

  test('takes over a verdict that was given already', () => {
    const log = createFailureLog(context, new Error('socket hang up'), 1, { fatal: true, rule: 'custom:quota' })
    assert.deepEqual([log.rule, log.isFatal, log.willRetry], ['custom:quota', true, false])
  })

  test('says something even of an error without a message', () => {
    assert.equal(createFailureLog(context, undefined, 1).error, 'an error without a message (undefined)')
    assert.equal(createFailureLog(context, { message: '' }, 1).error, 'an error without a message (object)')
  })

  test('cuts a long message', () => {
    assert.equal(createFailureLog(context, 'x'.repeat(50_000), 1).error.length, 4_000)
  })
})
