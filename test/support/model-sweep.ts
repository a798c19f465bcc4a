/** The model's recovery: what is due, what dead sessions held, what ran too long. */
import type { PlanValues } from '../../src/core/plan.ts'
import { planReap, settleTimeOut } from '../../src/core/settle.ts'
import { END_OF_GRACE, REAP_POISON } from '../../src/core/plans.ts'
import type { SweepOptions, SweepReport } from '../../src/store/claims.ts'
import { clearLocks, settleStuck } from './model-locks.ts'
import { carryOut, promoteDue } from './model-plans.ts'
import { isAlive, ownError, policyOf } from './model-state.ts'
import type { ModelJob, ModelState } from './model-state.ts'

export function sweep(state: ModelState, options: SweepOptions): SweepReport {
  const jobsPromoted = promoteDue(state)
  const sessionsEnded = endDead(state, options)
  const reaped = reapOrphans(state)
  const jobsTimedOut = timeOut(state, options)
  const jobsCancelled = endGraces(state, options)
  const jobsStuck = settleStuck(state)
  const locksCleared = clearLocks(state)
  return { sessionsEnded, ...reaped, jobsTimedOut, jobsCancelled, jobsPromoted, jobsStuck, locksCleared }
}

function endDead(state: ModelState, { dead = [] }: SweepOptions): number {
  const over = [...state.sessions.values()].filter(({ holder, hand, endedAt, identity, process }) => {
    const ofDead = dead.some(
      (session) =>
        session.holder === holder && session.pid === identity.pid && session.startTick === process?.startTick,
    )
    return endedAt === null && (ofDead || (hand === null && !isAlive(state, holder)))
  })
  for (const session of over) session.endedAt = state.clock.at
  return over.length
}

function reapOrphans(state: ModelState): Pick<SweepReport, 'jobsReaped' | 'jobsPoisoned'> {
  let jobsReaped = 0
  let jobsPoisoned = 0
  const held = [...state.jobs.values()].filter(({ row }) => row.holder !== null && isOrphan(state, row.holder))
  for (const orphans of Map.groupBy(held, ({ row }) => row.holder).values()) {
    orphans.sort(inClaimOrder)
    const suspect = orphans.find(({ row }) => row.suspect)
    const maxStrikes = suspect === undefined ? 1 : policyOf(state, suspect).maxStrikes
    const plans = planReap(
      orphans.map(({ row }) => row),
      maxStrikes,
    )
    for (const [index, plan] of plans.entries()) {
      const job = orphans[index]
      if (job === undefined) continue
      const { id: jobId, holder, fence } = job.row
      const poison = plan === REAP_POISON
      const error = JSON.stringify(ownError(state, job, poison ? 'poison' : 'session-lost'))
      const claim = { jobId, holder: holder ?? -1, fence }
      const detail = poison ? toldDetail('poison', {}) : null
      carryOut(state, job, { plan, claim, values: {}, detail, error })
      jobsReaped += 1
      if (job.row.state === 'failed') jobsPoisoned += 1
    }
  }
  return { jobsReaped, jobsPoisoned }
}

/** A lock taken by hand that has run out is still its driver's, until the job is stuck. */
function isOrphan(state: ModelState, holder: number): boolean {
  const session = state.sessions.get(holder)
  return !isAlive(state, holder) && (session?.endedAt !== null || session.hand === null)
}

function inClaimOrder(left: ModelJob, right: ModelJob): number {
  return (left.row.startedAt ?? 0) - (right.row.startedAt ?? 0) || left.n - right.n
}

function timeOut(state: ModelState, { graceMs, random }: SweepOptions): number {
  const late = [...state.jobs.values()].filter(
    (job) =>
      job.row.deadlineAt !== null &&
      job.row.deadlineAt + policyOf(state, job).cancelGraceMs + graceMs <= state.clock.at,
  )
  for (const job of late) {
    const { id: jobId, holder, fence, failures } = job.row
    const { maxAttempts, backoff } = policyOf(state, job)
    const verdict = { fatal: false, rule: 'time-out' }
    const { plan, values } = settleTimeOut({ failures, maxAttempts, backoff, verdict, random })
    const claim = { jobId, holder: holder ?? -1, fence }
    const error = JSON.stringify(ownError(state, job, 'time-out'))
    carryOut(state, job, { plan, claim, values, detail: toldDetail('time-out', values), error })
  }
  return late.length
}

function endGraces(state: ModelState, { graceMs }: SweepOptions): number {
  const late = [...state.jobs.values()].filter(
    (job) =>
      job.row.holder !== null &&
      job.row.cancelRequestedAt !== null &&
      job.row.cancelRequestedAt + policyOf(state, job).cancelGraceMs + graceMs <= state.clock.at,
  )
  for (const job of late) {
    const { id: jobId, holder, fence } = job.row
    const error = JSON.stringify(ownError(state, job, 'job-cancelled'))
    const claim = { jobId, holder: holder ?? -1, fence }
    carryOut(state, job, { plan: END_OF_GRACE, claim, values: {}, detail: null, error })
  }
  return late.length
}

function toldDetail(code: 'poison' | 'time-out', { delayMs }: PlanValues): string {
  const error = { name: 'MillraceError', message: code, code }
  const verdict = { fatal: code === 'poison', rule: code }
  return JSON.stringify({ error, verdict, ...(delayMs === undefined ? {} : { runInMs: delayMs }) })
}
