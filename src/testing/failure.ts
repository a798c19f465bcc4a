/** How an assertion of the kit fails: with the error that every test runner knows, and with what was there instead. */
import { AssertionError } from 'node:assert'
import { inspect } from 'node:util'
import type { Job } from '../client/job.ts'
import type { Explanation } from '../core/explain.ts'

export interface FailureFacts {
  readonly operator: string
  readonly actual?: unknown
  readonly expected?: unknown
  readonly cause?: unknown
}

/** Lines of which the second and further ones say what was there. */
export function failure(lines: readonly string[], { cause, ...facts }: FailureFacts): AssertionError {
  const error = new AssertionError({ message: lines.join('\n'), ...facts })
  if (cause !== undefined) error.cause = cause
  return error
}

const BREAK_LENGTH = 100
const DEPTH = 4

/** A value as a person would write it. */
export function written(value: unknown): string {
  return inspect(value, { depth: DEPTH, breakLength: BREAK_LENGTH })
}

const MOST_LINES = 10

/** A heading and a line for each, indented; what is too much is counted. */
export function listed(heading: string, lines: readonly string[]): readonly string[] {
  const more = lines.length - MOST_LINES
  return [
    heading,
    ...lines.slice(0, MOST_LINES).map((line) => `  ${line}`),
    ...(more > 0 ? [`  … and ${more} more`] : []),
  ]
}

/** Why a job is where it is. */
export function whyOf({ reasons }: Explanation): readonly string[] {
  return listed(
    'Why:',
    reasons.map(({ message }) => message),
  )
}

/** What the job failed with last, on a line of its own; none where nothing failed. */
export function errorOf({ error }: Job): readonly string[] {
  return error === null ? [] : [`Its error: ${error.name}: ${error.message}`]
}
