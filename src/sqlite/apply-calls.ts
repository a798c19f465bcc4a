/**
 * All the plan calls of one transaction. Most of them are plain: somebody who holds a job completes it, or a phase of it, and nobody has
 * interfered. Those are carried out by counted UPDATEs, of which no row needs reading back: one for all that complete alike and that a list tells
 * of, one for all that are alike otherwise, or one each. Events that no list tells are copied from the rows in one statement for all. A call
 * that the plain case does not take goes the long way, as does one that has more to write.
 *
 * Calls on one job keep their order: the first calls of all jobs go before the second ones, and so on. Between different jobs there is no
 * order to keep, so within such a wave the calls of one plan go together.
 */
import type { Plan } from '../core/plan.ts'
import type { PlanCall, PlanResult } from '../store/claims.ts'
import { MANY_ALIKE, areAlike, plainRow } from './alike-calls.ts'
import { applyCall, planInputs } from './apply.ts'
import { compilePlain } from './compile.ts'
import type { PlainCase } from './compile.ts'
import type { Database } from './database.ts'
import type { Row } from './driver.ts'
import { eventDetail } from '../store/event-detail.ts'
import { wavesOf } from '../store/call-waves.ts'
import { COMPLETED, FIRST_FENCE } from '../store/event-lists.ts'
import { nextPosition, writeList } from './event-lists.ts'
import { writeEvents } from './history.ts'
import { updateMany } from './update-many.ts'

export function applyCalls(db: Database, calls: readonly PlanCall[]): readonly PlanResult[] {
  const results: PlanResult[] = []
  for (const wave of wavesOf(calls)) {
    for (const [plan, indices] of Map.groupBy(wave, (index) => calls[index]?.plan)) {
      if (plan !== undefined) applyOfPlan(db, plan, { calls, indices }, results)
    }
  }
  return results
}

/** A call on each of many jobs, with the result of each one's phase, if there is any. */
export interface ManyCalls {
  readonly call: PlanCall
  readonly rows: readonly number[]
  readonly results: readonly string[] | null
}

/**
 * Carries out the call on all of the jobs, or on none: then not all are as it says. For most calls of most workers it is all there is to do.
 *
 * @returns what came of it for each; null: nothing
 */
export function applyAlike(db: Database, many: ManyCalls): PlanResult | null {
  const found = plainOf(many.call.plan)
  if (found === null) return null
  const { plan, plain } = found
  const { event } = plain.apply
  const told = event === undefined ? null : eventDetail({ event, plan, row: UNDISTURBED, given: many.call.detail })
  if (told === null && allOrNone(db, () => completeListed(db, plain, many))) return resultOf(plain)
  const isDone = allOrNone(db, () => {
    if (!updateAlike(db, plain, many)) return false
    const { rows: jobs } = many
    if (event !== undefined) writeEvents(db, { event, jobs, details: jobs.map(() => told) })
    return true
  })
  return isDone ? resultOf(plain) : null
}

function allOrNone(db: Database, work: () => boolean): boolean {
  db.run('SAVEPOINT alike')
  const isDone = work()
  if (!isDone) db.run('ROLLBACK TO alike')
  db.run('RELEASE alike')
  return isDone
}

/** Whether all have been completed, and a list tells of it. */
function completeListed(db: Database, { listed, apply }: PlainCase, { call, rows, results }: ManyCalls): boolean {
  if (listed === null || apply.event === undefined || results !== null || call.claim?.fence !== FIRST_FENCE)
    return false
  const position = nextPosition(db)
  if (updateMany(db, listed, { ...planInputs(db, call), listAt: position }, rows) < rows.length) return false
  writeList(db, { position, event: apply.event, listed: COMPLETED, jobs: rows })
  return true
}

/** Whether all have been changed. Results go first, under the guard of the update: that overwrites when the phase began. */
function updateAlike(db: Database, plain: PlainCase, { call, rows, results }: ManyCalls): boolean {
  const inputs = planInputs(db, call)
  if (results !== null) {
    const kept = JSON.stringify(rows.map((row, index) => [row, results[index]]))
    const { guard, guardValues } = plain
    if (db.run(`${KEEP_PHASES}${guard}`, db.now, kept, ...guardValues(inputs)) < rows.length) return false
  }
  return updateMany(db, plain.many, inputs, rows) === rows.length
}

const KEEP_PHASES =
  'INSERT INTO millrace_phases (job, ordinal, generation, attempt, started_at, finished_at, result) ' +
  'SELECT n, phase, generation, attempt, phase_started_at, ?, s.value ->> 1 ' +
  'FROM json_each(?) AS s CROSS JOIN millrace_jobs AS j ON j.n = s.value ->> 0 WHERE '

/** What a plain case answers. */
function resultOf({ apply }: PlainCase): PlanResult {
  const state = apply.set.state ?? 'running'
  return { applied: true, row: { state, cancelRequestedAt: null, cancelledBy: null, cancelReason: null } }
}

/** Calls of one plan, no two on one job, by their indices. */
interface OnePlan {
  readonly calls: readonly PlanCall[]
  readonly indices: readonly number[]
}

function applyOfPlan(db: Database, plan: Plan, together: OnePlan, results: PlanResult[]): void {
  const plain = plainOf(plan)
  const left = plain === null ? together.indices : applyPlain(db, plain, together, results)
  for (const index of left) {
    const call = together.calls[index]
    if (call !== undefined) results[index] = applyCall(db, call)
  }
}

interface PlainPlan {
  readonly plan: Plan
  readonly plain: PlainCase
}

const compiled = new Map<Plan, PlainPlan | null>()

/** Null: the plan has no plain case. */
function plainOf(plan: Plan): PlainPlan | null {
  const known = compiled.get(plan)
  if (known !== undefined) return known
  const plain = compilePlain(plan)
  const kept = plain === null ? null : { plan, plain }
  compiled.set(plan, kept)
  return kept
}

/** A call that the plain case may take, with the row its job is in. */
interface Candidate {
  readonly index: number
  readonly call: PlanCall
  readonly row: number
}

/** The facts of the row that an event may tell, as the plain case's guard found them. */
const UNDISTURBED: Row = { cancel_requested_at: null, cancelled_by: null, cancel_reason: null }

/** Writes the results of those it took; answers which it did not. */
function applyPlain(
  db: Database,
  { plan, plain }: PlainPlan,
  { calls, indices }: OnePlan,
  results: PlanResult[],
): readonly number[] {
  const { event } = plain.apply
  const result = resultOf(plain)
  const left: number[] = []
  const candidates: Candidate[] = []
  for (const index of indices) {
    const call = calls[index]
    const row = call === undefined ? undefined : plainRow(call)
    if (call === undefined || row === undefined) left.push(index)
    else candidates.push({ index, call, row })
  }
  const tell = (given: string | null): string | null =>
    event === undefined ? null : eventDetail({ event, plan, row: UNDISTURBED, given })
  const untold = tell(null)
  const told = (candidate: Candidate): string | null =>
    candidate.call.detail === null ? untold : tell(candidate.call.detail)
  const inRows: Candidate[] = []
  for (const run of runsOfAlike(candidates)) {
    const listed =
      run.length >= MANY_ALIKE && run.every((each) => told(each) === null) ? takeListed(db, plain, run) : NONE
    const rest = listed.size === 0 ? run : run.filter((candidate) => !listed.has(candidate))
    const taken = takeRun(db, plain, rest, left)
    inRows.push(...taken)
    for (const candidate of [...listed, ...taken]) results[candidate.index] = result
  }
  if (event !== undefined) writeEvents(db, { event, jobs: inRows.map(({ row }) => row), details: inRows.map(told) })
  return left
}

/** Those that were taken; the others' indices go to `left`. */
function takeRun(db: Database, plain: PlainCase, run: readonly Candidate[], left: number[]): readonly Candidate[] {
  if (run.length >= MANY_ALIKE && takeAlike(db, plain, run)) return run
  return run.filter((candidate) => {
    const took = takeOne(db, plain, candidate)
    if (!took) left.push(candidate.index)
    return took
  })
}

const NONE: ReadonlySet<Candidate> = new Set()
const LISTED_AT = `SELECT n FROM millrace_jobs WHERE n IN (SELECT value FROM json_each(?)) AND ${COMPLETED.column} = ?`

/** Those that were taken, and are told of by a list. */
function takeListed(db: Database, { apply, listed }: PlainCase, run: readonly Candidate[]): ReadonlySet<Candidate> {
  const [first] = run
  const mayBe = first?.call.result === undefined && first?.call.claim?.fence === FIRST_FENCE
  if (!mayBe || listed === null || apply.event === undefined) return NONE
  const position = nextPosition(db)
  const rows = run.map(({ row }) => row)
  const count = updateMany(db, listed, { ...planInputs(db, first.call), listAt: position }, rows)
  if (count === 0) return NONE
  const taken = count === run.length ? run : run.filter(isAmong(db.lists(LISTED_AT, JSON.stringify(rows), position)))
  writeList(db, { position, event: apply.event, listed: COMPLETED, jobs: taken.map(({ row }) => row) })
  return new Set(taken)
}

function isAmong(rows: readonly (readonly unknown[])[]): (candidate: Candidate) => boolean {
  const there = new Set(rows.map(([n]) => n))
  return ({ row }) => there.has(row)
}

/** Cut where a call differs from the one before it in more than its job. */
function runsOfAlike(candidates: readonly Candidate[]): readonly (readonly Candidate[])[] {
  const runs: Candidate[][] = []
  let run: Candidate[] = []
  for (const candidate of candidates) {
    const [first] = run
    if (first === undefined || !areAlike(first.call, candidate.call)) runs.push((run = []))
    run.push(candidate)
  }
  return runs
}

/** All or none: false where one of them is not as its claim says, which is for the single statements to find. */
function takeAlike(db: Database, plain: PlainCase, run: readonly Candidate[]): boolean {
  const [first] = run
  if (first === undefined) return true
  const rows = run.map(({ row }) => row)
  const results = first.call.result === undefined ? null : run.map(({ call: { result = 'null' } }) => result)
  return allOrNone(db, () => updateAlike(db, plain, { call: first.call, rows, results }))
}

const KEEP_PHASE =
  'INSERT INTO millrace_phases (job, ordinal, generation, attempt, started_at, finished_at, result) ' +
  'SELECT n, phase, generation, attempt, phase_started_at, ?, ? FROM millrace_jobs WHERE n = ? AND '

function takeOne(db: Database, plain: PlainCase, { call, row }: Candidate): boolean {
  const inputs = { ...planInputs(db, call), key: row }
  const { result } = call
  if (result !== undefined) {
    const kept = db.run(`${KEEP_PHASE}${plain.guard}`, db.now, result, row, ...plain.guardValues(inputs))
    if (kept === 0) return false
  }
  return db.run(plain.sql, ...plain.values(inputs)) === 1
}
