/** The model carries out a plan: the row as the rules change it, and what is written beside it. */
import { interpretPlan } from '../../src/core/interpret.ts'
import type { PlanOutcome } from '../../src/core/interpret.ts'
import type { JobRow } from '../../src/core/job-row.ts'
import type { Plan } from '../../src/core/plan.ts'
import {
  ADOPT_PHASES,
  ARTIFACT,
  CHECKPOINT,
  CLAIM,
  COMPLETE,
  COMPLETE_ONLY_PHASE,
  PROMOTE,
  RETRY,
} from '../../src/core/plans.ts'
import { canSee, OPERATOR } from '../../src/core/scope.ts'
import type { AppliedRow, NewArtifact, PlanCall, PlanResult } from '../../src/store/claims.ts'
import type { AttemptRecord } from '../../src/store/jobs.ts'
import { latestAttempt } from './model-jobs.ts'
import { appendEvent, isAlive, isUniqueHeld, mergeDetail, presentPhase } from './model-state.ts'
import type { ModelJob, ModelState } from './model-state.ts'

export type Beside = Omit<PlanCall, 'jobId' | 'plan' | 'scope'>

export const NOTHING_BESIDE: Beside = { claim: null, values: {}, detail: null }

/** Carries out one plan on one job and writes what belongs beside the row. */
export function carryOut(
  state: ModelState,
  job: ModelJob,
  call: Beside & Pick<PlanCall, 'plan'> & Partial<Pick<PlanCall, 'scope'>>,
): PlanResult {
  const { plan, scope = OPERATOR, claim: claimed, values } = call
  const before = job.row
  const outcome = interpretPlan(state.planted(plan), before, {
    now: state.clock.at,
    scope,
    claim: claimed,
    values,
    sessionAlive: (holder) => isAlive(state, holder),
    uniqueHeld: () => isUniqueHeld(state, job),
  })
  const seen = canSee(scope, before) ? before : null
  if ('refused' in outcome) return { applied: false, refusal: outcome.refused, row: seen }
  if (plan === ARTIFACT && call.artifact !== undefined && hasArtifact(state, job, call.artifact.name)) {
    return { applied: false, refusal: 'artifact-exists', row: seen }
  }
  write(state, job, outcome, call)
  if (call.audit !== undefined) {
    const { id: jobId, tenant } = job.row
    state.audit.push({ ...call.audit, at: state.clock.at, role: scope.role, tenant, act: plan.name, jobId })
  }
  return { applied: true, row: appliedRow(job.row) }
}

type Written = Exclude<PlanOutcome, { readonly refused: unknown }>

function write(
  state: ModelState,
  job: ModelJob,
  { row, event, ends }: Written,
  call: Beside & { readonly plan: Plan },
): void {
  const before = job.row
  const { plan } = call
  if (ends !== null) {
    job.ended.push({
      attempt: before.attempt,
      generation: before.generation,
      startedAt: before.startedAt ?? 0,
      endedAt: state.clock.at,
      outcome: ends,
      phase: presentPhase(job),
      progress: before.progress,
      error: call.error ?? null,
      ...stopOf(state, call),
      worker: job.worker,
    })
  }
  if (plan === RETRY) job.ended.push(...latestAttempt(job))
  if (plan === RETRY && call.input !== undefined) job.input = call.input
  job.row = row
  job.updatedAt = state.clock.at
  writePhases(state, job, before, call)
  writeOutput(job, call)
  if (plan === CLAIM) job.worker = state.sessions.get(row.holder ?? -1)?.identity ?? null
  if (plan === ARTIFACT && call.artifact !== undefined) addArtifact(state, job, call.artifact)
  if (row.generation > before.generation) takeArtifactsAlong(state, job)
  if (event !== null) appendEvent(state, job, event, mergeDetail(call.detail, ownFacts(job, before, plan, event)))
}

function stopOf({ clock }: ModelState, { stoppedBy }: Beside): Pick<AttemptRecord, 'stoppedAt' | 'stoppedBy'> {
  return stoppedBy === undefined ? { stoppedAt: null, stoppedBy: null } : { stoppedAt: clock.at, stoppedBy }
}

function writePhases(
  state: ModelState,
  job: ModelJob,
  before: JobRow,
  { plan, result, phaseNames }: Beside & { readonly plan: Plan },
): void {
  if (plan === CHECKPOINT) {
    const { generation, attempt, phaseStartedAt: startedAt } = before
    job.done.push({ generation, attempt, startedAt, finishedAt: state.clock.at, result: result ?? 'null' })
  }
  if (plan === ADOPT_PHASES && phaseNames !== undefined) {
    job.phaseNames = phaseNames
    job.row = { ...job.row, phaseCount: phaseNames.length }
  }
  job.done.length = Math.min(job.done.length, job.row.phase)
}

function writeOutput(job: ModelJob, { plan, values }: Beside & { readonly plan: Plan }): void {
  if (plan === COMPLETE_ONLY_PHASE) job.output = values.output ?? null
  if (plan === COMPLETE) job.output = job.done.at(-1)?.result ?? null
  if (job.row.state !== 'completed') job.output = null
}

function ownFacts(job: ModelJob, before: JobRow, plan: Plan, event: string): Readonly<Record<string, unknown>> {
  const { row } = job
  const { cancelledBy, cancelReason: reason } = row
  switch (event) {
    case 'job:started':
      return job.phaseNames.length > 1 && row.phase < job.phaseNames.length ? { phase: presentPhase(job) } : {}
    case 'job:queued':
      return { cause: plan.name }
    case 'job:cancelled':
    case 'job:cancel-requested':
      return { cancelledBy, reason }
    case 'job:completed':
      return before.cancelRequestedAt === null ? {} : { cancelRequested: true }
    default:
      return {}
  }
}

/** Within one attempt a name is written once; a later attempt replaces what an earlier one wrote. */
function hasArtifact(state: ModelState, job: ModelJob, name: string): boolean {
  const known = state.artifacts[indexOfArtifact(state, job, name)]
  return known !== undefined && known.attempt === job.row.attempt
}

function indexOfArtifact({ artifacts }: ModelState, { row }: ModelJob, name: string): number {
  return artifacts.findIndex(
    (artifact) => artifact.jobId === row.id && artifact.generation === row.generation && artifact.name === name,
  )
}

function addArtifact(state: ModelState, job: ModelJob, { expiresInMs, ...rest }: NewArtifact): void {
  const { row } = job
  const replaced = indexOfArtifact(state, job, rest.name)
  if (replaced !== -1) state.artifacts.splice(replaced, 1)
  const createdAt = state.clock.at
  const expiresAt = expiresInMs === null ? null : createdAt + expiresInMs
  state.artifacts.push({
    ...rest,
    jobId: row.id,
    generation: row.generation,
    attempt: row.attempt,
    createdAt,
    expiresAt,
  })
}

/** What phases wrote whose results are kept belongs to the new generation too. */
function takeArtifactsAlong({ artifacts }: ModelState, { row, phaseNames }: ModelJob): void {
  const kept = new Set(phaseNames.slice(0, row.phase))
  for (const [index, artifact] of artifacts.entries()) {
    const isLatest = artifact.jobId === row.id && artifact.generation === row.generation - 1
    if (isLatest && kept.has(artifact.phase)) artifacts[index] = { ...artifact, generation: row.generation }
  }
}

function appliedRow({ state, cancelRequestedAt, cancelledBy, cancelReason }: JobRow): AppliedRow {
  return { state, cancelRequestedAt, cancelledBy, cancelReason }
}

/** Puts into the queue what has come due; answers how many. */
export function promoteDue(state: ModelState): number {
  const due = [...state.jobs.values()]
    .filter(({ row }) => isWaiting(row) && row.runAt <= state.clock.at)
    .toSorted((left, right) => left.row.runAt - right.row.runAt || left.n - right.n)
  for (const job of due) carryOut(state, job, { plan: PROMOTE, ...NOTHING_BESIDE })
  return due.length
}

export function isWaiting({ state }: JobRow): boolean {
  return state === 'scheduled' || state === 'retrying'
}
