import { ConflictError, ForbiddenError, InvalidInputError, MillraceError, NotFoundError } from '../index.ts'
import type { ErrorCode } from '../index.ts'

/** What the exit code of a command says. `--help` shows the same list. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  storeUnavailable: 5,
  timeout: 6,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export const EXIT_HELP = `
Exit codes:
  0  done
  1  failed: the job that was waited for failed or was cancelled, doctor or validate found something wrong, or something unforeseen happened
  2  the command line, an option, a URL or an input is wrong; nothing was changed
  3  there is no such job
  4  the job's present state, or another service, stands in the way; nothing was changed
  5  the store can't be opened or used: locked, damaged, full, unwritable, missing
  6  the time to wait ran out
  130, 143  ended by a second Ctrl-C or SIGTERM, without waiting for running jobs`

const CODES: Readonly<Partial<Record<ErrorCode, ExitCode>>> = {
  'url-invalid': EXIT.usage,
  'handler-incomplete': EXIT.usage,
  'isolation-unavailable': EXIT.usage,
  'owner-conflict': EXIT.conflict,
  'artifacts-foreign': EXIT.storeUnavailable,
  'driver-missing': EXIT.storeUnavailable,
  'server-too-old': EXIT.storeUnavailable,
  'thread-missing': EXIT.storeUnavailable,
  'network-file-system': EXIT.storeUnavailable,
  'sqlite-affected': EXIT.storeUnavailable,
  'wait-timeout': EXIT.timeout,
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof InvalidInputError) return EXIT.usage
  if (error instanceof NotFoundError) return EXIT.notFound
  if (error instanceof ConflictError || error instanceof ForbiddenError) return EXIT.conflict
  if (!(error instanceof MillraceError)) return EXIT.failure
  return CODES[error.code] ?? (error.code.startsWith('store-') ? EXIT.storeUnavailable : EXIT.failure)
}
