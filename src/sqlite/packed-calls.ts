/** Plan calls and new jobs as they travel to the store's thread, and what came of the calls on the way back: lists instead of objects. */
import { COMPLETE_ONLY_PHASE, PLANS } from '../core/plans.ts'
import type { Plan, PlanValues } from '../core/plan.ts'
import { OPERATOR } from '../core/scope.ts'
import type { JobState } from '../core/states.ts'
import { isRowAlone } from '../store/claims.ts'
import type { PlanCall, PlanResult } from '../store/claims.ts'
import type { Enqueued, NewJob } from '../store/jobs.ts'

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
  /** A text is an output alone. */
  values: PlanValues | string,
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
  return [
    number,
    jobId,
    claim?.holder ?? 0,
    claim?.fence ?? 0,
    claim?.row ?? 0,
    packValues(plan, values),
    detail,
    beside,
  ]
}

function packValues(plan: Plan, values: PlanValues): PlanValues | string {
  const { output } = values
  const isAlone = plan === COMPLETE_ONLY_PHASE && typeof output === 'string' && Object.keys(values).length === 1
  return isAlone ? output : values
}

/** Nothing is told but a phase's result beside the row and its event. */
export function isBare(call: PlanCall): boolean {
  return call.error === undefined && call.stoppedBy === undefined && isRowAlone(call)
}

function besideOf({ jobId: _jobId, plan: _plan, values: _values, detail: _detail, ...beside }: PlanCall): Beside {
  return beside
}

export function unpackCall([number, jobId, holder, fence, row, packed, detail, beside]: PackedCall): PlanCall {
  const values = typeof packed === 'string' ? { output: packed } : packed
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

type FullJob = readonly [
  id: string,
  input: string,
  type: string,
  queue: string,
  policy: NewJob['policy'],
  tenant: string,
  owner: string | null,
  labels: NewJob['labels'],
  priority: number,
  delayMs: number,
  runAt: number | null,
  key: string | null,
  uniqueKey: string | null,
]

/** Jobs that differ from the one before them in these alone. The ids stand one behind the other: a text is posted faster than a list of
 * texts, which the inputs are, since each has a length of its own. */
type LikeTheLast = readonly [ids: string, inputs: readonly string[]]

export type PackedNewJobs = readonly (FullJob | LikeTheLast)[]

export function packNewJobs(jobs: readonly NewJob[]): PackedNewJobs {
  const packed: (FullJob | LikeTheLast)[] = []
  let alike: NewJob[] = []
  for (const [index, job] of jobs.entries()) {
    const before = jobs[index - 1]
    if (before !== undefined && isLike(before, job)) {
      alike.push(job)
      continue
    }
    if (alike.length > 0) packed.push(packAlike(alike))
    alike = []
    packed.push(packNewJob(job))
  }
  if (alike.length > 0) packed.push(packAlike(alike))
  return packed
}

function packAlike(jobs: readonly NewJob[]): LikeTheLast {
  return [jobs.map(({ id }) => id).join(''), jobs.map(({ input }) => input)]
}

function isLike(one: NewJob, other: NewJob): boolean {
  const sameKind = one.type === other.type && one.queue === other.queue && one.policy === other.policy
  const sameOrder = one.priority === other.priority && one.delayMs === other.delayMs && one.runAt === other.runAt
  const samePlace = one.tenant === other.tenant && one.owner === other.owner && one.labels === other.labels
  const sameLength = one.id.length === other.id.length
  return sameLength && sameKind && sameOrder && samePlace && one.key === other.key && one.uniqueKey === other.uniqueKey
}

function packNewJob(job: NewJob): FullJob {
  const { id, input, type, queue, policy, tenant, owner, labels, priority, delayMs, runAt, key, uniqueKey } = job
  return [id, input, type, queue, policy, tenant, owner, labels, priority, delayMs, runAt, key, uniqueKey]
}

export function unpackNewJobs(packed: PackedNewJobs): readonly NewJob[] {
  const jobs: NewJob[] = []
  for (const each of packed) {
    if (each.length !== 2) jobs.push(unpackNewJob(each))
    else for (const job of likeTheLast(jobs, each)) jobs.push(job)
  }
  return jobs
}

function likeTheLast(jobs: readonly NewJob[], [ids, inputs]: LikeTheLast): readonly NewJob[] {
  const last = jobs.at(-1)
  if (last === undefined) throw new RangeError('the first job is like no other')
  const { length } = last.id
  return inputs.map((input, index) => ({ ...last, id: ids.slice(index * length, (index + 1) * length), input }))
}

function unpackNewJob(packed: FullJob): NewJob {
  const [id, input, type, queue, policy, tenant, owner, labels, priority, delayMs, runAt, key, uniqueKey] = packed
  return { id, type, queue, policy, tenant, owner, labels, priority, delayMs, runAt, key, uniqueKey, input }
}

/** A state alone: all of them were created in it, and the caller knows their ids. */
export type PackedEnqueued = 'queued' | 'scheduled' | readonly Enqueued[]

export function packEnqueued(outcomes: readonly Enqueued[]): PackedEnqueued {
  const [first] = outcomes
  if (first?.outcome !== 'created') return outcomes
  const alike = outcomes.every((each) => each.outcome === 'created' && each.state === first.state)
  return alike && (first.state === 'queued' || first.state === 'scheduled') ? first.state : outcomes
}

export function unpackEnqueued(packed: PackedEnqueued, jobs: readonly NewJob[]): readonly Enqueued[] {
  if (typeof packed !== 'string') return packed
  return jobs.map(({ id }) => ({ outcome: 'created', id, state: packed }))
}
