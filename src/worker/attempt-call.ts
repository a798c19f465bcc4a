import type { PlanValues } from '../core/plan.ts'
import type { PlanCall } from '../store/claims.ts'

/** What a plan call says beside the job, the scope and the claim, which are the attempt's. */
export type AttemptCall = Omit<PlanCall, 'jobId' | 'scope' | 'claim' | 'values' | 'detail'> & {
  readonly values?: PlanValues
  readonly detail?: string | null
}
