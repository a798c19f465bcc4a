import assert from 'node:assert/strict'
import { test } from 'node:test'
import { classifyError } from '../../../src/core/classification.ts'

export type VerdictText = `${'fatal' | 'retryable'} ${string}`

export type VerdictRow = readonly [what: string, error: unknown, verdict: VerdictText]

export function verdictOf(error: unknown): VerdictText {
  const { fatal, rule } = classifyError(error)
  return `${fatal ? 'fatal' : 'retryable'} ${rule}`
}

/** One test a row. */
export function checkVerdicts(rows: readonly VerdictRow[]): void {
  for (const [what, error, verdict] of rows) {
    test(`${what}: ${verdict}`, () => assert.equal(verdictOf(error), verdict))
  }
}

export function errorWith(fields: object, message: string = 'it went wrong', cause?: unknown): Error {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), fields)
}
