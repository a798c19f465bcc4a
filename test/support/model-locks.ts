/** The model's locks: sessions of their own, for jobs that somebody drives by hand. */
import { DEFAULTS } from '../../src/core/limits.ts'
import { CLAIM, PROMOTE } from '../../src/core/plans.ts'
import { canSee, canTouch } from '../../src/core/scope.ts'
import { planStuck, stuckAt } from '../../src/core/settle.ts'
import type { PlanCall, Taken, TakeRequest } from '../../src/store/claims.ts'
import type { LockHolder } from '../../src/store/sessions.ts'
import { carryOut, NOTHING_BESIDE } from './model-plans.ts'
import { ownError, policyOf } from './model-state.ts'
import type { ModelJob, ModelState } from './model-state.ts'

export function holderOf(state: ModelState, holder: number | null): LockHolder | null {
  const session = state.sessions.get(holder ?? -1)
  if (session === undefined || session.endedAt !== null) return null
  const { identity, hand, startedAt, expiresAt } = session
  return { ...identity, by: hand, since: startedAt, expiresAt }
}

export function takeByHand(state: ModelState, { jobId, scope, lock }: TakeRequest): Taken {
  const job = state.jobs.get(jobId)
  if (job === undefined) return { outcome: 'not-found' }
  carryOut(state, job, { plan: PROMOTE, ...NOTHING_BESIDE })
  if (!canSee(scope, job.row)) return { outcome: 'not-found' }
  if (!canTouch(scope, job.row)) return { outcome: 'forbidden' }
  const { type } = job.made
  const owner = state.types.get(type)?.service ?? null
  if (owner !== null && owner !== lock.service) return { outcome: 'not-owner', type, service: owner }
  if (job.row.state !== 'queued') {
    return { outcome: 'not-queued', state: job.row.state, heldBy: holderOf(state, job.row.holder) }
  }
  const { timeoutMs, lock: locking } = policyOf(state, job)
  const { holder, by, ...identity } = lock
  const startedAt = state.clock.at
  const lockExpiresAt = startedAt + locking.durationMs
  state.sessions.set(holder, {
    holder,
    identity,
    concurrency: 1,
    leaseMs: locking.durationMs,
    startedAt,
    onLost: () => undefined,
    process: null,
    types: [],
    epoch: 0,
    version: null,
    hand: by,
    beatAt: startedAt,
    expiresAt: lockExpiresAt,
    drainingSince: null,
    endedAt: null,
  })
  carryOut(state, job, { plan: CLAIM, ...NOTHING_BESIDE, values: { holder, timeoutMs } })
  return { outcome: 'taken', claim: { jobId, holder, fence: job.row.fence }, lockExpiresAt }
}

/** After a plan that was applied under a lock. */
export function keepLock(state: ModelState, job: ModelJob, { claim, byHand }: PlanCall): void {
  const session = state.sessions.get(claim?.holder ?? -1)
  if (byHand === undefined || session === undefined || session.hand === null) return
  session.beatAt = state.clock.at
  const leastMs = byHand.lockMs ?? Math.min(session.leaseMs, DEFAULTS.lockWriteMs)
  session.expiresAt = Math.max(session.expiresAt, state.clock.at + leastMs)
  if (job.row.holder !== session.holder) session.endedAt = state.clock.at
}

/** Settles what is driven by hand and is stuck; answers how many. */
export function settleStuck(state: ModelState): number {
  const { at } = state.clock
  const stuck = [...state.jobs.values()].filter((job) => {
    const session = state.sessions.get(job.row.holder ?? -1)
    if (session === undefined || session.hand === null) return false
    const { quietMs } = policyOf(state, job).lock
    return stuckAt({ lockExpiresAt: session.expiresAt, updatedAt: job.updatedAt, quietMs }) <= at
  })
  for (const job of stuck) {
    const { id: jobId, holder, fence, phase, progress } = job.row
    const plan = planStuck({ phase, progress, progressed: policyOf(state, job).lock.progressed })
    const own = ownError(state, job, 'lock-expired')
    const { name, message, code, verdict } = own
    const error = JSON.stringify(own)
    const detail = plan.name === 'reap-stuck' ? JSON.stringify({ error: { name, message, code }, verdict }) : null
    carryOut(state, job, { plan, claim: { jobId, holder: holder ?? -1, fence }, values: {}, detail, error })
  }
  return stuck.length
}

/** Ends the locks that hold no job any more; answers how many. */
export function clearLocks(state: ModelState): number {
  const held = new Set([...state.jobs.values()].map(({ row }) => row.holder))
  const idle = [...state.sessions.values()].filter(
    ({ hand, endedAt, holder }) => hand !== null && endedAt === null && !held.has(holder),
  )
  for (const session of idle) session.endedAt = state.clock.at
  return idle.length
}
