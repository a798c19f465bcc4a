/**
 * All the plan calls of one transaction. Most of them are plain: somebody who holds a job completes it, or a phase of it, and nobody has
 * interfered. Those are carried out by one counted UPDATE each, whose row needs no reading back, and their events are copied from the rows in
 * one statement for all. A call that the plain case does not take goes the long way, as does one that has more to write.
 *
 * Calls on one job keep their order: the first calls of all jobs go before the second ones, and so on. Between different jobs there is no
 * order to keep, so within such a wave the calls of one plan go together.
 */
import type { Plan } from '../core/plan.ts'
import type { PlanCall, PlanResult } from '../store/claims.ts'
import { applyCall, planInputs } from './apply.ts'
import { inlineBody } from './bodies.ts'
import { compilePlain } from './compile.ts'
import type { PlainCase } from './compile.ts'
import type { Database } from './database.ts'
import type { Row } from './driver.ts'
import { eventDetail } from './event-detail.ts'
import { writeEvents } from './history.ts'

export function applyCalls(db: Database, calls: readonly PlanCall[]): readonly PlanResult[] {
  const results: PlanResult[] = []
  for (const wave of wavesOf(calls)) {
    for (const [plan, indices] of wave) {
      const plain = plainOf(plan)
      const left = plain === null ? indices : applyPlain(db, { plan, plain, calls, indices }, results)
      for (const index of left) {
        const call = calls[index]
        if (call !== undefined) results[index] = applyCall(db, call)
      }
    }
  }
  return results
}

type Wave = Map<Plan, number[]>

function wavesOf(calls: readonly PlanCall[]): readonly Wave[] {
  const waves: Wave[] = []
  const counts = new Map<string, number>()
  for (const [index, { jobId, plan }] of calls.entries()) {
    const earlier = counts.get(jobId) ?? 0
    counts.set(jobId, earlier + 1)
    const wave = (waves[earlier] ??= new Map<Plan, number[]>())
    const together = wave.get(plan)
    if (together === undefined) wave.set(plan, [index])
    else together.push(index)
  }
  return waves
}

const compiled = new Map<Plan, PlainCase | null>()

function plainOf(plan: Plan): PlainCase | null {
  const known = compiled.get(plan)
  if (known !== undefined) return known
  const plain = compilePlain(plan)
  compiled.set(plan, plain)
  return plain
}

interface PlainRun {
  readonly plan: Plan
  readonly plain: PlainCase
  readonly calls: readonly PlanCall[]
  /** Of the calls of this plan; no two on one job. */
  readonly indices: readonly number[]
}

/** The facts of the row that an event may tell, as the plain case's guard found them. */
const UNDISTURBED: Row = { cancel_requested_at: null, cancelled_by: null, cancel_reason: null }

/** Writes the results of those it took; answers which it did not. */
function applyPlain(
  db: Database,
  { plan, plain, calls, indices }: PlainRun,
  results: PlanResult[],
): readonly number[] {
  const { event, set } = plain.apply
  const result: PlanResult = {
    applied: true,
    row: { state: set.state ?? 'running', cancelRequestedAt: null, cancelledBy: null, cancelReason: null },
  }
  const left: number[] = []
  const jobs: string[] = []
  const details: (string | null)[] = []
  for (const index of indices) {
    const call = calls[index]
    if (call === undefined || !hasLittleToWrite(call) || !takesPlain(db, plain, call)) {
      left.push(index)
      continue
    }
    results[index] = result
    if (event === undefined) continue
    jobs.push(call.jobId)
    details.push(eventDetail({ event, plan, row: UNDISTURBED, given: call.detail }))
  }
  const told = details.some((detail) => detail !== null)
  if (event !== undefined) writeEvents(db, { event, jobs, details: told ? details : null })
  return left
}

/** A result of a phase is all that may come beside the row. */
function hasLittleToWrite({ scope, phaseNames, artifact, input, values: { output } }: PlanCall): boolean {
  const short = typeof output !== 'string' || inlineBody(output) !== null
  return short && scope.role === 'operator' && phaseNames === undefined && artifact === undefined && input === undefined
}

const KEEP_PHASE =
  'INSERT INTO millrace_phases (job, ordinal, generation, attempt, started_at, finished_at, result) ' +
  'SELECT n, phase, generation, attempt, phase_started_at, ?, ? FROM millrace_jobs WHERE '

/** The result goes first, under the same guard: the update overwrites when the phase began. */
function takesPlain(db: Database, plain: PlainCase, call: PlanCall): boolean {
  const inputs = planInputs(db, call)
  const { result } = call
  if (result !== undefined) {
    const kept = db.run(`${KEEP_PHASE}${plain.guard}`, db.now, result, ...plain.guardValues(inputs))
    if (kept === 0) return false
  }
  return db.run(plain.sql, ...plain.values(inputs)) === 1
}
