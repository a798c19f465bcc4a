/** What is kept of an error: with the attempt that it ended, and in the event that tells of it. */
import type { Verdict } from './classification.ts'
import { readField, readNames, readText } from './classification/error-tree.ts'
import type { Json } from './json.ts'
import { LIMITS } from './limits.ts'

/** What an attempt that did not complete leaves behind. */
export interface AttemptError extends ErrorSummary {
  readonly stack?: string
  readonly verdict: Verdict
  /** The phase that it was in; null: all were done. */
  readonly phase: string | null
  /** Of the job, percent. */
  readonly progress: number
  /** What the handler told last beside its progress. */
  readonly context?: Json
}

/** The part of an error that is told. A type, so that it counts as `Json`. */
export type ErrorSummary = {
  readonly name: string
  readonly message: string
  readonly code?: string
}

export interface WhereItFailed {
  readonly phase: string | null
  readonly progress: number
  readonly context: Json | undefined
}

/** Whatever was thrown, cut to the limits. */
export function attemptError(error: unknown, verdict: Verdict, where: WhereItFailed): AttemptError {
  const stack = readField(error, 'stack')
  const { phase, progress, context } = where
  return {
    ...summarizeError(error),
    ...(typeof stack === 'string' ? { stack: keepable(stack, LIMITS.errorStackCharacters) } : {}),
    verdict,
    phase,
    progress,
    ...(context === undefined ? {} : { context }),
  }
}

export function summarizeError(error: unknown): ErrorSummary {
  const [name = typeof error] = readNames(error)
  const message = keepable(readText(error), LIMITS.errorMessageCharacters)
  const code = readField(error, 'code')
  return {
    name: keepable(name, LIMITS.nameCharacters),
    message: message === '' ? `an error without a message (${typeof error})` : message,
    ...(typeof code === 'string' || typeof code === 'number'
      ? { code: keepable(`${code}`, LIMITS.nameCharacters) }
      : {}),
  }
}

/** NUL and lone surrogates can't be kept by every store. */
function keepable(text: string, characters: number): string {
  return text.slice(0, characters).toWellFormed().replaceAll('\0', '\uFFFD')
}
