/** Plan calls and new jobs as they travel to the store's thread, and what came of the calls on the way back: lists instead of objects. */
import { PLANS } from '../core/plans.ts'
import type { Plan, PlanValues } from '../core/plan.ts'
import { OPERATOR } from '../core/scope.ts'
import type { JobState } from '../core/states.ts'
import type { PlanCall, PlanResult } from '../store/claims.ts'
import type { NewJob } from '../store/jobs.ts'

/** What few calls bring. */
type Beside = Pick<PlanCall, 'claim' | 'scope'> & Omit<PlanCall, 'jobId' | 'plan' | 'claim' | 'values' | 'detail'>

export type PackedCall = readonly [
  /** By its index: plans are the same on both sides. */
  plan: number,
  jobId: string,
  holder: number,
  fence: number,
  /** 0: not known. */
  row: number,
  values: PlanValues,
  detail: string | null,
  /** Null: the operator's, under the claim on this job of that holder and fence, with nothing beside. */
  beside: Beside | null,
]

const PLAN_NUMBERS: ReadonlyMap<Plan, number> = new Map(PLANS.map((plan, number) => [plan, number]))

export function packCall(call: PlanCall): PackedCall {
  const { plan, jobId, claim, values, detail, scope, result } = call
  const number = PLAN_NUMBERS.get(plan)
  if (number === undefined) throw new RangeError(`there is no plan ${plan.name}`)
  const bare = claim !== null && claim.jobId === jobId && scope.role === 'operator' && result === undefined
  const beside = bare && isBare(call) ? null : besideOf(call)
  return [number, jobId, claim?.holder ?? 0, claim?.fence ?? 0, claim?.row ?? 0, values, detail, beside]
}

function isBare({ error, input, phaseNames, artifact }: PlanCall): boolean {
  return error === undefined && input === undefined && phaseNames === undefined && artifact === undefined
}

function besideOf({ jobId: _jobId, plan: _plan, values: _values, detail: _detail, ...beside }: PlanCall): Beside {
  return beside
}

export function unpackCall([number, jobId, holder, fence, row, values, detail, beside]: PackedCall): PlanCall {
  const plan = PLANS[number]
  if (plan === undefined) throw new RangeError(`there is no plan ${number}`)
  if (beside === null) {
    const claim = { jobId, holder, fence, ...(row === 0 ? {} : { row }) }
    return { jobId, plan, scope: OPERATOR, claim, values, detail }
  }
  return { jobId, plan, values, detail, ...beside }
}

/** A state alone: applied, and nobody has asked the job to stop. */
export type PackedResult = JobState | PlanResult

export function packResult(result: PlanResult): PackedResult {
  if (!result.applied) return result
  return result.row.cancelRequestedAt === null ? result.row.state : result
}

export function unpackResult(result: PackedResult): PlanResult {
  return typeof result === 'string' ? UNDISTURBED[result] : result
}

function undisturbed(state: JobState): PlanResult {
  return { applied: true, row: { state, cancelRequestedAt: null, cancelledBy: null, cancelReason: null } }
}

const UNDISTURBED: Readonly<Record<JobState, PlanResult>> = {
  scheduled: undisturbed('scheduled'),
  queued: undisturbed('queued'),
  running: undisturbed('running'),
  retrying: undisturbed('retrying'),
  completed: undisturbed('completed'),
  failed: undisturbed('failed'),
  cancelled: undisturbed('cancelled'),
}

export type PackedNewJob = readonly [
  id: string,
  type: string,
  queue: string,
  policy: NewJob['policy'],
  tenant: string,
  owner: string | null,
  /** Null: none. */
  labels: NewJob['labels'] | null,
  priority: number,
  delayMs: number,
  runAt: number | null,
  key: string | null,
  uniqueKey: string | null,
  input: string,
]

export function packNewJob(job: NewJob): PackedNewJob {
  const { id, type, queue, policy, tenant, owner, labels, priority, delayMs, runAt, key, uniqueKey, input } = job
  const kept = Object.keys(labels).length === 0 ? null : labels
  return [id, type, queue, policy, tenant, owner, kept, priority, delayMs, runAt, key, uniqueKey, input]
}

const NO_LABELS: NewJob['labels'] = {}

export function unpackNewJob(packed: PackedNewJob): NewJob {
  const [id, type, queue, policy, tenant, owner, labels, priority, delayMs, runAt, key, uniqueKey, input] = packed
  return {
    id,
    type,
    queue,
    policy,
    tenant,
    owner,
    labels: labels ?? NO_LABELS,
    priority,
    delayMs,
    runAt,
    key,
    uniqueKey,
    input,
  }
}
