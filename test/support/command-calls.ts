/** The plan call that a random act stands for, given the jobs and claims there are. */
import type { Claim } from '../../src/core/job-row.ts'
import type { Plan, PlanValues } from '../../src/core/plan.ts'
import { COMPLETE, COMPLETE_ONLY_PHASE, PLANS } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import type { PlanCall } from '../../src/store/claims.ts'
import type { JobDetails } from '../../src/store/jobs.ts'
import type { HeldAct, OutsideAct } from './command.ts'
import { pick } from './command.ts'
import { attemptError, newArtifact, planCall } from './contract-bench.ts'
import type { Act } from './contract-bench.ts'

/** What a run has come to so far. */
export interface RunSoFar {
  readonly ids: Pick<Runtime, 'uuid' | 'key'>
  /** Every job and every claim that there ever was, oldest first. */
  readonly jobs: readonly string[]
  readonly claims: readonly Claim[]
  /** The job as it is; null: it is not there. */
  see(jobId: string): Promise<JobDetails | null>
}

export const SCOPES: readonly Scope[] = [
  OPERATOR,
  { role: 'admin', tenant: 'acme' },
  { role: 'member', tenant: 'acme', user: 'ann' },
  { role: 'member', tenant: 'other', user: 'bob' },
  { role: 'admin', tenant: '' },
]

const BY_NAME: ReadonlyMap<string, Plan> = new Map(PLANS.map((plan) => [plan.name, plan]))

function planNamed(name: string): Plan {
  const plan = BY_NAME.get(name)
  if (plan === undefined) throw new RangeError(`there is no plan ${name}`)
  return plan
}

/** None: there is nothing yet that it could be done to. */
export async function callsOf(run: RunSoFar, act: HeldAct | OutsideAct): Promise<readonly PlanCall[]> {
  const call = await (act.do === 'held-act' ? heldCall(run, act) : outsideCall(run, act))
  if (call === null) return []
  return act.act === 'finish' ? finish(call) : [call]
}

/** From a checkpoint to the end, without waiting for an answer in between. */
function finish(first: PlanCall): readonly PlanCall[] {
  const { phase = 0, phaseCount = 0 } = first.values
  if (first.plan.name !== 'checkpoint') return [first]
  const rest = Array.from({ length: phaseCount - phase - 1 }, (_, index) => ({
    ...first,
    values: { ...first.values, seenPhase: phase + 1 + index },
  }))
  return [first, ...rest, { ...planCall(COMPLETE, first.jobId), claim: first.claim }]
}

async function heldCall(run: RunSoFar, { act, claim: back, spoil, amount }: HeldAct): Promise<PlanCall | null> {
  if (run.claims.length === 0) return null
  const claim = pick(run.claims.toReversed(), back)
  const job = await run.see(claim.jobId)
  if (job === null) return null
  const plan = planFor(act, job)
  const rest = beside(run, act, job, amount)
  const values: PlanValues = {
    delayMs: 10 * amount,
    timeoutMs: amount % 5 === 0 ? null : 100 * amount,
    progress: amount,
    phase: job.phase,
    seenPhase: job.phase,
    output: `"output ${amount}"`,
    phaseCount: rest.phaseNames?.length ?? job.phaseCount,
  }
  // Under a worker's claim it is of no account.
  const byHand = amount % 4 === 0 ? {} : { byHand: { lockMs: amount % 4 === 1 ? null : 100 * amount } }
  const call = planCall(plan, claim, values, { ...rest, ...byHand })
  if (spoil === 'nothing') return call
  return spoil === 'job' ? { ...call, jobId: pick(run.jobs, amount) } : { ...call, claim: spoiled(claim, spoil) }
}

/** Workers end a job of one phase in one act, checkpoint only what is not done, and complete what is. */
function planFor(act: HeldAct['act'], { phase, phaseCount }: JobDetails): Plan {
  if (act !== 'complete' && act !== 'checkpoint' && act !== 'finish') return planNamed(act)
  if (phase >= phaseCount) return COMPLETE
  if (phaseCount === 1) return COMPLETE_ONLY_PHASE
  return planNamed(act === 'finish' ? 'checkpoint' : act)
}

function spoiled(claim: Claim, spoil: 'fence' | 'holder'): Claim {
  return spoil === 'fence' ? { ...claim, fence: claim.fence + 1 } : { ...claim, holder: claim.holder + 1 }
}

function beside(run: RunSoFar, act: HeldAct['act'], job: JobDetails, amount: number): Act {
  const detail = amount % 2 === 0 ? null : `{"told":${amount}}`
  if (planFor(act, job).name === 'checkpoint') return { detail, result: `"result ${amount}"` }
  if (act === 'progress-told') {
    const phase = job.phaseNames[amount % (job.phase + 1)] ?? null
    return { detail: JSON.stringify({ percent: amount, phase, ...(amount % 3 === 0 ? {} : { context: { amount } }) }) }
  }
  if (act === 'artifact') {
    // Whoever writes it knows the phase by its name; here it may be one that is done, or none of the job's.
    const phase = job.phaseNames[amount % (job.phase + 1)] ?? 'none'
    return { detail, artifact: newArtifact(run.ids.uuid(), { name: `file ${amount % 3}`, phase }) }
  }
  if (act === 'adopt-phases') return { phaseNames: adopted(job, amount) }
  if (!ENDINGS.has(act) || amount % 3 === 0) return { detail }
  return { detail, error: attemptError(`error ${amount}`) }
}

const ENDINGS: ReadonlySet<HeldAct['act']> = new Set([
  'fail-retry',
  'fail-final',
  'release',
  'end-of-grace',
  'time-out-retry',
  'time-out-final',
])

/** What is done stays, what follows is new. */
function adopted({ phaseNames, phase }: JobDetails, amount: number): readonly string[] {
  const done = phaseNames.slice(0, phase)
  const more = Array.from({ length: amount % 4 }, (_, index) => `new ${phase + index}`)
  return done.length + more.length === 0 ? ['new only'] : [...done, ...more]
}

async function outsideCall(
  run: RunSoFar,
  { act, among, job: index, scope, amount, outdated }: OutsideAct,
): Promise<PlanCall | null> {
  const candidates = among === 'jobs' ? run.jobs : run.claims.map(({ jobId }) => jobId).toReversed()
  if (candidates.length === 0) return null
  const id = pick(candidates, index)
  const job = await run.see(id)
  if (job === null) return null
  const { generation: seenGeneration, fence, phase, phaseCount, state } = job
  const values: PlanValues = {
    actor: amount % 4 === 0 ? 'ann' : 'bob',
    reason: amount % 3 === 0 ? null : `reason ${amount}`,
    phase: Math.min(state === 'completed' ? phaseCount - 1 : phase, amount % (phaseCount + 1)),
    seenGeneration,
    seenFence: outdated ? fence - 1 : fence,
  }
  const rest = {
    scope: pick(SCOPES, scope),
    detail: amount % 2 === 0 ? null : `{"told":${amount}}`,
    error: attemptError('forced'),
  }
  const forces = act === 'force-fail' || act === 'force-reset'
  const told = { id: run.ids.uuid(), actor: values.actor ?? '', reason: `reason ${amount}`, detail: rest.detail }
  const input = act === 'retry' && values.phase === 0 && amount % 5 === 0 ? { input: `${amount}` } : {}
  return planCall(planNamed(act), id, values, { ...rest, ...input, ...(forces ? { audit: told } : {}) })
}
