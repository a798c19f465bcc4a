/** Jobs as applications read them: what a store keeps, with its JSON parsed. Instants are epoch milliseconds by the store's clock. */
import type { JobDefinition } from '../core/definition.ts'
import { decodeJson } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import type { PhaseState } from '../core/phases.ts'
import type { AttemptOutcome } from '../core/plan.ts'
import type { JobPolicy } from '../core/policy.ts'
import type { JobState } from '../core/states.ts'
import type { StoppedBy } from '../store/attempt-stops.ts'
import type { AttemptRecord, JobDetails, JobSummary, PhaseRecord, WorkerIdentity } from '../store/jobs.ts'
import type { OutputOf } from './job-values.ts'

/** A job without its bodies and its history: what lists hold. */
export interface ListedJob {
  readonly id: string
  readonly type: string
  readonly queue: string
  /** The service that owns the type; null: none has registered it yet. */
  readonly service: string | null
  readonly state: JobState
  /** `''`: it belongs to none. */
  readonly tenant: string
  readonly owner: string | null
  readonly labels: Readonly<Record<string, string>>
  /** Lower goes first. */
  readonly priority: number
  /** The idempotency key it was enqueued with. */
  readonly key: string | null
  /** The key that at most one unfinished job of its type and tenant has. */
  readonly unique: string | null
  /** 0 to 100. */
  readonly progress: number
  /** The phase that runs, failed or comes next; null: all are done. */
  readonly phase: string | null
  readonly phaseNames: readonly string[]
  /** How often it was claimed, over its whole life. */
  readonly attempt: number
  /** Failed attempts of this generation; `policy.maxAttempts` bounds them. */
  readonly failures: number
  /** Workers that died with this job as their suspect. */
  readonly strikes: number
  /** It was in flight when a worker died. */
  readonly suspect: boolean
  /** One life up to a final state; a retry begins the next. */
  readonly generation: number
  /** Grows with every claim and with every act that ends one from outside. */
  readonly fence: number
  /** Sequence number of its latest event. */
  readonly eventSeq: number
  readonly policy: JobPolicy
  readonly createdAt: number
  readonly updatedAt: number
  /** When it may start, or might have. */
  readonly runAt: number
  /** When its latest attempt began. */
  readonly startedAt: number | null
  readonly phaseStartedAt: number | null
  readonly finishedAt: number | null
  /** When the running attempt will have taken too long; null: never, or it does not run. */
  readonly deadlineAt: number | null
  /** When somebody asked for it to stop. It may have completed all the same. */
  readonly cancelRequestedAt: number | null
  /** When it was cancelled; null unless it is. */
  readonly cancelledAt: number | null
  readonly cancelledBy: string | null
  readonly cancelReason: string | null
}

/** A job with all that is known of it. */
export interface Job<Definition extends JobDefinition | undefined = JobDefinition | undefined> extends ListedJob {
  /** The input as it was enqueued, before any schema parsed it. Null too where a damaged store has lost it: `validate` tells. */
  readonly input: Json
  /** Null unless completed. Read with a definition that has an output schema, it is what the schema makes of it. */
  readonly output: OutputOf<Definition> | null
  /** The error of the latest attempt that ended with one in this generation; null: none did. */
  readonly error: JobError | null
  readonly phases: readonly JobPhase[]
  /** Attempts of this generation that were cut off, since their worker had died or lost the job. */
  readonly lostAttempts: number
  /** Attempts of this generation that a worker gave back unfinished, as at a shutdown. */
  readonly releasedAttempts: number
  /** Every attempt that ended other than completed, and the latest one. Oldest first. */
  readonly attempts: readonly JobAttempt[]
  /** Who runs it, or ran it last. */
  readonly worker: WorkerIdentity | null
}

export interface JobPhase {
  readonly name: string
  readonly state: PhaseState
  readonly startedAt: number | null
  readonly finishedAt: number | null
  /** Attempts of this generation that entered the phase. */
  readonly attempts: number
  /** What it returned; null unless it is done. */
  readonly result: Json | null
  /** The latest error of this generation in this phase; null once it is done. */
  readonly error: JobError | null
}

export interface JobAttempt {
  /** 1 is the first claim of the job's life. */
  readonly attempt: number
  readonly generation: number
  readonly startedAt: number
  readonly endedAt: number | null
  readonly outcome: AttemptOutcome | 'running' | 'completed'
  /** The phase it was in when it ended, or is in. */
  readonly phase: string
  /** The job's progress then, 0 to 100. */
  readonly progress: number
  readonly error: JobError | null
  /**
   * When its code came to rest: from then on nothing of it is executed. Null: it runs, or is not known to have stopped. An attempt may have
   * ended before, without its handler.
   */
  readonly stoppedAt: number | null
  /** `handler`: by itself. `terminate`: its thread was ended. `SIGTERM`, `SIGKILL`: its process was, by that signal. */
  readonly stoppedBy: StoppedBy | null
  readonly worker: WorkerIdentity | null
}

/** An error as it is kept with an attempt, and what was made of it. */
export interface JobError {
  readonly name: string
  readonly message: string
  readonly stack: string | null
  readonly code: string | null
  /** Whether trying again was of no use, and the rule that said so; null where no rule was asked. */
  readonly verdict: { readonly fatal: boolean; readonly rule: string; readonly retryAfterMs: number | null } | null
  /** What the handler told last beside its progress in the phase; of an attempt that was cut off, as the latest `job:progress` has it. */
  readonly context: Json | null
}

/** A store may hand out details where a summary is asked for, so what lists hold is named here. */
export function toListedJob(summary: JobSummary): ListedJob {
  return {
    id: summary.id,
    type: summary.type,
    queue: summary.queue,
    service: summary.service,
    state: summary.state,
    tenant: summary.tenant,
    owner: summary.owner,
    labels: summary.labels,
    priority: summary.priority,
    key: summary.key,
    unique: summary.uniqueKey,
    progress: summary.progress,
    phase: summary.phaseNames[summary.phase] ?? null,
    phaseNames: summary.phaseNames,
    attempt: summary.attempt,
    failures: summary.failures,
    strikes: summary.strikes,
    suspect: summary.suspect,
    generation: summary.generation,
    fence: summary.fence,
    eventSeq: summary.eventSeq,
    policy: summary.policy,
    createdAt: summary.createdAt,
    updatedAt: summary.updatedAt,
    runAt: summary.runAt,
    startedAt: summary.startedAt,
    phaseStartedAt: summary.phaseStartedAt,
    finishedAt: summary.finishedAt,
    deadlineAt: summary.deadlineAt,
    cancelRequestedAt: summary.cancelRequestedAt,
    cancelledAt: summary.state === 'cancelled' ? summary.finishedAt : null,
    cancelledBy: summary.cancelledBy,
    cancelReason: summary.cancelReason,
  }
}

/** The job with its output as it is stored. */
export function toJob(details: JobDetails): Job<undefined> {
  const attempts = details.attempts.map(toAttempt)
  const errors = attempts.filter(({ generation, error }) => generation === details.generation && error !== null)
  return {
    ...toListedJob(details),
    input: inputOf(details),
    output: details.output === null ? null : decodeJson(details.output),
    error: errors.at(-1)?.error ?? null,
    phases: details.phases.map((phase) => toPhase(phase, errors)),
    lostAttempts: countOf('lost', details),
    releasedAttempts: countOf('released', details),
    attempts,
    worker: details.worker,
  }
}

/** Whoever looks at a job whose input was lost is to see the rest of it. */
function inputOf({ input }: JobDetails): Json {
  try {
    return decodeJson(input)
  } catch {
    return null
  }
}

/** Neither counts as a failure: these have counters of their own, on the row. */
function countOf(wanted: AttemptOutcome, { attempts, generation }: JobDetails): number {
  return attempts.filter((attempt) => attempt.generation === generation && attempt.outcome === wanted).length
}

function toPhase({ result, ...phase }: PhaseRecord, errors: readonly JobAttempt[]): JobPhase {
  const latest = errors.findLast((attempt) => attempt.phase === phase.name)
  return {
    ...phase,
    result: result === null ? null : decodeJson(result),
    error: phase.state === 'done' ? null : (latest?.error ?? null),
  }
}

function toAttempt({ error, ...attempt }: AttemptRecord): JobAttempt {
  return { ...attempt, error: error === null ? null : toJobError(decodeJson(error)) }
}

/** Read with care: whatever an older or newer version wrote beside or left out. */
function toJobError(stored: Json): JobError {
  const error = asObject(stored)
  const verdict = asObject(error['verdict'] ?? null)
  return {
    name: asText(error['name']) ?? 'Error',
    message: asText(error['message']) ?? '',
    stack: asText(error['stack']),
    code: asText(error['code']),
    verdict: Object.keys(verdict).length === 0 ? null : toVerdict(verdict),
    context: error['context'] ?? null,
  }
}

function toVerdict(verdict: JsonObject): JobError['verdict'] {
  const { retryAfterMs } = verdict
  return {
    fatal: verdict['fatal'] === true,
    rule: asText(verdict['rule']) ?? 'unknown',
    retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : null,
  }
}

export interface JsonObject {
  readonly [key: string]: Json
}

/** The members of a JSON object; none where it is something else. */
export function asObject(json: Json): JsonObject {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Array.isArray does not narrow readonly arrays
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as JsonObject) : {}
}

function asText(json: Json | undefined): string | null {
  return typeof json === 'string' ? json : null
}
