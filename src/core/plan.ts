/**
 * Guarded plans: what a command may do to a job, as data.
 *
 * A plan is an ordered list of cases. The first case whose conditions all hold is the one that counts: it either refuses (and nothing
 * changes) or applies its changes and appends its event. Conditions come from a small closed set of predicates over the row, the caller's
 * claim and scope, and the holder's session, so that each store compiles them to its own SQL and decides in the same statement that
 * writes, while the in-memory model and the model checker interpret the very same plans (`interpret.ts`). There is no second copy of a rule.
 *
 * What a condition does not cover, the caller must know: somebody who holds the claim knows everything that changes only under it.
 * Shapes are constants (`plans.ts`); what differs from call to call travels in `PlanValues`.
 */
import type { EventName } from './events.ts'
import type { JobState } from './states.ts'

export type Condition =
  /** The scope does not reach the job's tenant. */
  | 'out-of-scope'
  /** The scope is a member's, and the job is not the member's. */
  | 'not-owner'
  /** The scope is a member's. */
  | 'not-admin'
  /** The caller's claim is not the job's present one. */
  | 'claim-lost'
  /** The session that holds the job is still alive by the store's clock. */
  | 'session-alive'
  | 'cancel-pending'
  | 'no-cancel-pending'
  /** The attempt has time left, or no deadline. */
  | 'deadline-ahead'
  /** The job's time has not come yet. */
  | 'not-due'
  /** The generation or the fence is not the one the caller looked at when it made up its mind. */
  | 'moved-on'
  /** Another unfinished job of the type and tenant holds the job's unique key. */
  | 'unique-held'
  /** Not every phase is done. */
  | 'phases-left'
  /** The job has more than one phase, each of which has a result of its own to keep. */
  | 'several-phases'
  /** The present phase is not the one whose result the caller brings, or none is left: it has been brought before. */
  | 'phase-moved'
  | 'scheduled-or-retrying'
  | 'queued'
  | 'running'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'final'

/** Why a plan refuses. `already` is no error: the job is as the caller wants it. */
export type Refusal =
  | 'not-found'
  | 'forbidden'
  | 'lease-lost'
  | 'already'
  | 'final'
  | 'not-final'
  | 'not-waiting'
  | 'not-queued'
  | 'not-due'
  | 'moved-on'
  | 'unique-held'
  | 'session-alive'
  | 'deadline-ahead'
  | 'no-cancel-pending'
  | 'phases-left'
  | 'phase-moved'

/** What a case does to the row. A column that is not named keeps its value. */
export interface Changes {
  readonly state?: JobState
  /** `take`: the holder is `values.holder`. `drop`: nobody holds it, no deadline runs, and the attempt has ended. */
  readonly claim?: 'take' | 'drop'
  readonly fence?: 'raise'
  readonly attempt?: 'raise'
  readonly generation?: 'raise'
  readonly failures?: 'raise' | 'reset'
  readonly strikes?: 'raise' | 'reset'
  readonly suspect?: boolean
  /** `later`: now + `values.delayMs`. */
  readonly runAt?: 'now' | 'later'
  readonly startedAt?: 'now'
  readonly finishedAt?: 'now' | 'clear'
  /** `later`: now + `values.timeoutMs`, or none where that is null. */
  readonly deadlineAt?: 'later'
  /** `note`: remember when, who and why, unless that is known already. `clear`: forget. */
  readonly cancel?: 'note' | 'clear'
  /** `next`: one on. `set`: to `values.phase`; results from there on are dropped. */
  readonly phase?: 'next' | 'set'
  /** `set`: to `values.phaseCount`. */
  readonly phaseCount?: 'set'
  /** When the running phase began. */
  readonly phaseStartedAt?: 'now' | 'clear'
  /** `set`: to `values.progress`, never down within an attempt. `full`: 100. `restart`: 0 where the attempt starts at the first phase. */
  readonly progress?: 'set' | 'full' | 'restart'
  readonly output?: 'set' | 'clear'
}

/** How an attempt ended that did not complete; it gets a row of its own in the job's history. */
export type AttemptOutcome = 'failed' | 'timed-out' | 'cancelled' | 'released' | 'lost' | 'forced'

export interface Apply {
  readonly when: readonly Condition[]
  readonly set: Changes
  readonly event?: EventName
  readonly ends?: AttemptOutcome
}

export interface Refuse {
  readonly when: readonly Condition[]
  readonly refuse: Refusal
}

export type Case = Apply | Refuse

/** `name` is unique among plans: a store keeps what it compiled under it. */
export interface Plan {
  readonly name: string
  readonly cases: readonly Case[]
}

/** What differs from call to call. Each plan says which it needs; absent ones read as null. */
export interface PlanValues {
  readonly holder?: number
  readonly delayMs?: number
  readonly timeoutMs?: number | null
  readonly phase?: number
  /** As long as the list of phases that comes with it. */
  readonly phaseCount?: number
  /** For `phase-moved`: the index of the phase that is done. Absent: whichever is present. */
  readonly seenPhase?: number
  readonly progress?: number
  readonly actor?: string
  readonly reason?: string | null
  /** JSON text. */
  readonly output?: string | null
  /** For `moved-on`: what the caller saw. */
  readonly seenGeneration?: number
  readonly seenFence?: number
}

export function isRefusal(entry: Case): entry is Refuse {
  return 'refuse' in entry
}
