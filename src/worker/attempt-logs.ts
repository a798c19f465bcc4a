/** The lines that a worker logs of each attempt. */
import { createFailureLog, createSuccessLog } from '../core/job-logs.ts'
import type { JobContext } from '../core/job-logs.ts'
import type { AppliedRow } from '../store/claims.ts'
import type { Attempt } from './attempt.ts'
import type { Ending } from './ending.ts'

export function logStart(attempt: Attempt): void {
  if (attempt.host.logger.infoWanted === false) return
  attempt.host.logger.info('JOB_START', { ...jobContext(attempt) })
}

/** What the store made of the attempt counts: a job whose cancel was pending is cancelled, whatever its handler did. */
export function logEnd(attempt: Attempt, { failure }: Ending, { state, cancelledBy, cancelReason }: AppliedRow): void {
  const { host } = attempt
  if (host.logger.infoWanted === false && failure === null) return
  const context = jobContext(attempt)
  const durationMs = Math.round(host.runtime.monotonic() - attempt.startedAt)
  if (failure === null) {
    host.logger.info('JOB_SUCCESS', { ...createSuccessLog(context, { durationMs, ...fileOf(attempt) }) })
    return
  }
  if (state === 'failed' || state === 'retrying') {
    const line = { ...createFailureLog(context, failure.error, durationMs, failure.verdict) }
    if (state === 'failed') host.logger.error('JOB_FAILED', line)
    else host.logger.warn('JOB_FAILED', line)
    return
  }
  const { jobId, jobType, entityId } = context
  const entity = entityId === undefined ? {} : { entityId }
  if (state === 'cancelled') {
    host.logger.info('JOB_CANCELLED', { jobId, jobType, ...entity, cancelledBy, reason: cancelReason, durationMs })
    return
  }
  host.logger.info('JOB_RELEASED', { jobId, jobType, ...entity, durationMs })
}

/** Somebody else has ended the attempt, or taken the job. */
export function logLost({ host, job }: Attempt): void {
  host.logger.warn('JOB_LOST', {
    jobId: job.claim.jobId,
    jobType: job.type,
    fence: job.claim.fence,
    message: 'The claim on the job is lost; what its handler still writes is refused.',
  })
}

function jobContext({ job }: Attempt): JobContext {
  const { claim, type: jobType, labels, failures, policy, runAt, startedAt } = job
  const entityId = labels['entityId']
  return {
    jobId: claim.jobId,
    jobType,
    ...(entityId === undefined ? {} : { entityId }),
    // Failures are what attempts are limited by: releases and lost sessions don't count.
    attemptNumber: failures,
    maxAttempts: policy.maxAttempts,
    queuedAt: runAt,
    startedAt,
  }
}

const BYTES_PER_MB = 1_000_000

function fileOf({ artifact }: Attempt): { readonly filePath?: string; readonly fileSizeMB?: number } {
  if (artifact === null) return {}
  return {
    ...(artifact.file === null ? {} : { filePath: artifact.file }),
    fileSizeMB: Math.round((artifact.written.sizeBytes / BYTES_PER_MB) * 1_000) / 1_000,
  }
}
