import { ConflictError, ForbiddenError, MillraceError } from '../core/errors.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { JobRow } from '../core/job-row.ts'
import type { Refusal } from '../core/plan.ts'
import { noSuchJob } from './job-watcher.ts'

export interface Refused {
  readonly jobId: string
  /** The act as a verb that follows "can't be": `cancelled`. */
  readonly act: string
  readonly refusal: Refusal | 'artifact-exists'
  /** The job as it is; null: not seen. */
  readonly row: JobRow | null
}

/** The error that a person gets for a refusal of the store. */
export function refusalError({ jobId, act, refusal, row }: Refused): MillraceError {
  const state = row?.state ?? null
  const details = { jobId, state }
  if (refusal === 'not-found' || (refusal !== 'forbidden' && state === null)) return noSuchJob(jobId)
  if (refusal === 'forbidden') return notYours(jobId)
  const conflict = CONFLICTS[refusal]
  if (conflict !== undefined) {
    return new ConflictError(conflict.code, `Job ${jobId} is ${state} and can't be ${act}${conflict.advice}`, {
      details,
    })
  }
  return new MillraceError('internal', `The store refused to let job ${jobId} be ${act}: ${refusal}.`, {
    details: { ...details, refusal },
  })
}

/** A job, or an artifact of one, that may be seen, but not touched or read whole. */
export function notYours(id: string, what: 'Job' | 'Artifact' = 'Job'): ForbiddenError {
  return new ForbiddenError(
    'forbidden',
    `${what} ${id} belongs to another user: ask its owner or an admin of the tenant.`,
    {
      details: what === 'Job' ? { jobId: id } : { artifactId: id },
    },
  )
}

const CONFLICTS: Readonly<Partial<Record<Refusal | 'artifact-exists', { code: ErrorCode; advice: string }>>> = {
  final: { code: 'job-final', advice: '. Nothing was changed; a job that is over can only be retried.' },
  'not-final': { code: 'job-not-final', advice: ': only a job that is over can. Cancel it first, or wait for it.' },
  'not-waiting': { code: 'job-not-waiting', advice: ': only a scheduled or retrying job waits for its time.' },
  'moved-on': { code: 'job-not-final', advice: ', because others act on it at this moment. Look at it again.' },
  'unique-held': {
    code: 'unique-held',
    advice: ' while another unfinished job holds its unique key: wait for that one, or cancel it.',
  },
}
