import type { Claim, JobRow } from '../core/job-row.ts'
import type { Plan, PlanValues, Refusal } from '../core/plan.ts'
import type { JobPolicy } from '../core/policy.ts'
import type { Scope } from '../core/scope.ts'
import type { JobState } from '../core/states.ts'
import type { StopNote, StoppedBy } from './attempt-stops.ts'
import type { NewAudit } from './audit.ts'
import type { LockHolder, NewLock, ProcessSession } from './sessions.ts'

export interface ClaimRequest {
  /** Key of the session that claims. */
  readonly holder: number
  /** Types it has handlers for. Others are never claimed, nor are those that another service has come to own. */
  readonly types: readonly string[]
  readonly limit: number
}

/** Stands where a job's input is missing: it is no JSON, so nobody can take it for one. */
export const INPUT_LOST = ''

/** A job as it is handed to a worker: all it needs to start or to go on. It may be a view, so it is to be read, not spread or posted. */
export interface ClaimedJob {
  readonly claim: Claim
  readonly type: string
  readonly queue: string
  readonly tenant: string
  readonly owner: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly policy: JobPolicy
  /** JSON text; `INPUT_LOST`: there is none in the store any more. */
  readonly input: string
  readonly attempt: number
  readonly generation: number
  readonly failures: number
  readonly phaseNames: readonly string[]
  /** Index of the phase to start with; equal to the number of phases where only the completion is missing. */
  readonly phase: number
  /** Results of the phases before, in order, as JSON text. */
  readonly results: readonly string[]
  readonly progress: number
  readonly createdAt: number
  readonly runAt: number
  readonly startedAt: number
  readonly deadlineAt: number | null
}

export interface Claimed {
  readonly jobs: readonly ClaimedJob[]
  /** Milliseconds until the next waiting job of these types comes due; null: none waits. */
  readonly nextDueInMs: number | null
  /** The session that asked is not open any more, so it got nothing. */
  readonly sessionLost: boolean
}

/** A plan to carry out on one job, and what is to be written beside the row if it applies. */
export interface PlanCall {
  readonly jobId: string
  readonly plan: Plan
  readonly scope: Scope
  /** For plans that need one. */
  readonly claim: Claim | null
  readonly values: PlanValues
  /** What the event tells beside the facts of the row: JSON text of an object; null: nothing. */
  readonly detail: string | null
  /** With CHECKPOINT: the result of the phase that is done, JSON text. */
  readonly result?: string
  /** With a plan that ends an attempt: JSON text of an `AttemptError`. */
  readonly error?: string
  /** With a plan that ends an attempt: what ended its code before. Absent: it may still run, and `noteStop` may tell later. */
  readonly stoppedBy?: StoppedBy
  /** With RETRY from the first phase: the input of the new generation, JSON text. Absent: it stays as it is. */
  readonly input?: string
  /** With ADOPT_PHASES: the job's new list. */
  readonly phaseNames?: readonly string[]
  /** With ARTIFACT. */
  readonly artifact?: NewArtifact
  /** To be written down as an act of whoever asks. Absent: it needs no audit. */
  readonly audit?: NewAudit
  /** The claim is a lock that was taken by hand: if the plan applies, the lock lasts longer, or ends where the plan ends the attempt. */
  readonly byHand?: WriteByHand
}

/** Whether nothing is to be written but the row, its event, and the result of a phase or the end of an attempt. */
export function isRowAlone({ input, phaseNames, artifact, audit, byHand }: PlanCall): boolean {
  const plain = input === undefined && phaseNames === undefined && artifact === undefined
  return plain && audit === undefined && byHand === undefined
}

export interface WriteByHand {
  /** How long the lock is to last at least, from now; null: as after every write (see `lockWriteMs`). */
  readonly lockMs: number | null
}

/** One job that somebody wants to drive by hand. */
export interface TakeRequest {
  readonly jobId: string
  readonly scope: Scope
  readonly lock: NewLock
}

export type Taken =
  | { readonly outcome: 'taken'; readonly claim: Claim; readonly lockExpiresAt: number }
  | { readonly outcome: 'not-found' }
  | { readonly outcome: 'forbidden' }
  /** Another service works on the type. */
  | { readonly outcome: 'not-owner'; readonly type: string; readonly service: string }
  /** It is in another state. `heldBy`: who runs it; null: nobody does. */
  | { readonly outcome: 'not-queued'; readonly state: JobState; readonly heldBy: LockHolder | null }

export interface NewArtifact {
  /** UUIDv7. */
  readonly id: string
  readonly name: string
  readonly contentType: string
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
  /** Where the bytes are, relative to the artifact folder. */
  readonly path: string
  readonly expiresInMs: number | null
  readonly phase: string
}

export type PlanResult =
  | { readonly applied: true; readonly row: AppliedRow }
  /** Nothing was changed. `row`: the job as it is; null where the scope does not see it. */
  | { readonly applied: false; readonly refusal: Refusal | 'artifact-exists'; readonly row: JobRow | null }

/** The store could not carry it out, as far as it knows. */
export interface FailedCall {
  readonly error: unknown
}

export type CallAnswer = PlanResult | FailedCall

/** What a caller may need of the row after its plan. */
export interface AppliedRow {
  readonly state: JobState
  readonly cancelRequestedAt: number | null
  readonly cancelledBy: string | null
  readonly cancelReason: string | null
}

/** A running job whose end has been asked for, or whose claim has gone. */
export interface Interruption {
  readonly jobId: string
  readonly fence: number
  readonly kind: 'cancel' | 'lease-lost'
  readonly cancelledBy: string | null
  readonly reason: string | null
}

/** What one sweep did. */
export interface SweepReport {
  readonly sessionsEnded: number
  readonly jobsReaped: number
  readonly jobsPoisoned: number
  readonly jobsTimedOut: number
  /** Whose worker is alive and let the grace of a cancel run out. */
  readonly jobsCancelled: number
  readonly jobsPromoted: number
  /** Driven by hand, with a lock that had run out and nothing written any more: put back, or failed. */
  readonly jobsStuck: number
  /** Locks taken by hand that were still there though they held no job, or none any more. */
  readonly locksCleared: number
}

/** How many jobs were taken back, or ended, because nobody got on with them. */
export function jobsRecovered({ jobsReaped, jobsTimedOut, jobsCancelled, jobsStuck }: SweepReport): number {
  return jobsReaped + jobsTimedOut + jobsCancelled + jobsStuck
}

/** How a worker asks for jobs so that the store brings them fastest. */
export interface ClaimPace {
  /** So many of its claims are under way at the most. */
  readonly claims: number
  /** Each is for so many jobs at the most. */
  readonly jobs: number
}

export interface ClaimStore {
  readonly pace: ClaimPace
  /** Promotes what has come due, then takes up to `limit` jobs: lower priority first, then earlier run-at, then insertion. */
  claim(request: ClaimRequest): Promise<Claimed>
  /**
   * Takes one job by its id, for somebody who drives it by hand: under the same plan as any claim, but whatever its queue, its priority or its
   * type's workers. A job that has come due is queued first.
   */
  take(request: TakeRequest): Promise<Taken>
  /** Carries out one plan on one job. Calls that arrive together share a commit; this one resolves after its own. */
  apply(call: PlanCall): Promise<PlanResult>
  /**
   * Carries out many calls, as if each had been made by itself; answers in their order once all are settled. The calls on one job keep their order,
   * among each other and with those of `apply`. A call that the store could not carry out, as far as it knows, is answered with its error.
   */
  applyAll(calls: readonly PlanCall[]): Promise<readonly CallAnswer[]>
  /**
   * Notes that the code of an attempt has come to rest after the attempt had ended without it. False, and nothing is changed: it was noted
   * before, the attempt has not ended, or it was another session's.
   */
  noteStop(note: StopNote): Promise<boolean>
  /** Which of the jobs that a session believes it runs it must stop. */
  interruptions(held: readonly Claim[]): Promise<readonly Interruption[]>
  /**
   * The same in the middle of a turn, for a handler that never lets the event loop turn. It blocks for as long as a read takes, a tenth of a
   * second at most; null: there was no answer by then.
   */
  interruptionsNow(held: readonly Claim[]): readonly Interruption[] | null
  /**
   * One pass of recovery: promote what is due, take the jobs of dead sessions away, time out attempts past their deadline,
   * settle what was driven by hand and is stuck. `graceMs` is how
   * long past its deadline and its type's `cancelGraceMs` an attempt is left to its session.
   */
  sweep(options: SweepOptions): Promise<SweepReport>
}

export interface SweepOptions {
  readonly graceMs: number
  /** In [0, 1). */
  readonly random: number
  /** Sessions whose processes are known to have ended: they are over, however long their leases still run. */
  readonly dead?: readonly ProcessSession[]
}
