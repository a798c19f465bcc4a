/** What travels between the store and its threads. */
import { MillraceError } from '../core/errors.ts'
import type { ErrorCode, ErrorDetails } from '../core/errors.ts'
import type { LineEnd } from './sync-line.ts'
import type { CallOutcome } from './writer.ts'
import type { HostCall, HostOptions } from './host.ts'

/** Raised when the messages change, so that a thread's file of another version is noticed. */
export const PROTOCOL = 1

export interface ThreadData extends HostOptions {
  /** For questions that can't wait for a message; null: none are asked. */
  readonly line: LineEnd | null
  readonly protocol: number
}

export interface NumberedCall extends HostCall {
  readonly number: number
}

export type ToThread =
  | { readonly kind: 'calls'; readonly calls: readonly NumberedCall[] }
  /** Commit what has come, then touch nothing until `resume`. */
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'close' }

export type FromThread =
  | { readonly kind: 'ready'; readonly sqliteVersion: string }
  | { readonly kind: 'refused'; readonly error: PackedError }
  | { readonly kind: 'answers'; readonly answers: readonly NumberedAnswer[]; readonly changed: boolean }
  | { readonly kind: 'paused' }
  | { readonly kind: 'foreign-commit' }
  | { readonly kind: 'session-lost'; readonly holder: number }
  | { readonly kind: 'closed' }

export type NumberedAnswer =
  | { readonly number: number; readonly answer: unknown }
  | { readonly number: number; readonly error: PackedError }

/** An error as it can be posted: class and prototype don't travel. */
export interface PackedError {
  readonly code: ErrorCode
  readonly message: string
  readonly details: ErrorDetails
  readonly cause: string | null
}

export function packError(error: MillraceError): PackedError {
  const { code, message, details, cause } = error
  return { code, message, details, cause: cause instanceof Error ? (cause.stack ?? cause.message) : null }
}

export function unpackError({ code, message, details, cause }: PackedError): MillraceError {
  return new MillraceError(code, message, { details, ...(cause === null ? {} : { cause: new Error(cause) }) })
}

export function packOutcome(number: number, outcome: CallOutcome): NumberedAnswer {
  return 'error' in outcome ? { number, error: packError(outcome.error) } : { number, answer: outcome.answer }
}
