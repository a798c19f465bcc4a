/**
 * All the plan calls of one transaction. Most of them are plain: somebody who holds a job completes it, or a phase of it, and nobody has
 * interfered. Those are carried out by one statement for all calls of a plan; what it does not take goes the long way (see `apply.ts`).
 *
 * Calls on one job keep their order: the first calls of all jobs go before the second ones, and so on.
 */
import type { Plan } from '../core/plan.ts'
import { isRowAlone } from '../store/claims.ts'
import type { PlanCall, PlanResult } from '../store/claims.ts'
import { applyLocked } from './apply.ts'
import { compilePlain, takenIds } from './compile.ts'
import type { PlainCase } from './compile.ts'
import type { Transaction } from './database.ts'
import type { Names } from './names.ts'
import { wavesOf } from '../store/call-waves.ts'
import { FIRST_FENCE } from '../store/event-lists.ts'
import { isId } from '../store/ids.ts'

/** Characters that it brings. */
export function weighCall({ values, result, error, detail, input }: PlanCall): number {
  const texts = [values.output, result, error, detail, input]
  return texts.reduce<number>((sum, text) => sum + (text?.length ?? 0), 0)
}

interface Numbered {
  readonly index: number
  readonly call: PlanCall
}

export async function applyCalls(
  tx: Transaction,
  names: Names,
  calls: readonly PlanCall[],
): Promise<readonly PlanResult[]> {
  const results: PlanResult[] = []
  for (const indices of wavesOf(calls)) {
    const wave = indices.flatMap((index): Numbered[] => {
      const call = calls[index]
      return call === undefined ? [] : [{ index, call }]
    })
    const left: Numbered[] = []
    for (const [plan, together] of Map.groupBy(wave, ({ call }) => call.plan)) {
      left.push(...(await applyPlain(tx, plan, together, results)))
    }
    if (left.length === 0) continue
    const taken = await applyLocked(
      tx,
      names,
      left.map(({ call }) => call),
    )
    for (const [position, { index }] of left.entries()) {
      const result = taken[position]
      if (result !== undefined) results[index] = result
    }
  }
  return results
}

const compiled = new Map<Plan, PlainCase | null>()

function plainOf(plan: Plan): PlainCase | null {
  const known = compiled.get(plan)
  if (known !== undefined) return known
  const plain = compilePlain(plan)
  compiled.set(plan, plain)
  return plain
}

/** Writes the results of those it took; answers the others. */
async function applyPlain(
  tx: Transaction,
  plan: Plan,
  together: readonly Numbered[],
  results: PlanResult[],
): Promise<readonly Numbered[]> {
  const plain = plainOf(plan)
  if (plain === null) return together
  const [candidates, left] = [
    together.filter(({ call }) => isPlain(call)),
    together.filter(({ call }) => !isPlain(call)),
  ]
  if (candidates.length === 0) return left
  // In one order, whoever locks them, so that no two transactions wait for each other.
  const ordered = candidates.toSorted((one, other) => (one.call.jobId < other.call.jobId ? -1 : 1))
  const { listed, statement, apply } = plain
  const placed = listed === null ? [] : ordered.filter(({ call }) => isFirstTry(call))
  const taken = new Set<unknown>()
  if (listed !== null) await take(tx, listed, placed, taken)
  await take(
    tx,
    statement,
    taken.size === ordered.length ? [] : ordered.filter(({ call }) => !taken.has(call.jobId)),
    taken,
  )
  const state = apply.set.state ?? 'running'
  const result: PlanResult = {
    applied: true,
    row: { state, cancelRequestedAt: null, cancelledBy: null, cancelReason: null },
  }
  for (const candidate of candidates) {
    if (taken.has(candidate.call.jobId)) results[candidate.index] = result
    else left.push(candidate)
  }
  return left
}

/** Nothing may have happened to the job but that it was taken, once. */
function isFirstTry({ claim, detail }: PlanCall): boolean {
  return claim?.fence === FIRST_FENCE && claim.ctid !== undefined && detail === null
}

/** Adds the ids of those that the statement took. */
async function take(
  tx: Transaction,
  statement: PlainCase['statement'],
  asked: readonly Numbered[],
  taken: Set<unknown>,
): Promise<void> {
  if (asked.length === 0) return
  const { sql, values } = statement(asked.map(({ call }) => call))
  const ids = asked.map(({ call }) => call.jobId)
  for (const id of takenIds(ids, await tx.lists(sql, tx.now, ...values))) taken.add(id)
}

/** Not: there is more to write than the row and a phase's result. */
function isPlain(call: PlanCall): boolean {
  const { jobId, claim, scope } = call
  return (
    isRowAlone(call) && scope.role === 'operator' && claim?.jobId === jobId && (claim.ctid !== undefined || isId(jobId))
  )
}
