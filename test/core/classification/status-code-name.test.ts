import { describe } from 'node:test'
import {
  ForbiddenError,
  InvalidInputError,
  LeaseLostError,
  MillraceError,
  NotFoundError,
} from '../../../src/core/errors.ts'
import { checkVerdicts, errorWith } from './verdicts.ts'
import type { VerdictRow, VerdictText } from './verdicts.ts'

/** As a library would declare it that never sets `name`. */
class ValidationError extends Error {}

describe('an HTTP status', () => {
  checkVerdicts([
    ...[400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 418, 422, 451, 499].map((status): VerdictRow => [
      `${status}`,
      errorWith({ status }),
      'fatal http-4xx',
    ]),
    ...[408, 425, 429].map((status): VerdictRow => [`${status}`, errorWith({ status }), `retryable http-${status}`]),
    ...[500, 501, 502, 503, 504, 507, 599].map((status): VerdictRow => [
      `${status}`,
      errorWith({ status }),
      'retryable http-5xx',
    ]),
    ...[0, 200, 304, 399, 600, 404.5, Number.NaN, '4x4', '4040', true, null, {}].map((status): VerdictRow => [
      `no error status (${JSON.stringify(status)})`,
      errorWith({ status }),
      'retryable unknown',
    ]),
    ['as statusCode', errorWith({ statusCode: 404 }), 'fatal http-4xx'],
    ['as a text', errorWith({ status: '404' }), 'fatal http-4xx'],
    ['as response.status', errorWith({ response: { status: 422 } }), 'fatal http-4xx'],
    ['as response.statusCode', errorWith({ response: { statusCode: 503 } }), 'retryable http-5xx'],
    ['as $metadata.httpStatusCode', errorWith({ $metadata: { httpStatusCode: 404 } }), 'fatal http-4xx'],
    ['as output.statusCode', errorWith({ output: { statusCode: 404 } }), 'fatal http-4xx'],
    ['as a numeric code', errorWith({ code: 404 }), 'fatal http-4xx'],
    ['on a plain object', { status: 404 }, 'fatal http-4xx'],
    ['an exit code is none', errorWith({ code: 1 }), 'retryable unknown'],
  ])
})

describe('an error code', () => {
  const codes: Readonly<Record<VerdictText, readonly string[]>> = {
    'retryable network': [
      'ECONNREFUSED',
      'ECONNRESET',
      'ECONNABORTED',
      'ETIMEDOUT',
      'ESOCKETTIMEDOUT',
      'EPIPE',
      'EHOSTUNREACH',
      'EHOSTDOWN',
      'ENETUNREACH',
      'ENETDOWN',
      'ENETRESET',
      'ENOTFOUND',
      'EAI_AGAIN',
      'ENOTCONN',
      'UND_ERR_CONNECT_TIMEOUT',
      'UND_ERR_SOCKET',
      'UND_ERR_HEADERS_TIMEOUT',
      'ERR_NETWORK',
      'ERR_SOCKET_CONNECTION_TIMEOUT',
      'ERR_STREAM_PREMATURE_CLOSE',
      'ERR_HTTP2_STREAM_ERROR',
    ],
    'retryable aborted': ['ABORT_ERR', 'UND_ERR_ABORTED', 'ERR_CANCELED'],
    'retryable database-connection': [
      '08000',
      '08006',
      '08P01',
      '57P01',
      '57P02',
      '57P03',
      '53300',
      '53100',
      'PROTOCOL_CONNECTION_LOST',
      'P1001',
      'CONNECTION_CLOSED',
      'CONNECT_TIMEOUT',
    ],
    'retryable database-contention': [
      '40001',
      '40P01',
      '55P03',
      'SQLITE_BUSY',
      'SQLITE_BUSY_SNAPSHOT',
      'SQLITE_LOCKED',
      'ER_LOCK_DEADLOCK',
      'P2034',
      'store-busy',
    ],
    'retryable database-schema': ['42P01', '42703', '3D000'],
    'retryable too-many-requests': ['TOO_MANY_REQUESTS', 'RESOURCE_EXHAUSTED', 'rate_limit_exceeded'],
    'retryable timeout': ['DEADLINE_EXCEEDED', 'TIMEOUT', 'time-out'],
    'retryable http-5xx': ['INTERNAL_SERVER_ERROR', 'UNAVAILABLE'],
    'fatal not-found': ['NOT_FOUND', 'P2025', 'NoSuchKey'],
    'fatal validation': ['BAD_REQUEST', 'INVALID_ARGUMENT', 'FST_ERR_VALIDATION'],
    'fatal forbidden': ['FORBIDDEN', 'PERMISSION_DENIED'],
    'retryable unknown': [
      'ENOENT',
      '23505',
      '57014',
      'XX000',
      'UND_ERR_INVALID_ARG',
      '',
      'ECONNRESET2',
      'E'.repeat(10_000),
    ],
  }
  checkVerdicts(
    Object.entries(codes).flatMap(([verdict, names]) =>
      names.map((code): VerdictRow => [code.slice(0, 40), errorWith({ code }), verdict as VerdictText]),
    ),
  )
  checkVerdicts([
    ['in errno', errorWith({ errno: 'ECONNRESET' }), 'retryable network'],
    ['in sqlState', errorWith({ code: 'ER_SOMETHING', sqlState: '08S01' }), 'retryable database-connection'],
    ['a busy SQLite', errorWith({ code: 'ERR_SQLITE_ERROR', errcode: 5 }), 'retryable database-contention'],
    [
      'a busy SQLite with an extended code',
      errorWith({ code: 'ERR_SQLITE_ERROR', errcode: 517 }),
      'retryable database-contention',
    ],
    ['a locked SQLite', errorWith({ code: 'ERR_SQLITE_ERROR', errcode: 6 }), 'retryable database-contention'],
    ['a broken constraint in SQLite', errorWith({ code: 'ERR_SQLITE_ERROR', errcode: 19 }), 'retryable unknown'],
    ['SQLite without a result code', errorWith({ code: 'ERR_SQLITE_ERROR' }), 'retryable unknown'],
    ['a result code without SQLite', errorWith({ errcode: 5 }), 'retryable unknown'],
  ])
})

describe("the name of an error's class", () => {
  const names: Readonly<Record<VerdictText, readonly string[]>> = {
    'fatal validation': [
      'ValidationError',
      'ZodError',
      '$ZodError',
      'ValiError',
      'SequelizeValidationError',
      'ValidationException',
      'BadRequestError',
      'UnprocessableEntityException',
      'InvalidInputError',
    ],
    'fatal schema': ['SchemaError'],
    'fatal not-found': ['NotFoundError', 'EntityNotFoundError', 'NotFoundException', 'NoSuchKey'],
    'fatal forbidden': ['ForbiddenError', 'UnauthorizedError'],
    'retryable timeout': ['TimeoutError', 'ConnectTimeoutError', 'StatementTimeout'],
    'retryable aborted': ['AbortError', 'CanceledError'],
    'retryable network': [
      'FetchError',
      'SocketError',
      'APIConnectionError',
      'SequelizeHostNotFoundError',
      'SequelizeConnectionRefusedError',
    ],
    'retryable database-connection': ['MongoNetworkError', 'MongoServerSelectionError'],
    'retryable too-many-requests': ['RateLimitError', 'ThrottlingException'],
    'retryable unknown': ['TypeError', 'RangeError', 'ModuleNotFoundError', 'Error', '', 'ConflictError'],
  }
  checkVerdicts(
    Object.entries(names).flatMap(([verdict, list]) =>
      list.map((name): VerdictRow => [name, errorWith({ name }), verdict as VerdictText]),
    ),
  )
  checkVerdicts([
    ['a class that does not set its name', new ValidationError('age'), 'fatal validation'],
    ['a subclass of one', new (class AgeError extends ValidationError {})('age'), 'fatal validation'],
    [
      'a timeout of a browser',
      errorWith({ name: 'TimeoutError' }, 'page.goto: Timeout 30000ms exceeded.'),
      'retryable browser-timeout',
    ],
    [
      'a signal that timed out',
      new DOMException('The operation was aborted due to timeout', 'TimeoutError'),
      'retryable timeout',
    ],
    ['an aborted signal', new DOMException('This operation was aborted', 'AbortError'), 'retryable aborted'],
    ['a name that is no text', errorWith({ name: 404 }), 'retryable unknown'],
  ])
})

describe("an error of Millrace's own", () => {
  checkVerdicts([
    ['an input that is refused', new InvalidInputError({ path: 'a', expected: 'b' }), 'fatal validation'],
    ['an input that is lost', new MillraceError('input-lost', 'no'), 'fatal validation'],
    ['an outdated input', new MillraceError('input-outdated', 'no'), 'fatal validation'],
    ['an invalid output', new MillraceError('output-invalid', 'no'), 'fatal validation'],
    ['changed phases', new MillraceError('phases-changed', 'no'), 'fatal phases-changed'],
    ['a job that is not there', new NotFoundError('job-not-found', 'no such job'), 'fatal not-found'],
    ['a job that may not be touched', new ForbiddenError('job-not-found', 'no'), 'fatal not-found'],
    ['a lost lease', new LeaseLostError('a', 'complete'), 'retryable lease-lost'],
    ['a busy store', new MillraceError('store-busy', 'locked'), 'retryable database-contention'],
    ['a bug', new MillraceError('internal', 'oops'), 'retryable unknown'],
  ])
})
