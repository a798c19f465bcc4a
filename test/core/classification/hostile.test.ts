import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { classifyError } from '../../../src/core/classification.ts'
import { checkVerdicts, errorWith } from './verdicts.ts'

describe('a hostile error is classified without throwing', () => {
  const cyclic = errorWith({}, 'first')
  cyclic.cause = new Error('second', { cause: cyclic })
  const selfish = new AggregateError([], 'all failed')
  selfish.errors.push(selfish, selfish)
  const leadingBack: { errors: object[] } = { errors: [] }
  leadingBack.errors.push(...Array.from({ length: 30 }, () => ({ cause: leadingBack })), { status: 404 })
  const crowded = { errors: [...Array.from({ length: 31 }, () => ({ cause: { cause: {} } })), { status: 404 }] }
  const throwing = new Proxy(new Error('x'), {
    get: () => {
      throw new Error('get')
    },
    getPrototypeOf: () => {
      throw new Error('getPrototypeOf')
    },
  })
  const { proxy: revoked, revoke } = Proxy.revocable({}, {})
  revoke()
  const endless: object = new Proxy({}, { get: () => endless, getPrototypeOf: () => endless })
  const fresh = (): object =>
    new Proxy({}, { get: (_, key) => (key === 'cause' ? fresh() : undefined), getPrototypeOf: fresh })
  const bushy = {
    errors: Array.from({ length: 1_000 }, () => ({ errors: Array.from({ length: 50 }, () => ({ cause: {} })) })),
  }
  const hidden = Object.defineProperty(errorWith({}, 'Print job not found'), 'status', {
    get: () => {
      throw new Error('status')
    },
  })
  checkVerdicts([
    ['undefined', undefined, 'retryable unknown'],
    ['null', null, 'retryable unknown'],
    ['a number', 404, 'retryable unknown'],
    ['a symbol', Symbol('x'), 'retryable unknown'],
    ['a bigint', 1n, 'retryable unknown'],
    ['a function', () => 1, 'retryable unknown'],
    ['a function with a status', Object.assign(() => 1, { status: 404 }), 'fatal http-4xx'],
    ['an object without a prototype', Object.create(null), 'retryable unknown'],
    ['a cycle of causes', cyclic, 'retryable unknown'],
    ['an AggregateError of itself', selfish, 'retryable unknown'],
    ['a member after many that lead back', { cause: leadingBack }, 'fatal http-4xx'],
    ['a member after 64 errors, which is not read', crowded, 'retryable unknown'],
    ['a proxy whose traps throw', throwing, 'retryable unknown'],
    ['a revoked proxy', revoked, 'retryable unknown'],
    [
      'a revoked proxy as cause, errors and headers',
      { cause: revoked, errors: revoked, headers: revoked },
      'retryable unknown',
    ],
    ['a proxy that is its own everything', endless, 'retryable unknown'],
    ['a proxy with ever new causes and prototypes', fresh(), 'retryable unknown'],
    ['fifty thousand members', bushy, 'retryable unknown'],
    ['a status whose getter throws', hidden, 'fatal not-found-message'],
    ['a message that is no text', { message: { toString: () => 'not found' } }, 'retryable unknown'],
    ['something said after the first 10,000 characters', `${'x '.repeat(5_000)}not found`, 'retryable unknown'],
    ['something said just before that', `${'x '.repeat(4_990)}not found`, 'fatal not-found-message'],
  ])

  test('and quickly, whatever its text repeats', () => {
    const pieces = [
      ' ',
      'a',
      '4',
      'waiting for selector ',
      'connection to server ',
      'page size ',
      'HTTP status ',
      'status',
      'Timed out after 1',
      'invalid x',
      'TimeoutErro',
      'EAI_',
      'UND_ERR_',
    ]
    for (const piece of pieces) {
      const before = process.cpuUsage()
      classifyError(new Error(piece.repeat(2_000_000 / piece.length)))
      const { user, system } = process.cpuUsage(before)
      assert.ok(user + system < 250_000, `${JSON.stringify(piece)} took ${user + system} µs`)
    }
  })
})
