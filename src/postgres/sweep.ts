/**
 * One pass of recovery, in one transaction. Dead sessions are ended first: their rows stay locked until the end, so none of them can come to
 * life again while its jobs are taken away.
 *
 * Processes sweep one after another. But one that has fallen silent in the middle of a transaction, of a sweep even, keeps its locks until the
 * server ends it, and nobody else's jobs are to wait for that: whatever is locked is passed over, and left to the next pass.
 */
import { MillraceError } from '../core/errors.ts'
import type { JobState } from '../core/states.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { PlanCall, SweepOptions, SweepReport } from '../store/claims.ts'
import { EVENT_CODES } from '../store/codes.ts'
import { nullableText } from '../store/columns.ts'
import { decodePolicy } from '../store/policy-text.ts'
import { TOLD_WITHIN, endGraceCall, reapCalls, stuckCall, timeOutCall } from '../store/recovery.ts'
import type { HeldJob } from '../store/recovery.ts'
import type { ProcessSession } from '../store/sessions.ts'
import { applyLocked } from './apply.ts'
import { promoteDue } from './claim.ts'
import type { Database, Transaction } from './database.ts'
import type { Row } from './driver.ts'
import type { Names } from './names.ts'

const TRY_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('millrace sweep ' || 'millrace.jobs', 0)) AS mine"
const WAIT_FOR_TURN = 'SELECT pg_sleep(0.05)'
/** A second in all, which is more than a sweep takes. */
const TURN_TRIES = 20

/** Of the processes that were looked at, whoever looked has looked at this very one. */
const END_DEAD_SESSIONS =
  'UPDATE millrace.sessions SET ended_at = $1 WHERE n = ANY(ARRAY(SELECT n FROM millrace.sessions WHERE ended_at IS NULL AND ' +
  '((expires_at <= $1 AND hand IS NULL) OR (holder, pid, start_tick) IN (SELECT * FROM unnest($2::bigint[], $3::integer[], $4::bigint[]))) ' +
  'FOR UPDATE SKIP LOCKED)) RETURNING 1'

/** Sweeps again and again, and remembers from when on sessions that have ended may have left jobs behind. */
export class Sweeper {
  readonly #options: SweeperOptions
  /** When the last sweep was made that passed over nobody's job, or else the first, by the store's clock; null: there was none. */
  #sweptAt: number | null = null
  /** When all that is held is looked at, by this process's clock. */
  #nextLookAt = Number.NEGATIVE_INFINITY

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  async sweep(options: SweepOptions): Promise<SweepReport> {
    const { db, names } = this.#options
    const { report, passedOver, now } = await db.write(async (tx) => {
      const since = Math.min(this.#sweptAt ?? tx.now, tx.now) - OVERLAP_MS
      return { ...(await sweep(tx, names, { ...options, since })), now: tx.now }
    })
    // Somebody's transaction may have a job locked, for who knows how long.
    if (passedOver === 0 || this.#sweptAt === null) this.#sweptAt = now
    const strays = await this.#lookAtAll()
    return {
      ...report,
      jobsReaped: report.jobsReaped + strays.length,
      jobsPoisoned: report.jobsPoisoned + countFailed(strays),
    }
  }

  /** The states that jobs were left in which nobody has in hand, though no session that ended of late says so. */
  async #lookAtAll(): Promise<readonly JobState[]> {
    const { db, names, runtime, logger } = this.#options
    if (runtime.monotonic() < this.#nextLookAt) return []
    this.#nextLookAt = runtime.monotonic() + LOOK_AGAIN_MS
    try {
      const states = await db.write(async (tx) => {
        await tx.rows(LOOK_WITHIN, `${LOOK_WITHIN_MS}`)
        await takeTurn(tx)
        return reapOrphans(tx, names, await tx.rows(STRAYS))
      })
      this.#nextLookAt = runtime.monotonic() + LOOK_EVERY_MS
      return states
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'store-busy') throw error
      logger.warn('Not all jobs that are held could be looked at in time. It is tried again in ten minutes.', { error })
      return []
    }
  }
}

interface SweeperOptions {
  readonly db: Database
  readonly names: Names
  readonly runtime: Pick<Runtime, 'monotonic'>
  readonly logger: Logger
}

/**
 * Nobody leaves jobs behind, as a rule, but sessions that have ended since the last sweep, or a little before: a claim under way may be committed
 * after its session has ended. To look at all that is held instead is to read past the entries of all jobs that were done since the index was
 * last cleaned up: millions, while a transaction elsewhere stays open.
 */
const OVERLAP_MS = 300_000
/**
 * All that is held is looked at after the first sweep of a process, and then from time to time: what somebody has done by hand is found so, what
 * was left before any process swept, and a claim that was committed later than one ever should be. The sweeps behind it are not to wait for it.
 */
const LOOK_EVERY_MS = 3_600_000
const LOOK_AGAIN_MS = 600_000
const LOOK_WITHIN_MS = 2_000
const LOOK_WITHIN = "SELECT set_config('statement_timeout', $1, true)"

interface Sweep extends SweepOptions {
  /** From when on the sessions have ended that may have left jobs behind. */
  readonly since: number
}

interface Swept {
  readonly report: SweepReport
  /** Jobs of sessions that have ended, which others have locked. */
  readonly passedOver: number
}

async function sweep(tx: Transaction, names: Names, { graceMs, random, dead = [], since }: Sweep): Promise<Swept> {
  await takeTurn(tx)
  const jobsPromoted = await promoteDue(tx)
  const sessionsEnded = await endDeadSessions(tx, dead)
  const orphans = await tx.rows(ORPHANS, since)
  const reaped = await reapOrphans(tx, names, orphans)
  const moment = { now: tx.now, graceMs, random }
  const overdue = (await tx.rows(OVERDUE, tx.now - graceMs)).map((row) => ({
    ...heldJob(row),
    deadlineAt: Number(row['deadline_at']),
    failures: Number(row['failures']),
  }))
  const timedOut = await statesAfter(
    tx,
    names,
    overdue.map((job) => timeOutCall(job, moment)),
  )
  const stopping = (await tx.rows(OVERDUE_CANCELS, tx.now - graceMs)).map((row) => ({
    ...heldJob(row),
    cancelRequestedAt: Number(row['cancel_requested_at']),
  }))
  const cancelled = await statesAfter(
    tx,
    names,
    stopping.map((job) => endGraceCall(job, moment)),
  )
  const report: SweepReport = {
    sessionsEnded,
    jobsReaped: reaped.length,
    jobsPoisoned: countFailed(reaped),
    jobsTimedOut: timedOut.length,
    jobsCancelled: cancelled.length,
    jobsPromoted,
    jobsStuck: (await settleStuck(tx, names)).length,
    locksCleared: (await tx.rows(CLEAR_LOCKS, tx.now)).length,
  }
  return { report, passedOver: orphans.length - reaped.length }
}

async function endDeadSessions(tx: Transaction, dead: readonly ProcessSession[]): Promise<number> {
  const holders = dead.map(({ holder }) => holder)
  const pids = dead.map(({ pid }) => pid)
  const startTicks = dead.map(({ startTick }) => startTick)
  return (await tx.rows(END_DEAD_SESSIONS, tx.now, holders, pids, startTicks)).length
}

async function takeTurn(tx: Transaction): Promise<void> {
  for (let tries = 0; tries < TURN_TRIES; tries += 1) {
    const [turn] = await tx.rows(TRY_TURN)
    if (turn?.['mine'] === true) return
    await tx.rows(WAIT_FOR_TURN)
  }
}

/** Whatever took the job away, its lock is of no use any more. A lock is there from the moment on that its job is held under it. */
const CLEAR_LOCKS =
  'UPDATE millrace.sessions SET ended_at = $1 WHERE n = ANY(ARRAY(SELECT s.n FROM millrace.sessions AS s WHERE s.ended_at IS NULL ' +
  'AND s.hand IS NOT NULL AND NOT EXISTS (SELECT 1 FROM millrace.jobs AS j WHERE j.holder = s.holder) FOR UPDATE SKIP LOCKED)) RETURNING 1'

const HELD =
  'SELECT j.id, j.n, j.holder, j.fence, j.suspect, j.strikes, j.phase, j.progress, j.failures, j.updated_at, j.deadline_at, j.cancel_requested_at, t.policy, ' +
  'p.names::json ->> j.phase::integer AS phase_name, (SELECT e.detail FROM millrace.events AS e WHERE e.job = j.id ' +
  `AND e.seq > j.event_seq - ${TOLD_WITHIN} AND e.attempt = j.attempt AND e.code = ${EVENT_CODES['job:progress']} ` +
  'ORDER BY e.seq DESC LIMIT 1) AS told FROM millrace.jobs AS j JOIN millrace.types AS t ON t.n = j.type ' +
  'JOIN millrace.phase_lists AS p ON p.n = j.phase_list WHERE j.holder IS NOT NULL'

/** What sessions have in hand, session by session, as `x` beside `s`. */
function heldBy(sessions: string, jobs: string = 'true'): string {
  return `millrace.sessions AS s CROSS JOIN LATERAL (${HELD} AND j.holder = s.holder AND ${jobs} OFFSET 0) AS x WHERE ${sessions}`
}

/** Jobs without a session that is open, session by session in the order they were taken. */
const STRAYS =
  `${HELD} AND NOT EXISTS (SELECT 1 FROM millrace.sessions AS s WHERE s.holder = j.holder AND s.ended_at IS NULL) ` +
  'ORDER BY j.holder, j.n'
/** Those of sessions that have ended. A lock by hand ends with its job, or once that is gone. */
const ORPHANS = `SELECT x.* FROM ${heldBy('s.ended_at >= $1 AND s.hand IS NULL')} ORDER BY x.holder, x.n`

const OVERDUE = `SELECT x.* FROM ${heldBy('s.ended_at IS NULL', 'j.deadline_at <= $1')} ORDER BY x.n`
const OVERDUE_CANCELS = `${HELD} AND j.cancel_requested_at <= $1 ORDER BY j.n`

/** Jobs driven by hand whose lock has run out. */
const LOCKS_RUN_OUT =
  'SELECT x.*, s.hand, s.expires_at FROM ' +
  `${heldBy('s.ended_at IS NULL AND s.expires_at <= $1 AND s.hand IS NOT NULL')} ORDER BY x.n`

/** The states that jobs were left in that nobody drives any more. */
async function settleStuck(tx: Transaction, names: Names): Promise<readonly JobState[]> {
  const calls = (await tx.rows(LOCKS_RUN_OUT, tx.now)).map((row) => {
    const lock = { lockedBy: String(row['hand']), lockExpiresAt: Number(row['expires_at']) }
    const job = { ...heldJob(row), phaseIndex: Number(row['phase']), updatedAt: Number(row['updated_at']), ...lock }
    return stuckCall(job, tx.now)
  })
  return statesAfter(tx, names, calls)
}

/** The states that the orphans were left in. */
async function reapOrphans(tx: Transaction, names: Names, rows: readonly Row[]): Promise<readonly JobState[]> {
  const orphans = rows.map((row) => ({
    ...heldJob(row),
    suspect: row['suspect'] === true,
    strikes: Number(row['strikes']),
  }))
  const calls = [...Map.groupBy(orphans, ({ holder }) => holder).values()].flatMap(reapCalls)
  return statesAfter(tx, names, calls)
}

function countFailed(states: readonly JobState[]): number {
  return states.filter((state) => state === 'failed').length
}

function heldJob(row: Row): HeldJob {
  return {
    jobId: String(row['id']),
    holder: Number(row['holder']),
    fence: Number(row['fence']),
    policy: decodePolicy(String(row['policy'])),
    phase: typeof row['phase_name'] === 'string' ? row['phase_name'] : null,
    progress: Number(row['progress']),
    told: nullableText(row['told']),
  }
}

/** Of those that were not passed over, and not refused, since somebody was faster. */
async function statesAfter(
  tx: Transaction,
  names: Names,
  calls: readonly (PlanCall | null)[],
): Promise<readonly JobState[]> {
  const results = await applyLocked(
    tx,
    names,
    calls.filter((call) => call !== null),
    { passOver: true },
  )
  return results.flatMap((result) => (result.applied ? [result.row.state] : []))
}
