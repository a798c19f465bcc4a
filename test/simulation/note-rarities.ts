/** Which rare branches were taken, from what the store was asked and what it did. */
import type { CleanupTurn, TurnRequest } from '../../src/core/cleanup-turn.ts'
import type { JobRow } from '../../src/core/job-row.ts'
import type { Claimed, ClaimRequest, PlanCall, PlanResult, SweepReport } from '../../src/store/claims.ts'
import type { Enqueued, NewJob } from '../../src/store/jobs.ts'
import { isAlive } from '../support/model-state.ts'
import type { ModelJob, ModelState } from '../support/model-state.ts'
import type { Probe, Probes } from './probes.ts'

interface Applied {
  readonly call: PlanCall
  readonly before: JobRow
  readonly after: JobRow
  readonly result: PlanResult
  /** The lease of whoever calls, or the lock, had not run out. */
  readonly isInTime: boolean
}

export function noteApply(probes: Probes, applied: Applied): void {
  if (applied.call.byHand !== undefined) noteByHand(probes, applied)
  const probe = applied.result.applied ? probeOfApplied(applied) : probeOfRefused(applied)
  if (probe !== null) probes.see(probe)
}

function probeOfApplied({ call: { plan, error }, before, after }: Applied): Probe | null {
  const isCancelled = after.state === 'cancelled'
  switch (plan.name) {
    case 'cancel':
      return before.state === 'running' ? 'a running job was asked to stop' : 'a waiting job was cancelled'
    case 'complete':
    case 'complete-only-phase':
      return before.cancelRequestedAt === null ? null : 'a cancel came too late: the job completed'
    case 'fail-retry':
      return isCancelled ? 'a cancel won over a failure' : null
    case 'fail-final':
      if (isCancelled) return 'a cancel won over a failure'
      return error?.includes('"phases-changed"') === true ? 'a job failed because its list of phases had changed' : null
    case 'release':
      return releasedBy(error ?? '', isCancelled)
    case 'time-out-retry':
    case 'time-out-final':
      return isCancelled ? 'a cancel won over a time-out' : 'a worker timed out an attempt'
    case 'extend':
      return 'an attempt was given more time'
    case 'checkpoint':
      return before.suspect ? 'a suspect was cleared by a finished phase' : null
    case 'adopt-phases':
      return 'a job went on with a changed list of phases'
    case 'retry':
      return after.phase > 0 ? 'a retry kept earlier results' : 'a retry began afresh'
    case 'run-now':
      return 'a waiting job was run now'
    case 'force-fail':
      return before.state === 'running' ? 'a running job was failed by force' : null
    case 'force-reset':
      return before.state === 'running' ? 'a running job was put back by force' : null
    default:
      return null
  }
}

const BY_HAND: Readonly<Record<string, Probe>> = {
  complete: 'a job was completed by hand',
  'complete-only-phase': 'a job was completed by hand',
  checkpoint: 'a phase was finished by hand',
  'fail-retry': 'a job was failed by hand',
  'fail-final': 'a job was failed by hand',
  release: 'a job was given back by hand',
  'end-of-grace': 'a driver heeded a cancel',
}

function noteByHand(probes: Probes, { call: { plan }, result, isInTime }: Applied): void {
  if (!result.applied) {
    if (result.refusal === 'lease-lost') probes.see('a late write by hand was refused')
    return
  }
  const probe = BY_HAND[plan.name]
  if (probe !== undefined) probes.see(probe)
  if (!isInTime) probes.see('a write by hand was accepted although its lock had run out')
}

function releasedBy(error: string, isCancelled: boolean): Probe {
  if (isCancelled) return 'a cancel won over a release'
  return error.includes('"not-begun"')
    ? 'a job was given back unbegun'
    : 'a job was given back by a worker that shut down'
}

const LATE: Readonly<Record<string, Probe>> = {
  complete: 'a late completion was refused',
  'complete-only-phase': 'a late completion was refused',
  checkpoint: 'a late phase result was refused',
  'fail-retry': 'a late failure was refused',
  'fail-final': 'a late failure was refused',
  progress: 'a late progress, log or extension was refused',
  'progress-told': 'a late progress, log or extension was refused',
  log: 'a late progress, log or extension was refused',
  extend: 'a late progress, log or extension was refused',
  artifact: 'a late artifact was refused',
}

function probeOfRefused({ call: { plan, claim }, before, result }: Applied): Probe | null {
  if (result.applied) return null
  if (result.refusal === 'lease-lost') {
    const isKept = before.state === 'completed' && before.fence === claim?.fence && plan.name.startsWith('complete')
    return isKept ? 'a completion was sent again, and had been kept' : (LATE[plan.name] ?? null)
  }
  if (result.refusal === 'phase-moved') return 'a phase result was sent again, and had been kept'
  if (result.refusal === 'deadline-ahead') return 'a time-out was refused by the clock of the store'
  if (result.refusal === 'moved-on') return 'an act met a job that had moved on'
  return result.refusal === 'final' && plan.name === 'cancel' ? 'a final job was not cancelled' : null
}

export function noteClaim(probes: Probes, state: ModelState, request: ClaimRequest, { jobs }: Claimed): void {
  for (const { claim, phase } of jobs) {
    const before = state.jobs.get(claim.jobId)?.ended.at(-1)
    if (phase > 0 && before?.outcome === 'lost') probes.see('a job went on at a later phase after its worker had died')
  }
  const { holder, limit, types } = request
  const concurrency = state.sessions.get(holder)?.concurrency ?? limit
  if (jobs.length > concurrency) probes.see('a job was taken ahead of the slots')
  if (jobs.length < limit) noteLeft(probes, state, types)
}

/** There was room, and yet not all were taken. */
function noteLeft(probes: Probes, state: ModelState, types: readonly string[]): void {
  const paused = new Set([...state.queues.values()].filter(({ pausedAt }) => pausedAt !== null).map(({ name }) => name))
  for (const { row, made } of state.jobs.values()) {
    if (row.state !== 'queued' || !types.includes(made.type)) continue
    if (paused.has(made.queue)) probes.see('a paused queue held a job back')
    else if (row.suspect) probes.see('a suspect waited for another one')
  }
}

export interface Swept {
  readonly job: ModelJob
  readonly row: JobRow
  /** When it was last written to. */
  readonly writtenAt: number
  /** It was driven by hand. */
  readonly byHand: boolean
}

export function noteSweep(probes: Probes, before: readonly Swept[], report: SweepReport): void {
  if (report.jobsPoisoned > 0) probes.see('a job was failed as poison')
  if (report.locksCleared > 0) probes.see('a lock that held no job was cleared')
  for (const { job, row, byHand } of before) {
    const outcome = job.ended.at(-1)?.outcome
    if (job.row === row || row.state !== 'running') continue
    if (byHand && outcome === 'lost') probes.see(stuckProbe(job.row))
    if (job.row.suspect && !row.suspect) probes.see('a job became a suspect')
    if (job.row.strikes > row.strikes) probes.see('a suspect got a strike')
    if (outcome === 'lost') probes.see('a dead session lost its jobs')
    if (outcome === 'timed-out') probes.see('a sweep timed out an attempt')
    if (outcome === 'cancelled') probes.see(cancelledBySweep(job.row, row))
  }
}

function stuckProbe({ state, phase }: JobRow): Probe {
  if (state === 'failed') return 'a silent driver lost a job, which was failed'
  return phase === 0
    ? 'a silent driver lost a job, which was put back'
    : 'a silent driver lost a job, which went on at a later phase'
}

/** Whoever ends an attempt from outside raises the fence; the end of a grace is the holder's own. */
function cancelledBySweep(after: JobRow, before: JobRow): Probe {
  return after.fence > before.fence ? 'a cancel won over a lost session' : 'a sweep ended the grace of a cancel'
}

export function noteEnqueue(probes: Probes, jobs: readonly NewJob[], enqueued: readonly Enqueued[]): void {
  for (const [index, answer] of enqueued.entries()) {
    const { outcome } = answer
    if (outcome === 'key-reused') probes.see('a key was refused for another input')
    if (outcome !== 'duplicate') continue
    if (answer.state === 'deleted') probes.see('a key answered with a job that had been deleted')
    const isKeyed = (jobs[index]?.key ?? null) !== null
    probes.see(isKeyed ? 'a key answered with the job that has it' : 'a unique key answered with the job that holds it')
  }
}

/** @param before the turn that was the latest when this one was asked for */
export function noteTurn(probes: Probes, before: CleanupTurn | null, request: TurnRequest, turn: CleanupTurn): void {
  const isMine = turn.key === request.key
  if (!isMine && request.isWhole) probes.see('a forced cleanup waited for another process')
  if (isMine && before !== null && before.keptUntil !== null && before.key !== turn.key)
    probes.see('a cleanup began after a process that had died with the turn')
}

/** Sessions of one store whose lease has run out, and which its next beat takes up again. */
export function noteLateBeat(probes: Probes, state: ModelState): void {
  for (const holder of state.kept) {
    const session = state.sessions.get(holder)
    if (session === undefined || session.endedAt !== null || isAlive(state, holder)) continue
    probes.see('a session was taken up again after its lease had run out')
  }
}

/** Lines of the log that tell of something rare. */
const LINES: Readonly<Record<string, Probe>> = {
  'The session of the worker was lost; its jobs are dropped, and it opens a new one.':
    'a session was lost, and another opened',
  'Too many handlers run on although their jobs have ended. The worker takes no more jobs and stops: end its process by a signal, and start it again.':
    'a worker stopped, with too many handlers left to themselves',
  'A handler did not stop when it was told to; its job ends without it.': 'a handler was left to itself',
  'The store cannot be asked for cancellations; it is asked again.': 'the store could not be asked for cancellations',
  'The store did not take what came of a job; it is tried again.': 'results waited for the store',
  'The reaper does not trust its clock; it waits for the sessions to beat again.': 'a reaper did not trust its clock',
}

export function noteLine(probes: Probes, message: string, cause: unknown): void {
  const probe = LINES[message]
  if (probe === undefined) return
  probes.see(probe)
  if (probe === 'a handler was left to itself' && cause === 'cancel') probes.see('a worker ended the grace of a cancel')
}
