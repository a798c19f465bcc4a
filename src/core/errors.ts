/**
 * Every error that Millrace throws on purpose. One class with a stable `code`; the few subclasses are those that people catch by name.
 * A message ends with what to do about it.
 */
import type { Json } from './json.ts'

/** The codes, each with its meaning. `docs/reference/errors.md` explains the same list; a test compares the two. */
export const ERROR_CODES = {
  'artifact-exists': 'this attempt has already written an artifact of that name',
  'artifact-missing': 'the artifact is not there: never written, expired, or its file is gone',
  'artifacts-foreign': 'the folder of artifacts belongs to another store',
  'close-timeout':
    'the Millrace did not come to rest in the time that its closing was given; everything has been closed all the same',
  'drain-timeout':
    'the worker did not come to rest within its drain time; what was unfinished has been released or left to its lease',
  'driver-missing': 'the driver of the database, a package that users install themselves, could not be loaded',
  forbidden: 'the job can be seen but not touched by this actor',
  forced: 'an administrator ended the attempt, or the job, by force',
  'handler-died': 'the thread or process that ran the handler ended in the middle of it',
  'handler-incomplete': 'a handler lacks a function for one of the phases that its definition declares',
  'handler-unknown': 'no handler was given for the type',
  'handler-unloadable': 'a thread or process cannot load the module of the handler, or finds no handler in it',
  'input-invalid': 'the schema of the definition refused the input',
  'input-lost': 'the stored input of the job is missing, or is no JSON any more: the store was damaged',
  'input-outdated': 'the stored input is refused by the schema of the handler that should work on it',
  internal: 'a bug in Millrace',
  'isolation-unavailable': 'there is no isolation of the name that was asked for',
  'job-cancelled': 'the job was cancelled',
  'job-failed': 'the job failed',
  'job-final': 'the job is in a final state that does not allow the act',
  'job-not-final': 'the act needs a job in a final state',
  'job-not-found': 'there is no such job, or not for this actor',
  'job-not-waiting': 'the act needs a job that waits for its time',
  'json-invalid': 'a value is not plain JSON',
  'key-reused': 'the idempotency key was used for another input',
  'lease-lost': 'whoever writes does not hold the claim on the job any more',
  'lock-expired': 'whoever drove the job by hand let the lock run out and was not heard of any more',
  'name-invalid': 'a name is empty, too long or has characters that it may not have',
  'network-file-system': "the database file lies on a network file system, where SQLite's locks do not hold",
  'node-too-old': 'this Node.js cannot run Millrace',
  'not-begun':
    'the worker had taken the job ahead of its slots and could not begin it soon; it goes back into the queue',
  'not-in-transaction': 'the connection that was handed in has no open transaction',
  'opened-in-isolation': 'Millrace was opened in a thread or process that is there to run a handler',
  'option-invalid': 'an option has a value it may not have',
  'other-database': 'the connection that was handed in belongs to another database',
  'output-invalid': 'the schema of the definition refused the output',
  'owner-conflict': 'the type is worked on by another service',
  'phase-unknown': 'the job has no phase of that name, or it has not been reached',
  'phases-changed': 'the handler declares a new phase before one that is already done',
  poison: 'the job has cost several workers their life',
  'server-too-old': 'the database server is older than Millrace can use',
  'session-lost': "the worker's own session has expired",
  'shutting-down': 'the worker shuts down, so the handler must stop; its job goes back into the queue',
  'sqlite-affected': 'this Node.js carries an SQLite that can damage a database with several connections',
  'store-busy': 'the database stayed locked by another process',
  'store-closed': 'the Millrace has been closed',
  'store-damaged': 'the database file is damaged',
  'store-foreign': "the file is no database, or a database of something else under Millrace's names",
  'store-full': 'the disk is full',
  'store-newer': 'the database was made by a newer Millrace',
  'store-outdated': 'the schema lacks migrations, and they were not to be applied',
  'store-unreachable': 'the database server cannot be reached',
  'store-unwritable': 'the database cannot be written',
  'thread-missing': "the file of the store's thread, or of isolated handlers, was not found",
  'time-out': 'the attempt took longer than its type allows',
  'too-large': 'a value is larger than its limit',
  'transition-refused': 'the job is in another state than was said, or no such way leads out of it',
  'tx-required': 'inside a transaction of yours, writes must go through the transaction',
  'unique-held': 'another unfinished job holds the unique key',
  unrecoverable: 'the handler said that trying again is of no use',
  'url-invalid': "the store's URL is not understood",
  'wait-timeout': 'the job did not reach the state in time',
} as const satisfies Record<string, string>

export type ErrorCode = keyof typeof ERROR_CODES

export type ErrorDetails = Readonly<Record<string, Json>>

export interface MillraceErrorOptions {
  readonly details?: ErrorDetails
  readonly cause?: unknown
}

/** The one class. `code` is stable across versions, `details` holds the facts, `message` is for people and may change. */
export class MillraceError extends Error {
  override readonly name: string = 'MillraceError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: MillraceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }
}

export interface InvalidInput {
  /** Where the offending value stands, as in `input.pages[3].body`. */
  readonly path: string
  readonly expected: string
  readonly received?: string
  readonly code?: ErrorCode
  readonly details?: ErrorDetails
}

/** A value from outside that is refused; nothing has been changed. `path` says where it stands, `expected` what should stand there. */
export class InvalidInputError extends MillraceError {
  override readonly name = 'InvalidInputError'
  readonly path: string
  readonly expected: string

  constructor({ path, expected, received, code = 'option-invalid', details }: InvalidInput) {
    const got = received === undefined ? '' : `, got ${received}`
    super(code, `${path}: expected ${expected}${got}.`, {
      details: { path, expected, ...(received === undefined ? {} : { received }), ...details },
    })
    this.path = path
    this.expected = expected
  }
}

/** Thrown by a handler to say: trying again is of no use. Never retried. */
export class UnrecoverableError extends MillraceError {
  override readonly name: string = 'UnrecoverableError'

  constructor(message: string, options: MillraceErrorOptions & { readonly code?: ErrorCode } = {}) {
    super(options.code ?? 'unrecoverable', message, options)
  }
}

/** Thrown inside a handler by `checkCancellation()`, and by whoever waits for a job that ends cancelled. Never retried. */
export class JobCancelledError extends UnrecoverableError {
  override readonly name = 'JobCancelledError'
  readonly jobId: string
  readonly cancelledBy: string
  readonly reason: string | null

  constructor({ jobId, cancelledBy, reason = null }: JobCancelled) {
    const why = reason === null ? '' : ` (${reason})`
    super(`Job ${jobId} was cancelled by ${cancelledBy}${why}.`, {
      code: 'job-cancelled',
      details: { jobId, cancelledBy, reason },
    })
    this.jobId = jobId
    this.cancelledBy = cancelledBy
    this.reason = reason
  }
}

export interface JobCancelled {
  readonly jobId: string
  readonly cancelledBy: string
  readonly reason?: string | null
}

/** A write by someone who does not hold the claim (any more). Nothing has been written. */
export class LeaseLostError extends MillraceError {
  override readonly name = 'LeaseLostError'

  constructor(jobId: string, act: string) {
    super(
      'lease-lost',
      `Job ${jobId} is no longer held by this claim, so "${act}" was refused and nothing was written. ` +
        'Another worker has it, or it has ended: stop working on it.',
      { details: { jobId, act } },
    )
  }
}

/** There is no such thing, or it belongs to another tenant (the two look the same from outside). */
export class NotFoundError extends MillraceError {
  override readonly name = 'NotFoundError'
}

/** The thing can be seen but not touched by this actor. */
export class ForbiddenError extends MillraceError {
  override readonly name = 'ForbiddenError'
}

/** The thing's present state does not allow the act. `details.state` names it. */
export class ConflictError extends MillraceError {
  override readonly name = 'ConflictError'
}
