/** One pass of recovery. What is done to each job it finds stands in the port, for every store alike. */
import type { JobState } from '../core/states.ts'
import type { PlanCall, SweepOptions, SweepReport } from '../store/claims.ts'
import { EVENT_CODES } from '../store/codes.ts'
import { nullableText } from '../store/columns.ts'
import { TOLD_WITHIN, endGraceCall, reapCalls, stuckCall, timeOutCall } from '../store/recovery.ts'
import type { HeldJob } from '../store/recovery.ts'
import type { ProcessSession } from '../store/sessions.ts'
import { applyCall } from './apply.ts'
import { promoteDue } from './claim.ts'
import type { Database } from './database.ts'
import type { Row } from './driver.ts'
import { idFromBytes } from './ids.ts'

export function sweep(db: Database, { graceMs, random, dead = [] }: SweepOptions): SweepReport {
  const jobsPromoted = promoteDue(db)
  const sessionsEnded = endDeadSessions(db, dead)
  const reaped = reapOrphans(db)
  const moment = { now: db.now, graceMs, random }
  const overdue = db.all(OVERDUE, db.now - graceMs).map((row) => ({
    ...heldJob(db, row),
    deadlineAt: Number(row['deadline_at']),
    failures: Number(row['failures']),
  }))
  const jobsTimedOut = statesAfter(
    db,
    overdue.map((job) => timeOutCall(job, moment)),
  ).length
  const stopping = db
    .all(OVERDUE_CANCELS, db.now - graceMs)
    .map((row) => ({ ...heldJob(db, row), cancelRequestedAt: Number(row['cancel_requested_at']) }))
  const jobsCancelled = statesAfter(
    db,
    stopping.map((job) => endGraceCall(job, moment)),
  ).length
  return {
    sessionsEnded,
    jobsReaped: reaped.length,
    jobsPoisoned: reaped.filter((state) => state === 'failed').length,
    jobsTimedOut,
    jobsCancelled,
    jobsPromoted,
    jobsStuck: settleStuck(db).length,
    locksCleared: db.run(CLEAR_LOCKS, db.now),
  }
}

const END_EXPIRED =
  'UPDATE millrace_sessions SET ended_at = ? WHERE ended_at IS NULL AND expires_at <= ? AND hand IS NULL'
/** Whoever looked at the process has looked at this very one. */
const END_OF_PROCESS =
  'UPDATE millrace_sessions SET ended_at = ? WHERE holder = ? AND pid = ? AND start_tick = ? AND ended_at IS NULL'

function endDeadSessions(db: Database, dead: readonly ProcessSession[]): number {
  return dead.reduce(
    (ended, { holder, pid, startTick }) => ended + db.run(END_OF_PROCESS, db.now, holder, pid, startTick),
    db.run(END_EXPIRED, db.now, db.now),
  )
}

/** The columns that `heldJob` reads, of a job `j`. */
const HELD =
  'j.id, j.holder, j.fence, j.type, j.phase, j.phase_list, j.progress, (SELECT e.detail FROM millrace_events AS e WHERE e.job = j.n ' +
  `AND e.seq > j.event_seq - ${TOLD_WITHIN} AND e.attempt = j.attempt AND e.code = ${EVENT_CODES['job:progress']} ` +
  'ORDER BY e.seq DESC LIMIT 1) AS told'

/** Jobs held by nobody alive, session by session in the order they were taken. */
const ORPHANS =
  `SELECT ${HELD}, j.suspect, j.strikes FROM millrace_jobs AS j INDEXED BY millrace_jobs_held ` +
  'WHERE j.holder IS NOT NULL AND NOT EXISTS (SELECT 1 FROM millrace_sessions AS s WHERE s.holder = j.holder AND s.ended_at IS NULL ' +
  'AND (s.expires_at > ? OR s.hand IS NOT NULL)) ORDER BY j.holder, j.n'

/** The states that the orphans were left in. */
function reapOrphans(db: Database): readonly JobState[] {
  const orphans = db.all(ORPHANS, db.now).map((row) => ({
    ...heldJob(db, row),
    suspect: row['suspect'] === 1,
    strikes: Number(row['strikes']),
  }))
  const bySession = Map.groupBy(orphans, ({ holder }) => holder)
  return [...bySession.values()].flatMap((ofSession) => statesAfter(db, reapCalls(ofSession)))
}

/** The states that jobs were left in that nobody drives any more. */
function settleStuck(db: Database): readonly JobState[] {
  const calls = db.all(LOCKS_RUN_OUT, db.now).map((row) => {
    const lock = { lockedBy: String(row['hand']), lockExpiresAt: Number(row['expires_at']) }
    const job = { ...heldJob(db, row), phaseIndex: Number(row['phase']), updatedAt: Number(row['updated_at']), ...lock }
    return stuckCall(job, db.now)
  })
  return statesAfter(db, calls)
}

function heldJob(db: Database, row: Row): HeldJob {
  const type = db.findType(db.typeName(Number(row['type'])))
  if (type === undefined) throw new RangeError('a job without a type')
  return {
    jobId: idFromBytes(row['id']),
    holder: Number(row['holder']),
    fence: Number(row['fence']),
    policy: type.policy,
    phase: db.phaseNames(Number(row['phase_list']))[Number(row['phase'])] ?? null,
    progress: Number(row['progress']),
    told: nullableText(row['told']),
  }
}

/** Of those that were not refused, since somebody was faster. */
function statesAfter(db: Database, calls: readonly (PlanCall | null)[]): readonly JobState[] {
  return calls.flatMap((call): readonly JobState[] => {
    if (call === null) return []
    const result = applyCall(db, call)
    return result.applied ? [result.row.state] : []
  })
}

/**
 * Every running attempt stands in the index of held jobs, which is as long as what workers have in hand. The planner is told: without
 * statistics it would rather read the whole table than sort.
 */
const OVERDUE =
  `SELECT ${HELD}, j.failures, j.deadline_at FROM millrace_jobs AS j INDEXED BY millrace_jobs_held ` +
  'WHERE j.holder IS NOT NULL AND j.deadline_at <= ? ORDER BY j.n'

const OVERDUE_CANCELS =
  `SELECT ${HELD}, j.cancel_requested_at FROM millrace_jobs AS j INDEXED BY millrace_jobs_held ` +
  'WHERE j.holder IS NOT NULL AND j.cancel_requested_at <= ? ORDER BY j.n'

/** Jobs driven by hand whose lock has run out. */
const LOCKS_RUN_OUT =
  `SELECT ${HELD}, j.updated_at, s.hand, s.expires_at ` +
  'FROM millrace_sessions AS s INDEXED BY millrace_sessions_open CROSS JOIN millrace_jobs AS j INDEXED BY millrace_jobs_held ' +
  'ON j.holder = s.holder WHERE s.ended_at IS NULL AND s.expires_at <= ? AND s.hand IS NOT NULL ORDER BY j.n'

/** Whatever took the job away, its lock is of no use any more. */
const CLEAR_LOCKS =
  'UPDATE millrace_sessions SET ended_at = ? WHERE ended_at IS NULL AND hand IS NOT NULL ' +
  'AND NOT EXISTS (SELECT 1 FROM millrace_jobs AS j WHERE j.holder = millrace_sessions.holder)'
