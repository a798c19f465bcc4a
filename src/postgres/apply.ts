/**
 * Plans carried out on locked rows: the rows of a batch are locked and read, each plan is interpreted on its row by `interpretPlan`, and
 * what came of them is written in a few statements for all. Nobody can change a row between the reading and the writing, so the guard and
 * the write are as good as one statement.
 */
import { interpretPlan } from '../core/interpret.ts'
import type { JobRow } from '../core/job-row.ts'
import { isRefusal } from '../core/plan.ts'
import type { Changes, Plan } from '../core/plan.ts'
import type { PlanCall, PlanResult } from '../store/claims.ts'
import { STATE_CODES } from '../store/codes.ts'
import { eventDetail } from '../store/event-detail.ts'
import { takeArtifactsAlong } from './artifacts.ts'
import { keepAudit } from './audit.ts'
import { placeSql } from './compile.ts'
import type { Transaction } from './database.ts'
import type { Row } from './driver.ts'
import { dropPhasesFrom, keepArtifact, keepAttempts, keepPhases, writeEvents } from './history.ts'
import type { EndedAttempt, FinishedPhase, NewEvent } from './history.ts'
import type { Names } from './names.ts'
import { nullableNumber } from '../store/columns.ts'
import { ROW_COLUMNS, appliedRow, jobRow } from './rows.ts'
import { keepLocks } from './sessions.ts'
import type { LockWrite } from './sessions.ts'
import { hiddenFrom } from '../core/scope.ts'
import { isId } from '../store/ids.ts'

/** A job as it was when it was locked. */
interface Locked {
  readonly row: JobRow
  readonly session: number | null
  readonly phaseNames: readonly string[]
}

/** What a plan has made of a job, still to be written. */
interface Change {
  readonly call: PlanCall
  readonly before: Locked
  readonly after: JobRow
}

export interface ApplyOptions {
  /** Jobs that somebody else has locked are passed over, as if they were not there, instead of waited for. Default false. */
  readonly passOver?: boolean
}

/** Carries out calls of which no two are on one job. */
export async function applyLocked(
  tx: Transaction,
  names: Names,
  calls: readonly PlanCall[],
  { passOver = false }: ApplyOptions = {},
): Promise<readonly PlanResult[]> {
  const locked = await lockJobs(tx, names, calls, passOver ? LOCK_FREE : LOCK)
  const around = await lookAround(tx, calls, locked)
  const results: PlanResult[] = []
  const writes = new Writes()
  for (const [index, call] of calls.entries()) {
    const before = locked.get(call.jobId)
    results[index] = before === undefined ? notThere(call) : carryOut({ tx, call, before, around, writes })
  }
  await writes.make(tx, names)
  return results
}

function notThere({ claim }: PlanCall): PlanResult {
  return { applied: false, refusal: claim === null ? 'not-found' : 'lease-lost', row: null }
}

const LOCK = `SELECT ${ROW_COLUMNS}, j.session, j.phase_list FROM millrace.jobs AS j WHERE j.id = ANY($1::uuid[]) ORDER BY j.id FOR UPDATE`
const LOCK_FREE = `${LOCK} SKIP LOCKED`

async function lockJobs(
  tx: Transaction,
  names: Names,
  calls: readonly PlanCall[],
  sql: string,
): Promise<ReadonlyMap<string, Locked>> {
  const ids = calls.map(({ jobId }) => jobId).filter(isId)
  const locked = new Map<string, Locked>()
  for (const row of ids.length === 0 ? [] : await tx.rows(sql, ids)) {
    const phaseNames = await names.phaseNames(tx.rows, Number(row['phase_list']))
    locked.set(String(row['id']), { row: jobRow(row), session: nullableNumber(row['session']), phaseNames })
  }
  return locked
}

/** What plans look at outside the row. */
interface Around {
  readonly alive: ReadonlySet<number>
  readonly uniqueHeld: ReadonlySet<string>
  /** Jobs whose present attempt has written an artifact of the call's name. */
  readonly artifacts: ReadonlySet<string>
}

// Locked, so that a session that looks dead can't come to life again before the end of this transaction.
const ALIVE =
  'SELECT holder FROM millrace.sessions WHERE holder = ANY($1::bigint[]) AND ended_at IS NULL AND expires_at > $2 ORDER BY n FOR SHARE'
// Asked for one by one: joined, the planner might go through all of them.
const UNIQUE_HELD =
  'SELECT j.id FROM millrace.jobs AS j WHERE j.id = ANY($1::uuid[]) AND (SELECT u.id FROM millrace.jobs AS u WHERE u.type = j.type ' +
  'AND u.tenant = j.tenant AND u.unique_key = j.unique_key AND u.unique_key IS NOT NULL AND u.finished_at IS NULL AND u.id <> j.id LIMIT 1) IS NOT NULL'
const ARTIFACTS =
  'SELECT v.job AS id FROM unnest($1::uuid[], $2::text[]) AS v (job, name) CROSS JOIN LATERAL ' +
  '(SELECT i.generation, i.attempt FROM millrace.jobs AS i WHERE i.id = v.job OFFSET 0) AS j WHERE (SELECT a.n FROM millrace.artifacts AS a ' +
  'WHERE a.job = v.job AND a.generation = j.generation AND a.attempt = j.attempt AND a.name = v.name) IS NOT NULL'

async function lookAround(
  tx: Transaction,
  calls: readonly PlanCall[],
  locked: ReadonlyMap<string, Locked>,
): Promise<Around> {
  const there = calls.filter(({ jobId }) => locked.has(jobId))
  const held = there.filter(({ plan }) => asks(plan, 'session-alive')).map(({ jobId }) => locked.get(jobId)?.row.holder)
  const holders = held.filter((holder) => typeof holder === 'number')
  const keyed = there.filter(
    ({ plan, jobId }) => asks(plan, 'unique-held') && locked.get(jobId)?.row.uniqueKey !== null,
  )
  const writers = there.filter(({ artifact }) => artifact !== undefined)
  const alive = holders.length === 0 ? [] : await tx.rows(ALIVE, holders, tx.now)
  const unique = keyed.length === 0 ? [] : await tx.rows(UNIQUE_HELD, idsOf(keyed))
  const written =
    writers.length === 0
      ? []
      : await tx.rows(
          ARTIFACTS,
          idsOf(writers),
          writers.map(({ artifact }) => artifact?.name ?? ''),
        )
  return {
    alive: new Set(alive.map((row) => Number(row['holder']))),
    uniqueHeld: new Set(unique.map((row) => String(row['id']))),
    artifacts: new Set(written.map((row) => String(row['id']))),
  }
}

function idsOf(calls: readonly PlanCall[]): readonly string[] {
  return calls.map(({ jobId }) => jobId)
}

function asks(plan: Plan, condition: string): boolean {
  return plan.cases.some(({ when }) => when.some((one) => one === condition))
}

interface CarryOut {
  readonly tx: Transaction
  readonly call: PlanCall
  readonly before: Locked
  readonly around: Around
  readonly writes: Writes
}

function carryOut({ tx, call, before, around, writes }: CarryOut): PlanResult {
  const { row } = before
  const seen = hiddenFrom(call.scope, row) === 'not-found' ? null : row
  const { phaseNames, values } = call
  const outcome = interpretPlan(call.plan, row, {
    now: tx.now,
    scope: call.scope,
    claim: call.claim,
    // A list of phases is as long as it is.
    values: phaseNames === undefined ? values : { ...values, phaseCount: phaseNames.length },
    sessionAlive: (holder) => around.alive.has(holder),
    uniqueHeld: () => around.uniqueHeld.has(row.id),
  })
  if ('refused' in outcome) return { applied: false, refusal: outcome.refused, row: seen }
  if (call.artifact !== undefined && around.artifacts.has(row.id)) {
    return { applied: false, refusal: 'artifact-exists', row: seen }
  }
  writes.add(tx.now, { call, before, after: outcome.row }, outcome)
  return { applied: true, row: appliedRow(outcome.row) }
}

type Outcome = Extract<ReturnType<typeof interpretPlan>, { readonly row: JobRow }>

/** Whatever case of the plan applied, it does this. */
function always<Name extends keyof Changes>(plan: Plan, name: Name, change: Changes[Name]): boolean {
  const applying = plan.cases.filter((entry) => !isRefusal(entry))
  return applying.length > 0 && applying.every((entry) => !isRefusal(entry) && entry.set[name] === change)
}

/** All that a batch writes. */
class Writes {
  readonly #changes: Change[] = []
  readonly #events: NewEvent[] = []
  readonly #attempts: EndedAttempt[] = []
  readonly #phases: FinishedPhase[] = []
  readonly #locks: LockWrite[] = []

  add(now: number, change: Change, { event, ends }: Outcome): void {
    const { call, before, after } = change
    this.#changes.push(change)
    if (event !== null) {
      const told = {
        cancelled_by: after.cancelledBy,
        cancel_reason: after.cancelReason,
        cancel_requested_at: after.cancelRequestedAt,
      }
      const detail = eventDetail({ event, plan: call.plan, row: told, given: call.detail })
      this.#events.push({ job: after.id, seq: after.eventSeq, event, attempt: after.attempt, detail })
    }
    if (ends !== null) this.#attempts.push(attemptOf(change, ends, now))
    if (before.row.state === 'completed')
      this.#attempts.push(attemptOf(change, 'completed', before.row.finishedAt ?? now))
    if (call.result !== undefined) this.#phases.push(finishedPhase(before.row, call.result))
    const { byHand, claim } = call
    if (byHand !== undefined && claim !== null)
      this.#locks.push({ holder: claim.holder, over: after.holder === null, lockMs: byHand.lockMs })
  }

  async make(tx: Transaction, names: Names): Promise<void> {
    if (this.#changes.length === 0) return
    const rows: object[] = []
    for (const change of this.#changes) rows.push(await storedRow(change, names))
    await tx.rows(UPDATE, tx.now, JSON.stringify(rows))
    await keepPhases(tx, this.#phases)
    for (const { call, before, after } of this.#changes) {
      const { artifact, phaseNames, plan, audit, scope } = call
      if (artifact !== undefined) {
        await keepArtifact(tx, { job: after.id, generation: after.generation, attempt: after.attempt, artifact })
      }
      if (always(plan, 'phase', 'set') && phaseNames === undefined) await dropPhasesFrom(tx, after.id, after.phase)
      if (after.generation > before.row.generation) await takeArtifactsAlong(tx.rows, after, before.phaseNames)
      if (audit !== undefined) {
        await keepAudit(tx, { job: after.id, tenant: after.tenant, act: plan.name, role: scope.role, audit })
      }
    }
    await keepAttempts(tx, this.#attempts)
    await keepLocks(tx, this.#locks)
    await writeEvents(tx, this.#events)
  }
}

function attemptOf({ call, before }: Change, ends: EndedAttempt['ends'], endedAt: number): EndedAttempt {
  const { row, session, phaseNames } = before
  const completed = ends === 'completed'
  return {
    job: row.id,
    attempt: row.attempt,
    generation: row.generation,
    ends,
    phase: (completed ? undefined : phaseNames[row.phase]) ?? phaseNames.at(-1) ?? '',
    progress: row.progress,
    session,
    startedAt: row.startedAt,
    endedAt,
    error: completed ? null : (call.error ?? null),
    stoppedBy: completed ? 'handler' : (call.stoppedBy ?? null),
  }
}

function finishedPhase(
  { id: job, phase: ordinal, generation, attempt, phaseStartedAt: startedAt }: JobRow,
  result: string,
): FinishedPhase {
  return { job, ordinal, generation, attempt, startedAt, result }
}

/** The columns that a plan may change. */
const COLUMNS: Readonly<Record<string, string>> = {
  state: 'smallint',
  run_at: 'bigint',
  attempt: 'integer',
  failures: 'integer',
  strikes: 'integer',
  suspect: 'boolean',
  fence: 'integer',
  generation: 'integer',
  holder: 'bigint',
  phase: 'smallint',
  phase_count: 'smallint',
  phase_started_at: 'bigint',
  progress: 'double precision',
  started_at: 'bigint',
  finished_at: 'bigint',
  deadline_at: 'bigint',
  cancel_requested_at: 'bigint',
  cancelled_by: 'text',
  cancel_reason: 'text',
  event_seq: 'integer',
}

const COLUMN_NAMES = Object.keys(COLUMNS)

const UPDATE =
  `UPDATE millrace.jobs AS j SET updated_at = $1, bundled = false, ${COLUMN_NAMES.map((name) => `${name} = v.${name}`).join(', ')}, ` +
  'phase_list = coalesce(v.phase_list, j.phase_list), input = coalesce(v.input, j.input), ' +
  'output = CASE WHEN v.sets_output THEN v.output ELSE j.output END FROM json_to_recordset($2::json) AS v (id uuid, ' +
  `${COLUMN_NAMES.map((name) => `${name} ${COLUMNS[name] ?? ''}`).join(', ')}, phase_list integer, input text, sets_output boolean, output text) ` +
  `CROSS JOIN LATERAL ${placeSql('v.id')} AS b WHERE j.ctid = b.place`

async function storedRow({ call, after }: Change, names: Names): Promise<Row> {
  const { plan, phaseNames, input, values } = call
  const sets = always(plan, 'output', 'set')
  return {
    id: after.id,
    state: STATE_CODES[after.state],
    run_at: after.runAt,
    attempt: after.attempt,
    failures: after.failures,
    strikes: after.strikes,
    suspect: after.suspect,
    fence: after.fence,
    generation: after.generation,
    holder: after.holder,
    phase: after.phase,
    phase_count: after.phaseCount,
    phase_started_at: after.phaseStartedAt,
    progress: after.progress,
    started_at: after.startedAt,
    finished_at: after.finishedAt,
    deadline_at: after.deadlineAt,
    cancel_requested_at: after.cancelRequestedAt,
    cancelled_by: after.cancelledBy,
    cancel_reason: after.cancelReason,
    event_seq: after.eventSeq,
    phase_list: phaseNames === undefined ? null : await names.internPhaseList(phaseNames),
    input: input ?? null,
    sets_output: sets || always(plan, 'output', 'clear'),
    output: sets ? (values.output ?? 'null') : null,
  }
}
