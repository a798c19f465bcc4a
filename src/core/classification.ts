import { attempt, judgeTree, listErrors, readErrorTree, readNames, readText } from './classification/error-tree.ts'
import type { ErrorTree } from './classification/error-tree.ts'
import { fatal, retryable } from './classification/judgement.ts'
import type { Judgement } from './classification/judgement.ts'
import { judgeText } from './classification/message-text.ts'
import { readRetryAfterMs } from './classification/retry-after.ts'
import { judgeFields } from './classification/status-code-name.ts'
import { UnrecoverableError } from './errors.ts'

/** Whether another try can help, and why we think so. */
export interface Verdict {
  /** `true`: never retried. `false`: retried as long as attempts are left. */
  readonly fatal: boolean
  /** The stable name of the rule that gave the verdict; `custom:<name>` for a rule of the job type. */
  readonly rule: string
  /** How long the other side asked to be left alone, 0 to 24 h. Only with a retryable verdict. */
  readonly retryAfterMs?: number
}

/** A job type's own rule. Its `test` gets the error as it was thrown; a rule that throws has no say. */
export interface ClassificationRule {
  readonly name: string
  readonly test: (error: unknown) => 'fatal' | 'retryable' | undefined
}

export interface ClassifyOptions {
  /** Epoch milliseconds, for a `Retry-After` that is a date. Without it dates are passed over. */
  readonly now?: number
}

/**
 * Is another try of any use? Steps are asked in order, and the first that knows an answer gives it. Each step looks at the error, then at
 * its `cause`, and so on inwards, then at the `errors` of an AggregateError, where one retryable member makes the whole retryable.
 *
 * | step | reads | says |
 * |---|---|---|
 * | 1 explicit | `UnrecoverableError` and its subclasses, anywhere in the tree | fatal: `unrecoverable` |
 * | 2 own rules | the rules of the job type, in their order, given the outermost error | `custom:<name>` |
 * | 3 fields | for each error from the outside in: HTTP status, then error code, then class name | see below |
 * | 4 text | for each error from the outside in: an HTTP status, then a leading `SomeError: `, then phrases, retryable ones first | see below |
 * | 5 unknown | nothing matched | retryable: `unknown` |
 *
 * So a status beats a code, a code a name, any field any text; an outer field beats an inner one; and what a generic wrapper hides in its
 * cause counts. A 503 whose text says "not found" is retryable, and so is "Validation failed" caused by ECONNREFUSED.
 *
 * | verdict | rules |
 * |---|---|
 * | fatal | `unrecoverable`, `http-4xx`, `not-found`, `not-found-message`, `forbidden`, `validation`, `schema`, `dimensions`, `page-size`, `phases-changed` |
 * | retryable | `http-408`, `http-425`, `http-429`, `http-5xx`, `too-many-requests`, `network`, `timeout`, `browser-timeout`, `browser-closed`, `database-connection`, `database-contention`, `database-schema`, `aborted`, `lease-lost`, `unknown` |
 *
 * Never throws, whatever the error is. Of a text the first 10,000 characters are read, of a tree 16 levels and 64 errors.
 */
export function classifyError(
  error: unknown,
  rules: readonly ClassificationRule[] = [],
  options: ClassifyOptions = {},
): Verdict {
  const tree = readErrorTree(error)
  const judgement =
    judgeTree(tree, judgeExplicit) ??
    judgeByRules(error, rules) ??
    judgeTree(tree, judgeFields) ??
    judgeTree(tree, (inner) => judgeText(readText(inner))) ??
    retryable('unknown')
  const retryAfterMs = judgement.fatal ? undefined : findRetryAfterMs(tree, options.now)
  return retryAfterMs === undefined ? judgement : { ...judgement, retryAfterMs }
}

const EXPLICIT_NAMES: ReadonlySet<string> = new Set(['UnrecoverableError', 'JobCancelledError'])
/** An error that crossed a process or was logged as text. */
const EXPLICIT_PREFIX = /^(?:Uncaught )?(?:UnrecoverableError|JobCancelledError)\b/

/** By name too: the error may come from another copy of Millrace, another realm, or another queue's library. */
function judgeExplicit(error: unknown): Judgement | undefined {
  const explicit =
    attempt(() => error instanceof UnrecoverableError) === true ||
    readNames(error).some((name) => EXPLICIT_NAMES.has(name)) ||
    EXPLICIT_PREFIX.test(readText(error))
  return explicit ? fatal('unrecoverable') : undefined
}

function judgeByRules(error: unknown, rules: readonly ClassificationRule[]): Judgement | undefined {
  for (const { name, test } of rules) {
    const answer = attempt(() => test(error))
    if (answer === 'fatal') return fatal(`custom:${name}`)
    if (answer === 'retryable') return retryable(`custom:${name}`)
  }
  return undefined
}

function findRetryAfterMs(tree: ErrorTree, now: number | undefined): number | undefined {
  for (const error of listErrors(tree)) {
    const waitMs = readRetryAfterMs(error, now)
    if (waitMs !== undefined) return waitMs
  }
  return undefined
}

/** Is another try of no use? For workers of your own; see `classifyError` for the rules. An error that no rule knows is not fatal. */
export function isFatalError(error: Error | string): boolean {
  return classifyError(error).fatal
}

/**
 * Should a job be tried again after this error? For workers of your own.
 *
 * @param attemptNumber the number of the attempt that just failed, counted from 0: the first attempt is 0
 * @param maxAttempts how many attempts a job gets in all, the first included; default 3, so attempts 0, 1 and 2
 * @returns false for a fatal error and after the last attempt (`attemptNumber + 1 >= maxAttempts`), else true
 */
export function shouldRetryJob(error: unknown, attemptNumber: number, maxAttempts: number = 3): boolean {
  return attemptNumber + 1 < maxAttempts && !classifyError(error).fatal
}
