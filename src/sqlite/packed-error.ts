/** An error as it can be posted between threads: class and prototype don't travel. */
import { MillraceError } from '../core/errors.ts'
import type { ErrorCode, ErrorDetails } from '../core/errors.ts'

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
