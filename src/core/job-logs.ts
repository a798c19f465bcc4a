import { classifyError } from './classification.ts'
import type { Verdict } from './classification.ts'
import { readText } from './classification/error-tree.ts'
import { LIMITS } from './limits.ts'

/** What a worker knows about the attempt it works on. */
export interface JobContext {
  readonly jobId: string
  readonly jobType: string
  /** The record that the job is about, as a book or a map. */
  readonly entityId?: string | undefined
  /** Counted from 0. */
  readonly attemptNumber: number
  /** How many attempts the job gets in all, the first included. */
  readonly maxAttempts: number
  /** Epoch milliseconds. */
  readonly queuedAt: number
  /** Epoch milliseconds. */
  readonly startedAt: number
}

/** What came of an attempt that went well. */
export interface JobResult {
  readonly durationMs: number
  readonly filePath?: string | undefined
  readonly fileSizeMB?: number | undefined
}

/** The fields of a `JOB_SUCCESS` line. */
export interface JobSuccessLog {
  readonly jobId: string
  readonly jobType: string
  readonly entityId?: string
  readonly status: 'success'
  readonly durationMs: number
  readonly filePath?: string
  readonly fileSizeMB?: number
  readonly attemptNumber: number
}

/** The fields of a `JOB_FAILED` line. */
export interface JobFailureLog {
  readonly jobId: string
  readonly jobType: string
  readonly entityId?: string
  readonly status: 'failed'
  /** The message of the error, its first 4,000 characters. */
  readonly error: string
  /** The rule that gave `isFatal`; see `classifyError`. */
  readonly rule: string
  readonly isFatal: boolean
  /** Not fatal, and attempts are left. */
  readonly willRetry: boolean
  readonly durationMs: number
  readonly attemptNumber: number
  readonly maxAttempts: number
}

/** The fields of the log line for an attempt that went well. What is not known is left out. */
export function createSuccessLog(context: JobContext, result: JobResult): JobSuccessLog {
  return {
    ...idsOf(context),
    status: 'success',
    durationMs: result.durationMs,
    ...(result.filePath === undefined ? {} : { filePath: result.filePath }),
    ...(result.fileSizeMB === undefined ? {} : { fileSizeMB: result.fileSizeMB }),
    attemptNumber: context.attemptNumber,
  }
}

/**
 * The fields of the log line for an attempt that failed with `error`, which may be anything that can be thrown.
 *
 * @param verdict given where the error has been classified already, by rules of the job type
 */
export function createFailureLog(
  context: JobContext,
  error: unknown,
  durationMs: number,
  verdict: Verdict = classifyError(error),
): JobFailureLog {
  const { attemptNumber, maxAttempts } = context
  return {
    ...idsOf(context),
    status: 'failed',
    error: messageOf(error),
    rule: verdict.rule,
    isFatal: verdict.fatal,
    willRetry: !verdict.fatal && attemptNumber + 1 < maxAttempts,
    durationMs,
    attemptNumber,
    maxAttempts,
  }
}

function idsOf({ jobId, jobType, entityId }: JobContext): Pick<JobSuccessLog, 'jobId' | 'jobType' | 'entityId'> {
  return { jobId, jobType, ...(entityId === undefined ? {} : { entityId }) }
}

function messageOf(error: unknown): string {
  const text = readText(error)
  return text === '' ? `an error without a message (${typeof error})` : text.slice(0, LIMITS.errorMessageCharacters)
}
