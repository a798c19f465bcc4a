import type { Scope } from '../core/scope.ts'
import { validateJob } from '../core/validation.ts'
import type { Issue } from '../core/validation.ts'
import type { Store } from '../store/store.ts'
import { noSuchJob } from './job-watcher.ts'
import { notYours } from './refusals.ts'

/** Whether a job is in a state that it can have come to by Millrace's own ways. */
export interface Validation {
  readonly isValid: boolean
  /** What is wrong with it; none: nothing. */
  readonly issues: readonly Issue[]
}

/** @throws NotFoundError, ForbiddenError */
export async function validateStoredJob(store: Store, scope: Scope, jobId: string): Promise<Validation> {
  const job = await store.integrity.auditOne(jobId, scope)
  if (job === 'not-found') throw noSuchJob(jobId)
  if (job === 'forbidden') throw notYours(jobId)
  const issues = validateJob(job)
  return { isValid: issues.length === 0, issues }
}
