/** Taking one job by its id, for somebody who drives it by hand: a lock, which is a session of its own, and the claim under it. */
import { CLAIM, PROMOTE } from '../core/plans.ts'
import { hiddenFrom, OPERATOR } from '../core/scope.ts'
import type { PlanCall, Taken, TakeRequest } from '../store/claims.ts'
import { startedIn } from '../store/event-detail.ts'
import { isId } from '../store/ids.ts'
import { decodePolicy } from '../store/policy-text.ts'
import { applyLocked } from './apply.ts'
import type { Transaction } from './database.ts'
import type { Names } from './names.ts'
import { ROW_COLUMNS, jobRow } from './rows.ts'
import { openLock, sessionHolder } from './sessions.ts'

const LOCK_JOB =
  `SELECT ${ROW_COLUMNS}, j.phase_list, t.name AS type_name, t.service, t.policy FROM millrace.jobs AS j ` +
  'JOIN millrace.types AS t ON t.n = j.type WHERE j.id = $1 FOR UPDATE OF j'
const SET_SESSION = 'UPDATE millrace.jobs SET session = $2 WHERE id = $1'

export async function takeJob(tx: Transaction, names: Names, { jobId, scope, lock }: TakeRequest): Promise<Taken> {
  const beside = { jobId, scope: OPERATOR, claim: null, detail: null } as const
  const carryOut = (call: PlanCall): ReturnType<typeof applyLocked> => applyLocked(tx, names, [call])
  // If its time has come.
  await carryOut({ ...beside, plan: PROMOTE, values: {} })
  const [found] = isId(jobId) ? await tx.rows(LOCK_JOB, jobId) : []
  if (found === undefined) return { outcome: 'not-found' }
  const job = jobRow(found)
  const hidden = hiddenFrom(scope, job)
  if (hidden !== null) return { outcome: hidden }
  const { service } = found
  if (typeof service === 'string' && service !== lock.service)
    return { outcome: 'not-owner', type: String(found['type_name']), service }
  const { state, holder: heldBy } = job
  if (state !== 'queued')
    return { outcome: 'not-queued', state, heldBy: heldBy === null ? null : await sessionHolder(tx.rows, heldBy) }
  const { holder } = lock
  const policy = decodePolicy(String(found['policy']))
  const session = await openLock(tx, lock, policy.lock.durationMs)
  const phaseNames = await names.phaseNames(tx.rows, Number(found['phase_list']))
  const detail = startedIn({ phaseNames, phase: job.phase })
  await carryOut({ ...beside, plan: CLAIM, values: { holder, timeoutMs: policy.timeoutMs }, detail })
  await tx.rows(SET_SESSION, jobId, session)
  const lockExpiresAt = tx.now + policy.lock.durationMs
  return { outcome: 'taken', claim: { jobId, holder, fence: job.fence + 1 }, lockExpiresAt }
}
