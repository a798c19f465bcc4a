/** Plan calls that differ in nothing but their jobs and the results of their phases: on the way of every job there are many of them. */
import type { PlanValues } from '../core/plan.ts'
import { isRowAlone } from '../store/claims.ts'
import type { PlanCall } from '../store/claims.ts'
import { inlineBody } from './bodies.ts'

/** Fewer are carried out one by one as fast. */
export const MANY_ALIKE = 8

/** Undefined: there is more to write than the row and a phase's result, or the store has not said which row it is. */
export function plainRow(call: PlanCall): number | undefined {
  const { jobId, claim, scope } = call
  const { output } = call.values
  const short = typeof output !== 'string' || inlineBody(output) !== null
  return short && isRowAlone(call) && scope.role === 'operator' && claim?.jobId === jobId ? claim.row : undefined
}

export function areAlike(one: PlanCall, other: PlanCall): boolean {
  const sameClaim = one.claim?.holder === other.claim?.holder && one.claim?.fence === other.claim?.fence
  const sameKind = (one.result === undefined) === (other.result === undefined)
  return sameClaim && sameKind && sameValues(one.values, other.values)
}

function sameValues(one: PlanValues, other: PlanValues): boolean {
  if (one === other) return true
  const names = Object.keys(one) as (keyof PlanValues)[]
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}
