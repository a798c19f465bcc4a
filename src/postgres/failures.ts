/** What an error of the database means: try again, ask what became of it, or tell the caller. */
import { MillraceError } from '../core/errors.ts'

interface DatabaseError extends Error {
  readonly code?: string
  readonly constraint?: string
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown }
  return typeof code === 'string' ? code : ''
}

const LOCK_NOT_AVAILABLE = '55P03'

/** Rolled back for certain, and likely to succeed when it is tried again: serialization, deadlock. */
export function isTransient(error: unknown): boolean {
  return codeOf(error) === '40001' || codeOf(error) === '40P01'
}

/** Rolled back, since somebody else has kept a row locked for longer than it could wait. */
export function isHeldUp(error: unknown): boolean {
  return (
    codeOf(error) === LOCK_NOT_AVAILABLE ||
    codeOf((error as { readonly cause?: unknown } | null)?.cause) === LOCK_NOT_AVAILABLE
  )
}

/** Connection exceptions, a server that shuts down, starts or has no room, what was left idle or open for too long, and what a socket says. */
const LOST =
  /^(?:08...|57P0[1235]|53300|25P0[34]|ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ECONNABORTED)$/
const LOST_MESSAGE =
  /connection terminated|not queryable|connection error|timeout exceeded when trying to connect|timeout expired|query read timeout|client was closed/i

/** The connection is gone, or there is none; what was under way on it may have been committed or not. */
export function isConnectionLost(error: unknown): boolean {
  if (LOST.test(codeOf(error))) return true
  return error instanceof Error && codeOf(error) === '' && LOST_MESSAGE.test(error.message)
}

/** The server was asked about a transaction whose number it has not given out. */
export function isUnknownTransaction(error: unknown): boolean {
  return codeOf(error) === '22023'
}

/** The name of the unique index that refused a row; null: it was something else. */
export function violatedIndex(error: unknown): string | null {
  return codeOf(error) === '23505' ? ((error as DatabaseError).constraint ?? '') : null
}

/** Of a call that waits no longer. */
export function unanswered(where: string): MillraceError {
  const what = `${where} did not answer. Check that the server runs; what was asked for may have been done.`
  return new MillraceError('store-unreachable', what, { details: { store: where } })
}

const DISK_FULL = '53100'
const LOCK_OR_TIME = new Set([LOCK_NOT_AVAILABLE, '57014'])
const NOT_ALLOWED = new Set(['42501', '25006'])
const NO_ENTRY = /^(?:28...|3D000|SELF_SIGNED.*|DEPTH_ZERO.*|ENOTFOUND|EAI_AGAIN)$/

/** As an error for the caller of the store. `where` names the database without its password. */
export function storeError(error: unknown, where: string): MillraceError {
  if (error instanceof MillraceError) return error
  const code = codeOf(error)
  const said = error instanceof Error ? error.message : String(error)
  const options = { details: { store: where, ...(code === '' ? {} : { databaseCode: code }) }, cause: error }
  if (isConnectionLost(error) || NO_ENTRY.test(code)) {
    const what = `${where} can't be reached: ${said}. Check that the server runs, and the URL's host, user and password.`
    return new MillraceError('store-unreachable', what, options)
  }
  if (code === DISK_FULL) {
    return new MillraceError(
      'store-full',
      `The disk of ${where} is full. Make room; Millrace goes on by itself.`,
      options,
    )
  }
  if (isTransient(error)) {
    const what = `A transaction on ${where} stood in the way of another: ${said}. Roll it back and begin it again.`
    return new MillraceError('store-busy', what, options)
  }
  if (LOCK_OR_TIME.has(code)) {
    const what = `${where} did not answer in time: ${said}. Look for a transaction that is left open (pg_stat_activity).`
    return new MillraceError('store-busy', what, options)
  }
  if (NOT_ALLOWED.has(code)) {
    const what = `${where} may not be written: ${said}. Grant the user what it lacks, or connect to the primary.`
    return new MillraceError('store-unwritable', what, options)
  }
  return new MillraceError('internal', `${where} refused a statement: ${said}. This is a bug in Millrace.`, options)
}
