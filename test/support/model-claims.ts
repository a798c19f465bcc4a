/** The model's claims: taking jobs, acting on them, telling holders to stop. */
import type { Claim } from '../../src/core/job-row.ts'
import { CLAIM } from '../../src/core/plans.ts'
import type { StopNote } from '../../src/store/attempt-stops.ts'
import type {
  Claimed,
  ClaimedJob,
  ClaimRequest,
  ClaimStore,
  Interruption,
  PlanCall,
  PlanResult,
} from '../../src/store/claims.ts'
import { keepLock, takeByHand } from './model-locks.ts'
import { carryOut, isWaiting, NOTHING_BESIDE, promoteDue } from './model-plans.ts'
import { beat, commit, holdsClaim, isAlive, policyOf } from './model-state.ts'
import type { ModelJob, ModelState } from './model-state.ts'
import { sweep } from './model-sweep.ts'

export function modelClaims(state: ModelState): ClaimStore {
  return {
    pace: { claims: 4, jobs: 500 },
    async claim(request) {
      beat(state)
      return committing(state, () => claim(state, request))
    },
    async take(request) {
      beat(state)
      const taken = takeByHand(state, request)
      commit(state)
      return taken
    },
    async apply(call) {
      beat(state)
      const result = apply(state, call)
      if (result.applied) commit(state)
      return result
    },
    async applyAll(calls) {
      beat(state)
      const results = calls.map((call) => apply(state, call))
      if (results.some(({ applied }) => applied)) commit(state)
      return results
    },
    async noteStop(note) {
      beat(state)
      const noted = noteStop(state, note)
      commit(state)
      return noted
    },
    async interruptions(held) {
      return interruptions(state, held)
    },
    interruptionsNow(held) {
      return interruptions(state, held)
    },
    async sweep(options) {
      beat(state)
      return committing(state, () => sweep(state, options))
    },
  }
}

/** Where nothing has happened, nothing is committed, and nobody hears of it. */
function committing<Answer>(state: ModelState, work: () => Answer): Answer {
  const told = state.events.length
  const answer = work()
  if (state.events.length > told) commit(state)
  return answer
}

function noteStop(state: ModelState, { jobId, attempt, holder, stoppedBy }: StopNote): boolean {
  const job = state.jobs.get(jobId)
  const index = job?.ended.findIndex((ended) => ended.attempt === attempt) ?? -1
  const ended = job?.ended[index]
  if (job === undefined || ended === undefined) return false
  if (ended.stoppedAt !== null || job.holders.get(attempt) !== holder) return false
  job.ended[index] = { ...ended, stoppedAt: state.clock.at, stoppedBy }
  return true
}

function interruptions(state: ModelState, held: readonly Claim[]): readonly Interruption[] {
  return held.flatMap((claimed): Interruption[] => {
    const job = state.jobs.get(claimed.jobId)
    const { jobId, fence } = claimed
    if (job === undefined || !holdsClaim(job, claimed)) {
      return [{ jobId, fence, kind: 'lease-lost', cancelledBy: null, reason: null }]
    }
    const { cancelRequestedAt, cancelledBy, cancelReason: reason } = job.row
    return cancelRequestedAt === null ? [] : [{ jobId, fence, kind: 'cancel', cancelledBy, reason }]
  })
}

function apply(state: ModelState, call: PlanCall): PlanResult {
  const job = state.jobs.get(call.jobId)
  if (job === undefined) return { applied: false, refusal: call.claim === null ? 'not-found' : 'lease-lost', row: null }
  const result = carryOut(state, job, call)
  if (result.applied) keepLock(state, job, call)
  return result
}

function claim(state: ModelState, request: ClaimRequest): Claimed {
  promoteDue(state)
  if (!isAlive(state, request.holder)) return { jobs: [], nextDueInMs: null, sessionLost: true }
  const jobs = choose(state, request).map((job) => take(state, job, request.holder))
  return { jobs, nextDueInMs: nextDueInMs(state, request.types), sessionLost: false }
}

/** A type that another service owns, or that was handed over since, is none of this session's. */
function mayWorkOn(state: ModelState, holder: number, type: string): boolean {
  const { service = null, epoch = 0 } = state.types.get(type) ?? {}
  const session = state.sessions.get(holder)
  return service === null || (service === session?.identity.service && epoch <= session.epoch)
}

/** In the order of claiming, at most one suspect, and none beside a suspect that the session runs already. */
function choose(state: ModelState, { holder, types, limit }: ClaimRequest): ModelJob[] {
  const ready = [...state.jobs.values()]
    .filter(({ row, made }) => row.state === 'queued' && types.includes(made.type) && !isPaused(state, made.queue))
    .filter(({ made }) => mayWorkOn(state, holder, made.type))
    .toSorted(
      (left, right) => left.made.priority - right.made.priority || left.row.runAt - right.row.runAt || left.n - right.n,
    )
  const chosen: ModelJob[] = []
  let hasSuspect = [...state.jobs.values()].some(({ row }) => row.holder === holder && row.suspect)
  for (const job of ready) {
    if (chosen.length >= limit) break
    if (job.row.suspect && hasSuspect) continue
    hasSuspect ||= job.row.suspect
    chosen.push(job)
  }
  return chosen
}

function isPaused(state: ModelState, queue: string): boolean {
  return (state.queues.get(queue)?.pausedAt ?? null) !== null
}

function take(state: ModelState, job: ModelJob, holder: number): ClaimedJob {
  const policy = policyOf(state, job)
  carryOut(state, job, { plan: CLAIM, ...NOTHING_BESIDE, values: { holder, timeoutMs: policy.timeoutMs } })
  const { made, row, phaseNames } = job
  job.holders.set(row.attempt, holder)
  const { type, queue, tenant, owner, labels } = made
  const { attempt, generation, failures, phase, progress, createdAt, runAt, deadlineAt } = row
  return {
    claim: { jobId: row.id, holder, fence: row.fence, row: job.n },
    type,
    queue,
    tenant,
    owner,
    labels,
    policy,
    input: job.input,
    attempt,
    generation,
    failures,
    phaseNames,
    phase,
    results: job.done.map(({ result }) => result),
    progress,
    createdAt,
    runAt,
    startedAt: row.startedAt ?? 0,
    deadlineAt,
  }
}

function nextDueInMs(state: ModelState, types: readonly string[]): number | null {
  const waits = [...state.jobs.values()]
    .filter(({ row, made }) => isWaiting(row) && types.includes(made.type))
    .map(({ row }) => row.runAt - state.clock.at)
  return waits.length === 0 ? null : Math.min(...waits)
}
