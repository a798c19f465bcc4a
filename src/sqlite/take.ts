/** Taking one job by its id, for somebody who drives it by hand: a lock, which is a session of its own, and the claim under it. */
import { CLAIM, PROMOTE } from '../core/plans.ts'
import { OPERATOR, hiddenFrom } from '../core/scope.ts'
import type { Taken, TakeRequest } from '../store/claims.ts'
import { isId } from '../store/ids.ts'
import { startedIn } from '../store/event-detail.ts'
import { applyCall, updateByPlan } from './apply.ts'
import type { Database } from './database.ts'
import { writeHistory } from './history.ts'
import { idToBytes } from './ids.ts'
import { JOB_COLUMNS, jobSummary } from './rows.ts'
import { openLock, sessionHolder } from './sessions.ts'

const BY_ID = `SELECT ${JOB_COLUMNS} FROM millrace_jobs AS j WHERE j.id = ?`

export function takeJob(db: Database, { jobId, scope, lock }: TakeRequest): Taken {
  promote(db, jobId)
  const found = isId(jobId) ? db.get(BY_ID, idToBytes(jobId)) : undefined
  if (found === undefined) return { outcome: 'not-found' }
  const job = jobSummary(db, found)
  const hidden = hiddenFrom(scope, job)
  if (hidden !== null) return { outcome: hidden }
  const { type, service, state, holder: heldBy, policy } = job
  if (service !== null && service !== lock.service) return { outcome: 'not-owner', type, service }
  if (state !== 'queued')
    return { outcome: 'not-queued', state, heldBy: heldBy === null ? null : sessionHolder(db, heldBy) }
  const { holder } = lock
  const session = openLock(db, lock, policy.lock.durationMs)
  const values = { holder, timeoutMs: policy.timeoutMs }
  const applied = updateByPlan(db, CLAIM, { key: jobId, now: db.now, scope: OPERATOR, claim: null, values, session })
  if (applied === null) throw new RangeError('a job that is queued could not be claimed')
  writeHistory(db, applied, { detail: startedIn(job), error: null, stoppedBy: null, cutOff: applied.row })
  const lockExpiresAt = db.now + policy.lock.durationMs
  return { outcome: 'taken', claim: { jobId, holder, fence: job.fence + 1 }, lockExpiresAt }
}

/** If its time has come. */
function promote(db: Database, jobId: string): void {
  applyCall(db, { jobId, plan: PROMOTE, scope: OPERATOR, claim: null, values: {}, detail: null })
}
