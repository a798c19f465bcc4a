import type { JobRow } from '../core/job-row.ts'
import type { PhaseState } from '../core/phases.ts'
import type { AttemptOutcome } from '../core/plan.ts'
import type { JobPolicy } from '../core/policy.ts'
import type { Scope } from '../core/scope.ts'
import type { JobState } from '../core/states.ts'
import type { StoppedBy } from './attempt-stops.ts'

export interface NewJob {
  /** UUIDv7, made by the client, so that an enqueue whose answer was lost is resolved by id. */
  readonly id: string
  readonly type: string
  readonly queue: string
  /** Counts until the owning service has registered the type. */
  readonly policy: JobPolicy
  readonly tenant: string
  readonly owner: string | null
  readonly labels: Readonly<Record<string, string>>
  /** Lower goes first. */
  readonly priority: number
  /** Milliseconds from now; 0 and `runAt: null`: at once. */
  readonly delayMs: number
  /** An instant by the store's clock instead of a delay. */
  readonly runAt: number | null
  readonly key: string | null
  readonly uniqueKey: string | null
  /** JSON text. */
  readonly input: string
}

export type Enqueued =
  | { readonly outcome: 'created'; readonly id: string; readonly state: JobState }
  /** The key, or the unique key, names a job that is there already; `id` is that job's, and nothing was added. */
  | { readonly outcome: 'duplicate'; readonly id: string; readonly state: JobState | 'deleted' }
  /** The key was used for another input, by the job `id`. */
  | { readonly outcome: 'key-reused'; readonly id: string }

/** A stored job without its bodies and history. */
export interface JobSummary extends JobRow {
  readonly type: string
  readonly queue: string
  /** The service that owns the type; null: nobody yet. */
  readonly service: string | null
  readonly priority: number
  readonly labels: Readonly<Record<string, string>>
  readonly key: string | null
  readonly updatedAt: number
  /** How many failures it may have, and so on. */
  readonly policy: JobPolicy
  /** The job's own list of phases. */
  readonly phaseNames: readonly string[]
}

export interface PhaseRecord {
  readonly name: string
  readonly state: PhaseState
  readonly startedAt: number | null
  readonly finishedAt: number | null
  /** Attempts that entered this phase, of this generation. */
  readonly attempts: number
  /** JSON text, once done. */
  readonly result: string | null
}

/** An attempt that ended other than completed, or the latest one. */
export interface AttemptRecord {
  readonly attempt: number
  readonly generation: number
  readonly startedAt: number
  readonly endedAt: number | null
  readonly outcome: AttemptOutcome | 'running' | 'completed'
  /** The phase it was in. */
  readonly phase: string
  readonly progress: number
  /** JSON text of an `AttemptError`, where there was an error. */
  readonly error: string | null
  /** When its code came to rest; null: it is not known to have. */
  readonly stoppedAt: number | null
  readonly stoppedBy: StoppedBy | null
  readonly worker: WorkerIdentity | null
}

export interface WorkerIdentity {
  readonly service: string
  readonly host: string
  readonly pid: number
}

export interface JobDetails extends JobSummary {
  /** JSON text; `INPUT_LOST`: there is none in the store any more. */
  readonly input: string
  /** JSON text; null unless completed. */
  readonly output: string | null
  readonly phases: readonly PhaseRecord[]
  /** Oldest first. */
  readonly attempts: readonly AttemptRecord[]
  /** Who runs it, or ran it last. */
  readonly worker: WorkerIdentity | null
}

export interface JobFilter {
  readonly states?: readonly JobState[]
  readonly type?: string
  readonly queue?: string
  readonly tenant?: string
  readonly owner?: string
  /** All of them have to match. */
  readonly labels?: Readonly<Record<string, string>>
}

export interface JobQuery extends JobFilter {
  readonly scope: Scope
  /** At most this many, newest first. */
  readonly limit: number
  /** The cursor of an earlier page's end; null: from the newest. */
  readonly after: string | null
}

export interface JobPage {
  readonly jobs: readonly JobSummary[]
  /** Where the next page starts; null: there is none. */
  readonly next: string | null
}

export type StateCounts = Readonly<Record<JobState, number>>

export interface JobStore {
  /** All or none: one transaction. */
  enqueue(jobs: readonly NewJob[]): Promise<readonly Enqueued[]>
  /** `forbidden`: it is there, but not for this member. */
  get(id: string, scope: Scope): Promise<JobDetails | 'not-found' | 'forbidden'>
  list(query: JobQuery): Promise<JobPage>
  counts(filter: JobFilter & { readonly scope: Scope }): Promise<StateCounts>
  /**
   * The present state of each; ids that are not there are left out. What waiting for jobs reads, for all who wait at once: whoever asks has let
   * each of them see the job before.
   */
  states(ids: readonly string[]): Promise<ReadonlyMap<string, JobState>>
}
