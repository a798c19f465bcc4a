/** Errors as they travel between a handler's thread or process and the worker: class and prototype don't. */
import { readField, readNames, readText } from '../../core/classification/error-tree.ts'
import {
  ConflictError,
  ERROR_CODES,
  InvalidInputError,
  JobCancelledError,
  LeaseLostError,
  MillraceError,
} from '../../core/errors.ts'
import type { ErrorCode, ErrorDetails } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'

export type PackedError =
  | {
      readonly name: string
      readonly message: string
      readonly stack: string | null
      readonly code: string | number | null
      /** Of an error of Millrace's. */
      readonly details: ErrorDetails | null
    }
  /** Something else was thrown. */
  | { readonly thrown: string | number | boolean | null | undefined }

export function packError(error: unknown): PackedError {
  if ((typeof error !== 'object' && typeof error !== 'function') || error === null) return { thrown: primitive(error) }
  const code = readField(error, 'code')
  const stack = readField(error, 'stack')
  return {
    name: readNames(error)[0] ?? 'Error',
    message: readText(error),
    stack: typeof stack === 'string' ? stack : null,
    code: typeof code === 'string' || typeof code === 'number' ? code : null,
    details: error instanceof MillraceError ? error.details : null,
  }
}

function primitive(thrown: unknown): string | number | boolean | null | undefined {
  if (typeof thrown === 'symbol' || typeof thrown === 'bigint') return String(thrown)
  if (typeof thrown === 'string' || typeof thrown === 'number' || typeof thrown === 'boolean') return thrown
  return thrown === null ? null : undefined
}

/** The same to whoever reads name, message, code and stack; those that Millrace throws are of their class again. */
export function unpackError(packed: PackedError): unknown {
  if ('thrown' in packed) return packed.thrown
  const { name, message, stack, code, details } = packed
  const known = details === null || !isErrorCode(code) ? null : unpackOwn(code, message, { name, details })
  const error = known ?? new Error(message)
  if (known === null) Object.assign(error, { name, ...(code === null ? {} : { code }) })
  if (stack !== null) error.stack = stack
  return error
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && code in ERROR_CODES
}

interface Own {
  readonly name: string
  readonly details: ErrorDetails
}

function unpackOwn(code: ErrorCode, message: string, { name, details }: Own): MillraceError {
  const text = (field: string): string => textOr(details[field]) ?? ''
  if (name === 'JobCancelledError') {
    const { reason = null } = details
    const why = typeof reason === 'string' ? reason : null
    return new JobCancelledError({ jobId: text('jobId'), cancelledBy: text('cancelledBy'), reason: why })
  }
  if (name === 'LeaseLostError') return new LeaseLostError(text('jobId'), text('act'))
  if (name === 'InvalidInputError') {
    const received = textOr(details['received'])
    const got = received === undefined ? {} : { received }
    return new InvalidInputError({ path: text('path'), expected: text('expected'), code, details, ...got })
  }
  if (name === 'ConflictError') return new ConflictError(code, message, { details })
  return new MillraceError(code, message, { details })
}

function textOr(json: Json | undefined): string | undefined {
  return typeof json === 'string' ? json : undefined
}
