import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { classifyError, isFatalError, shouldRetryJob } from '../../src/core/classification.ts'
import type { ClassificationRule, Verdict } from '../../src/core/classification.ts'
import { JobCancelledError, UnrecoverableError } from '../../src/core/errors.ts'
import { checkVerdicts, errorWith } from './classification/verdicts.ts'

class BookGone extends UnrecoverableError {
  override readonly name = 'BookGone'
}

describe('an explicit word that trying again is of no use', () => {
  const fromAnotherCopy = new { UnrecoverableError: class extends Error {} }.UnrecoverableError('no')
  let FarBelow: typeof UnrecoverableError = BookGone
  for (let level = 0; level < 12; level += 1) FarBelow = class extends FarBelow {}
  checkVerdicts([
    ['a subclass however far below', new FarBelow('no'), 'fatal unrecoverable'],
    ['UnrecoverableError', new UnrecoverableError('no'), 'fatal unrecoverable'],
    ['a subclass with its own name', new BookGone('no'), 'fatal unrecoverable'],
    ['a cancellation', new JobCancelledError({ jobId: 'a', cancelledBy: 'ann' }), 'fatal unrecoverable'],
    ['the class of another library', fromAnotherCopy, 'fatal unrecoverable'],
    [
      'with a network error as its cause',
      new UnrecoverableError('no', { cause: errorWith({ code: 'ECONNRESET' }) }),
      'fatal unrecoverable',
    ],
    [
      'with a status of its own',
      Object.assign(new UnrecoverableError('HTTP 503'), { status: 503 }),
      'fatal unrecoverable',
    ],
    [
      'as the cause of a 503',
      errorWith({ status: 503 }, 'HTTP 503', new UnrecoverableError('no')),
      'fatal unrecoverable',
    ],
    [
      'among the errors of an AggregateError',
      new AggregateError([errorWith({ status: 503 }), new UnrecoverableError('no')], 'all failed'),
      'fatal unrecoverable',
    ],
    ['as a text', 'UnrecoverableError: HTTP 503', 'fatal unrecoverable'],
    ['as the text of an uncaught error', 'Uncaught JobCancelledError: Job a was cancelled', 'fatal unrecoverable'],
    ['only named in the middle of a text', 'no UnrecoverableError here', 'retryable unknown'],
  ])
})

describe('where several things are said', () => {
  const refused = errorWith({ code: 'ECONNREFUSED' }, 'connect ECONNREFUSED 127.0.0.1:80')
  const gone = errorWith({ status: 404 })
  let deep: Error = refused
  for (let level = 0; level < 14; level += 1) deep = new Error('while working', { cause: deep })
  let tooDeep: Error = deep
  for (let level = 0; level < 14; level += 1) tooDeep = new Error('while working', { cause: tooDeep })
  checkVerdicts([
    ['a status beats text', errorWith({ status: 503 }, 'Print job abc123 not found'), 'retryable http-5xx'],
    ['a status beats a code', errorWith({ status: 404, code: 'ECONNRESET' }), 'fatal http-4xx'],
    ['a status beats a name', errorWith({ status: 503, name: 'NotFoundError' }), 'retryable http-5xx'],
    ['a code beats a name', errorWith({ code: 'ECONNRESET', name: 'ValidationError' }), 'retryable network'],
    ['a name beats text', errorWith({ name: 'ValidationError' }, 'HTTP 503'), 'fatal validation'],
    ['a status in the text beats a phrase', 'HTTP 503: book not found', 'retryable http-5xx'],
    ['a retryable phrase beats a fatal one', 'book not found: socket hang up', 'retryable network'],
    ['the cause of a generic wrapper counts', new Error('could not load', { cause: refused }), 'retryable network'],
    ['the cause of a fetch counts', new TypeError('fetch failed', { cause: refused }), 'retryable network'],
    [
      'a field of the cause beats the text of the wrapper',
      new Error('validation failed', { cause: refused }),
      'retryable network',
    ],
    [
      'the text of the cause counts',
      new Error('could not load', { cause: new Error('book not found') }),
      'fatal not-found-message',
    ],
    [
      'a cause that is a string counts',
      new Error('could not load', { cause: 'book not found' }),
      'fatal not-found-message',
    ],
    [
      'the outer text beats the inner one',
      new Error('book not found', { cause: new Error('socket hang up') }),
      'fatal not-found-message',
    ],
    ['the outer field beats the inner one', errorWith({ status: 502 }, 'bad', gone), 'retryable http-5xx'],
    [
      'the outer fatal field beats the inner retryable one',
      errorWith({ name: 'ValidationError' }, 'bad', refused),
      'fatal validation',
    ],
    ['a cause 14 levels in counts', deep, 'retryable network'],
    ['a cause 28 levels in does not', tooDeep, 'retryable unknown'],
    [
      'one retryable member of many makes all retryable',
      new AggregateError([gone, refused, gone], 'all failed'),
      'retryable network',
    ],
    ['only fatal members are fatal', new AggregateError([new Error('odd'), gone], 'all failed'), 'fatal http-4xx'],
    [
      'the cause of an AggregateError beats its members',
      Object.assign(new AggregateError([refused], 'all failed'), { cause: gone }),
      'fatal http-4xx',
    ],
    ['the text of members counts', new AggregateError(['book not found'], 'all failed'), 'fatal not-found-message'],
    [
      'a member without a word is passed over',
      new AggregateError([undefined, null, 7], 'all failed'),
      'retryable unknown',
    ],
  ])
})

describe('rules of a job type', () => {
  const quota: ClassificationRule = {
    name: 'quota',
    test: (error) => (error instanceof Error && error.message.includes('quota') ? 'fatal' : undefined),
  }
  const rendererBusy: ClassificationRule = { name: 'renderer', test: () => 'retryable' }
  const broken: ClassificationRule = {
    name: 'broken',
    test: () => {
      throw new Error('a bug in the rule')
    },
  }
  const rows: readonly (readonly [string, unknown, readonly ClassificationRule[], Verdict])[] = [
    ['are asked before ours', errorWith({ status: 503 }, 'over quota'), [quota], { fatal: true, rule: 'custom:quota' }],
    [
      'can make a fatal error retryable',
      errorWith({ status: 404 }),
      [rendererBusy],
      { fatal: false, rule: 'custom:renderer' },
    ],
    ['are asked in their order', new Error('over quota'), [quota, rendererBusy], { fatal: true, rule: 'custom:quota' }],
    [
      'that have no opinion leave it to the next',
      new Error('busy'),
      [quota, rendererBusy],
      { fatal: false, rule: 'custom:renderer' },
    ],
    ['that throw have no say', errorWith({ status: 404 }), [broken], { fatal: true, rule: 'http-4xx' }],
    [
      'do not overrule an explicit word',
      new UnrecoverableError('no'),
      [rendererBusy],
      { fatal: true, rule: 'unrecoverable' },
    ],
    [
      'keep the wait that was asked for',
      errorWith({ retryAfter: 2 }),
      [rendererBusy],
      { fatal: false, rule: 'custom:renderer', retryAfterMs: 2_000 },
    ],
  ]
  for (const [sentence, error, rules, expected] of rows) {
    test(sentence, () => assert.deepEqual(classifyError(error, rules), expected))
  }

  test('that answer something else have no say', () => {
    const promising = { name: 'promising', test: () => Promise.resolve('fatal') } as unknown as ClassificationRule
    assert.deepEqual(classifyError(new Error('odd'), [promising]), { fatal: false, rule: 'unknown' })
  })
})

describe("for people's own workers", () => {
  test('isFatalError takes an error or a text', () => {
    assert.equal(isFatalError('API error: Print job abc123 not found'), true)
    assert.equal(isFatalError(new Error('HTTP 422')), true)
    assert.equal(isFatalError(new Error('connect ECONNREFUSED 127.0.0.1:80')), false)
    assert.equal(isFatalError('something odd'), false)
  })

  const rows: readonly (readonly [string, unknown, number, number | undefined, boolean])[] = [
    ['the first of three attempts is followed by another', new Error('odd'), 0, undefined, true],
    ['so is the second', new Error('odd'), 1, undefined, true],
    ['the third is the last', new Error('odd'), 2, undefined, false],
    ['a fatal error is not tried again', 'book not found', 0, undefined, false],
    ['a single attempt is the only one', new Error('odd'), 0, 1, false],
    ['more attempts can be given', new Error('odd'), 2, 5, true],
    ['an attempt without a number is not followed by another', new Error('odd'), Number.NaN, 5, false],
  ]
  for (const [sentence, error, attemptNumber, maxAttempts, expected] of rows) {
    test(`shouldRetryJob: ${sentence}`, () => assert.equal(shouldRetryJob(error, attemptNumber, maxAttempts), expected))
  }
})
