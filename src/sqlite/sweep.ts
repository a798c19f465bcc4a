/** One pass of recovery. It needs no handler's code: the policy of each type is in the store. */
import type { Claim } from '../core/job-row.ts'
import type { Verdict } from '../core/classification.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Plan, PlanValues } from '../core/plan.ts'
import type { JobPolicy } from '../core/policy.ts'
import { END_OF_GRACE, REAP_POISON } from '../core/plans.ts'
import { OPERATOR } from '../core/scope.ts'
import type { JobState } from '../core/states.ts'
import { planReap, settleTimeOut } from '../core/settle.ts'
import type { SweepReport } from '../store/claims.ts'
import { applyCall } from './apply.ts'
import { promoteDue } from './claim.ts'
import type { Database } from './database.ts'
import type { Row } from './driver.ts'
import { idFromBytes } from './ids.ts'

export interface Sweep {
  readonly graceMs: number
  readonly random: number
}

export function sweep(db: Database, { graceMs, random }: Sweep): SweepReport {
  const jobsPromoted = promoteDue(db)
  const sessionsEnded = db.run(END_DEAD_SESSIONS, db.now, db.now)
  const reaped = reapOrphans(db)
  const jobsTimedOut = timeOut(db, graceMs, random)
  return {
    sessionsEnded,
    jobsReaped: reaped.length,
    jobsPoisoned: reaped.filter((state) => state === 'failed').length,
    jobsTimedOut,
    jobsCancelled: endGraces(db, graceMs),
    jobsPromoted,
  }
}

const END_DEAD_SESSIONS = 'UPDATE millrace_sessions SET ended_at = ? WHERE ended_at IS NULL AND expires_at <= ?'

/** Jobs held by nobody alive, session by session in the order they were taken. */
const ORPHANS =
  'SELECT j.id, j.holder, j.fence, j.suspect, j.strikes, j.type, j.phase, j.phase_list, j.progress FROM millrace_jobs AS j INDEXED BY millrace_jobs_held ' +
  'WHERE j.holder IS NOT NULL AND NOT EXISTS (SELECT 1 FROM millrace_sessions AS s WHERE s.holder = j.holder AND s.ended_at IS NULL ' +
  'AND s.expires_at > ?) ORDER BY j.holder, j.n'

/** The states that the orphans were left in. */
function reapOrphans(db: Database): readonly JobState[] {
  const bySession = Map.groupBy(db.all(ORPHANS, db.now), (row) => Number(row['holder']))
  return [...bySession.values()].flatMap((orphans) => reapSession(db, orphans))
}

function reapSession(db: Database, orphans: readonly Row[]): readonly JobState[] {
  const facts = orphans.map((row) => ({ suspect: row['suspect'] === 1, strikes: Number(row['strikes']) }))
  const suspect = orphans.find((row) => row['suspect'] === 1) ?? orphans[0]
  const maxStrikes = suspect === undefined ? 1 : policyOf(db, suspect).maxStrikes
  return planReap(facts, maxStrikes).flatMap((plan, index) => {
    const orphan = orphans[index]
    return (orphan === undefined ? null : reapJob(db, orphan, plan)) ?? []
  })
}

function reapJob(db: Database, orphan: Row, plan: Plan): JobState | null {
  const poison = plan === REAP_POISON
  const error = poison
    ? attemptError(db, orphan, 'poison', 'The job was in flight each time when its worker died; it is not tried again.')
    : attemptError(db, orphan, 'session-lost', 'The worker that ran the job died or lost its lease.')
  const { name, message, code, verdict } = error
  return recover(db, orphan, { plan, error, detail: poison ? { error: { name, message, code }, verdict } : null })
}

function policyOf(db: Database, row: Row): JobPolicy {
  const type = db.findType(db.typeName(Number(row['type'])))
  if (type === undefined) throw new RangeError('a job without a type')
  return type.policy
}

interface Recovery {
  readonly plan: Plan
  readonly values?: PlanValues
  readonly error: AttemptError
  readonly detail: object | null
}

/** The state it left the job in; null: it was refused, since somebody was faster. */
function recover(db: Database, row: Row, { plan, values = {}, error, detail }: Recovery): JobState | null {
  const jobId = idFromBytes(row['id'])
  const claim: Claim = { jobId, holder: Number(row['holder']), fence: Number(row['fence']) }
  const told = detail === null ? null : JSON.stringify(detail)
  const result = applyCall(db, {
    jobId,
    plan,
    scope: OPERATOR,
    claim,
    values,
    detail: told,
    error: JSON.stringify(error),
  })
  return result.applied ? result.row.state : null
}

interface AttemptError {
  readonly name: string
  readonly message: string
  readonly code: ErrorCode
  readonly verdict: Verdict
  readonly phase: string | null
  readonly progress: number
}

/** What the worker would have written had it been able to: where the attempt was cut off. */
function attemptError(db: Database, row: Row, code: ErrorCode, message: string): AttemptError {
  const phase = db.phaseNames(Number(row['phase_list']))[Number(row['phase'])] ?? null
  const verdict = { fatal: code === 'poison', rule: code }
  return { name: 'MillraceError', message, code, verdict, phase, progress: Number(row['progress']) }
}

/**
 * Every running attempt stands in the index of held jobs, and there are never more of them than workers have slots, and have taken ahead of
 * these: a thousand or so each. The planner is told: without statistics it would rather read the whole table than sort.
 */
const OVERDUE =
  'SELECT id, holder, fence, type, phase, phase_list, progress, failures, deadline_at ' +
  'FROM millrace_jobs INDEXED BY millrace_jobs_held WHERE holder IS NOT NULL AND deadline_at <= ? ORDER BY n'

const OVERDUE_CANCELS =
  'SELECT id, holder, fence, type, phase, phase_list, progress, cancel_requested_at ' +
  'FROM millrace_jobs INDEXED BY millrace_jobs_held WHERE holder IS NOT NULL AND cancel_requested_at <= ? ORDER BY n'

/** The same for a cancel: its worker ends the grace itself, unless it is blocked. The claim is gone then, so what the handler still writes is refused. */
function endGraces(db: Database, graceMs: number): number {
  return db.all(OVERDUE_CANCELS, db.now - graceMs).filter((row) => {
    if (Number(row['cancel_requested_at']) + policyOf(db, row).cancelGraceMs + graceMs > db.now) return false
    const error = attemptError(db, row, 'job-cancelled', 'The handler did not stop within its grace.')
    return recover(db, row, { plan: END_OF_GRACE, error, detail: null }) !== null
  }).length
}

const TIMED_OUT: Verdict = { fatal: false, rule: 'time-out' }

/** The worker settles an overdue attempt itself after the handler's grace; this is for a worker that is alive and does not. */
function timeOut(db: Database, graceMs: number, random: number): number {
  return db.all(OVERDUE, db.now - graceMs).filter((row) => {
    const { maxAttempts, backoff, cancelGraceMs } = policyOf(db, row)
    if (Number(row['deadline_at']) + cancelGraceMs + graceMs > db.now) return false
    const failures = Number(row['failures'])
    const { plan, values } = settleTimeOut({ failures, maxAttempts, backoff, random, verdict: TIMED_OUT })
    const error = attemptError(db, row, 'time-out', 'The attempt took longer than its type allows.')
    const { name, message, code } = error
    const told = {
      error: { name, message, code },
      verdict: TIMED_OUT,
      ...(values.delayMs === undefined ? {} : { runInMs: values.delayMs }),
    }
    return recover(db, row, { plan, values, error: { ...error, verdict: TIMED_OUT }, detail: told }) !== null
  }).length
}
