/** What the fields of an error say: an HTTP status, an error code, a name. */
import { readField, readNames, readText } from './error-tree.ts'
import { fatal, judgeStatus, retryable } from './judgement.ts'
import type { Judgement } from './judgement.ts'
import { isBrowserTimeout } from './message-text.ts'
import { judgeName } from './name.ts'

/** Status, then code, then name: the first that says something. */
export function judgeFields(error: unknown): Judgement | undefined {
  return judgeStatusField(error) ?? judgeCodeFields(error) ?? judgeNames(error)
}

const STATUS_FIELDS: readonly (readonly string[])[] = [
  ['status'],
  ['statusCode'],
  ['response', 'status'],
  ['response', 'statusCode'],
  ['$metadata', 'httpStatusCode'],
  ['output', 'statusCode'],
  ['code'],
]

function judgeStatusField(error: unknown): Judgement | undefined {
  for (const fields of STATUS_FIELDS) {
    const status = asErrorStatus(fields.reduce(readField, error))
    if (status !== undefined) return judgeStatus(status)
  }
  return undefined
}

function asErrorStatus(value: unknown): number | undefined {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined
}

/**
 * Codes of Node.js and undici, SQLSTATE, and the codes of widely used database drivers and RPC frameworks. Class 42 of SQLSTATE (no such
 * table or column) is retryable: a deployment may be half done.
 */
const CODE_RULES: readonly (readonly [RegExp, Judgement])[] = [
  [/^(?:ABORT_ERR|UND_ERR_ABORTED|ERR_CANCELED)$/, retryable('aborted')],
  [
    /^E(?:CONN(?:REFUSED|RESET|ABORTED)|(?:SOCKET)?TIMEDOUT|PIPE|HOST(?:UNREACH|DOWN)|NET(?:UNREACH|DOWN|RESET))$/,
    retryable('network'),
  ],
  [/^(?:ENOTFOUND|EAI_\w{1,20}|ENOTCONN|EADDRNOTAVAIL|UND_ERR_(?!INVALID)\w{1,60})$/, retryable('network')],
  [/^(?:ERR_NETWORK|ERR_SOCKET_\w{1,60}|ERR_STREAM_PREMATURE_CLOSE|ERR_HTTP2_\w{1,60})$/, retryable('network')],
  [/^(?:08[0-9A-Z]{3}|53[0-9A-Z]{3}|57P0[1-5])$/, retryable('database-connection')],
  [
    /^(?:PROTOCOL_CONNECTION_LOST|ER_CON_COUNT_ERROR|ER_SERVER_SHUTDOWN|P1001|P1002|P1008|P1017|P2024)$/,
    retryable('database-connection'),
  ],
  [/^CONNECT(?:ION_(?:CLOSED|ENDED|DESTROYED)|_TIMEOUT)$/, retryable('database-connection')],
  [
    /^(?:40001|40P01|55P03|P2034|ER_LOCK_\w{1,40}|SQLITE_(?:BUSY|LOCKED)\w{0,40}|store-busy)$/,
    retryable('database-contention'),
  ],
  [/^(?:42[0-9A-Z]{3}|3D000|3F000)$/, retryable('database-schema')],
  [/^(?:TOO_MANY_REQUESTS|RESOURCE_EXHAUSTED|rate_limit_exceeded)$/, retryable('too-many-requests')],
  [/^(?:DEADLINE_EXCEEDED|TIMEOUT|time-out|wait-timeout)$/, retryable('timeout')],
  [/^(?:INTERNAL_SERVER_ERROR|BAD_GATEWAY|SERVICE_UNAVAILABLE|UNAVAILABLE|GATEWAY_TIMEOUT)$/, retryable('http-5xx')],
  [/^lease-lost$/, retryable('lease-lost')],
  [/^(?:NOT_FOUND|NoSuchKey|P2001|P2015|P2018|P2025|job-not-found)$/, fatal('not-found')],
  [/^(?:BAD_REQUEST|INVALID_ARGUMENT|UNPROCESSABLE_CONTENT|VALIDATION_ERROR|FST_ERR_VALIDATION)$/, fatal('validation')],
  [/^(?:input-invalid|input-lost|input-outdated|output-invalid|json-invalid|too-large)$/, fatal('validation')],
  [/^phases-changed$/, fatal('phases-changed')],
  [/^(?:UNAUTHORIZED|UNAUTHENTICATED|FORBIDDEN|PERMISSION_DENIED)$/, fatal('forbidden')],
]

const CODE_FIELDS = ['code', 'errno', 'sqlState'] as const
const CODE_CHARACTERS = 80

function judgeCodeFields(error: unknown): Judgement | undefined {
  for (const field of CODE_FIELDS) {
    const code = readField(error, field)
    if (typeof code !== 'string' || code.length > CODE_CHARACTERS) continue
    const match = CODE_RULES.find(([pattern]) => pattern.test(code))
    if (match !== undefined) return match[1]
  }
  return judgeSqliteCode(error)
}

const SQLITE_BUSY = 5
const SQLITE_LOCKED = 6

/** `node:sqlite` keeps SQLite's own result code beside one code for all; its lowest byte is the primary code. */
function judgeSqliteCode(error: unknown): Judgement | undefined {
  const resultCode = readField(error, 'errcode')
  if (readField(error, 'code') !== 'ERR_SQLITE_ERROR' || typeof resultCode !== 'number') return undefined
  const primary = resultCode & 0xff
  return primary === SQLITE_BUSY || primary === SQLITE_LOCKED ? retryable('database-contention') : undefined
}

function judgeNames(error: unknown): Judgement | undefined {
  for (const name of readNames(error)) {
    const judgement = judgeName(name)
    if (judgement !== undefined) return namedForBrowser(judgement, error)
  }
  return undefined
}

/** Browser drivers throw a plain TimeoutError; only the text tells that it was the page that took too long. */
function namedForBrowser(judgement: Judgement, error: unknown): Judgement {
  return judgement.rule === 'timeout' && isBrowserTimeout(readText(error)) ? retryable('browser-timeout') : judgement
}
