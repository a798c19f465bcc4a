/** What the in-memory model keeps: plain records in Maps, and the few things that every aggregate does with them. */
import type { CleanupTurn } from '../../src/core/cleanup-turn.ts'
import type { ProcessMark } from '../../src/core/process-death.ts'
import type { EventName } from '../../src/core/events.ts'
import type { Claim, JobRow } from '../../src/core/job-row.ts'
import { decodeJson } from '../../src/core/json.ts'
import type { Json } from '../../src/core/json.ts'
import type { Plan } from '../../src/core/plan.ts'
import type { JobPolicy } from '../../src/core/policy.ts'
import type { ArtifactRecord } from '../../src/store/artifacts.ts'
import type { AuditRecord } from '../../src/store/audit.ts'
import type { EventRecord } from '../../src/store/events.ts'
import type { AttemptRecord, NewJob, WorkerIdentity } from '../../src/store/jobs.ts'
import type { RefusalRecord, TypeRecord } from '../../src/store/job-types.ts'
import type { QueueRecord } from '../../src/store/queues.ts'

/** When the model's clock starts: any instant will do. */
export const MODEL_EPOCH = 1_767_225_600_000

interface DonePhase {
  readonly generation: number
  /** The attempt that finished it. */
  readonly attempt: number
  readonly startedAt: number | null
  readonly finishedAt: number
  readonly result: string
}

export interface ModelJob {
  /** Place in the order of insertion. */
  readonly n: number
  readonly made: NewJob
  row: JobRow
  phaseNames: readonly string[]
  /** One for each phase that is done and had a checkpoint. */
  done: DonePhase[]
  /** JSON text; a retry may bring another. The idempotency key stays with the first. */
  input: string
  output: string | null
  /** Attempts that ended other than completed, and those that completed an earlier generation. */
  ended: AttemptRecord[]
  /** Keys of the sessions that held its attempts, by attempt. */
  readonly holders: Map<number, number>
  worker: WorkerIdentity | null
  updatedAt: number
}

interface ModelSession {
  readonly holder: number
  readonly identity: WorkerIdentity
  readonly concurrency: number
  readonly leaseMs: number
  readonly process: ProcessMark | null
  readonly types: readonly string[]
  readonly epoch: number
  readonly version: string | null
  readonly startedAt: number
  readonly onLost: () => void
  /** Who drives a job by hand under it; null: a worker's. */
  readonly hand: string | null
  beatAt: number
  expiresAt: number
  drainingSince: number | null
  endedAt: number | null
}

/** The model as one store sees it. Stores beside each other share everything but the sessions they keep alive. */
export interface ModelState {
  readonly jobs: Map<string, ModelJob>
  readonly types: Map<string, TypeRecord>
  /** Under the names of type and service. */
  readonly refusals: Map<string, RefusalRecord>
  /** Unfinished ones, by job. */
  readonly entities: Map<string, { readonly status: string; readonly notedAt: number }>
  readonly sessions: Map<number, ModelSession>
  readonly queues: Map<string, QueueRecord>
  readonly events: EventRecord[]
  readonly artifacts: ArtifactRecord[]
  readonly audit: AuditRecord[]
  /** Of artifacts, by their path. */
  readonly bytes: Map<string, Buffer>
  readonly listeners: Set<() => void>
  readonly clock: { at: number }
  readonly insertions: { latest: number }
  /** The position of the latest event. */
  readonly log: { latest: number }
  /** Jobs that were deleted, and until when their keys are held. */
  readonly gone: Map<string, { readonly row: JobRow; readonly made: NewJob; readonly heldUntil: number }>
  /** To clean up. */
  readonly turns: { latest: CleanupTurn | null }
  /** Sessions that this store beats for. */
  readonly kept: Set<number>
  readonly planted: Defect
}

/** A fault put into the model on purpose, to show that a comparison with it bites: the plan that it carries out for another. */
export type Defect = (plan: Plan) => Plan

export function emptyModel(planted: Defect): ModelState {
  return {
    jobs: new Map(),
    types: new Map(),
    refusals: new Map(),
    entities: new Map(),
    sessions: new Map(),
    queues: new Map(),
    events: [],
    artifacts: [],
    audit: [],
    bytes: new Map(),
    listeners: new Set(),
    clock: { at: MODEL_EPOCH },
    insertions: { latest: 0 },
    log: { latest: 0 },
    gone: new Map(),
    turns: { latest: null },
    kept: new Set(),
    planted,
  }
}

/** The highest that any type has; they begin with 1. */
export function presentEpoch({ types }: ModelState): number {
  return Math.max(1, ...[...types.values()].map(({ epoch }) => epoch))
}

/** The policy that counts for a type: what its owner registered, before that what a producer brought. */
export function policyOf(state: ModelState, job: ModelJob): JobPolicy {
  return state.types.get(job.made.type)?.policy ?? job.made.policy
}

export function isAlive(state: ModelState, holder: number): boolean {
  const session = state.sessions.get(holder)
  return session !== undefined && session.endedAt === null && session.expiresAt > state.clock.at
}

export function holdsClaim(job: ModelJob, claim: Claim): boolean {
  return job.row.holder === claim.holder && job.row.fence === claim.fence
}

export function isUniqueHeld(state: ModelState, { row, made }: ModelJob): boolean {
  return uniqueHolder(state, made, row.uniqueKey, row.id) !== undefined
}

/** The unfinished job that holds the unique key, other than `exceptId`. */
export function uniqueHolder(
  state: ModelState,
  { tenant, type }: NewJob,
  uniqueKey: string | null,
  exceptId: string | null,
): ModelJob | undefined {
  if (uniqueKey === null) return undefined
  return [...state.jobs.values()].find(
    ({ row, made }) =>
      row.finishedAt === null &&
      row.uniqueKey === uniqueKey &&
      made.tenant === tenant &&
      made.type === type &&
      row.id !== exceptId,
  )
}

/** The phase the job is in; the last one where only the completion is missing. */
export function presentPhase({ row, phaseNames }: ModelJob): string {
  return phaseNames[Math.min(row.phase, phaseNames.length - 1)] ?? ''
}

/** Appends an event with the sequence number that the row has already. */
export function appendEvent(state: ModelState, { row, made }: ModelJob, name: EventName, detail: string | null): void {
  state.log.latest += 1
  state.events.push({
    position: state.log.latest,
    jobId: row.id,
    type: made.type,
    tenant: row.tenant,
    owner: row.owner,
    seq: row.eventSeq,
    name,
    at: state.clock.at,
    attempt: row.attempt,
    detail,
  })
}

/** The caller's detail with the store's own facts in it. */
export function mergeDetail(detail: string | null, own: Readonly<Record<string, unknown>>): string | null {
  if (Object.keys(own).length === 0) return detail
  const told = detail === null ? {} : decodeJson(detail)
  return JSON.stringify({ ...(told as object), ...own })
}

/**
 * To be called first in every write: it beats for the sessions that were opened here, once a third of the lease has passed. A lease that ran
 * out while nobody looked is taken up again; whoever holds a session that was ended meanwhile learns of that.
 */
export function beat(state: ModelState): void {
  const { at } = state.clock
  for (const holder of state.kept) {
    const session = state.sessions.get(holder)
    if (session === undefined || at - session.beatAt < Math.floor(session.leaseMs / 3)) continue
    if (session.endedAt === null) {
      session.beatAt = at
      session.expiresAt = at + session.leaseMs
      continue
    }
    state.kept.delete(holder)
    session.onLost()
  }
}

export function commit(state: ModelState): void {
  for (const listener of state.listeners) queueMicrotask(listener)
}

interface OwnError {
  readonly name: string
  readonly message: string
  readonly code: string
  readonly verdict: { readonly fatal: boolean; readonly rule: string }
  readonly phase: string | null
  readonly progress: number
  readonly context?: Json
}

/** What the store itself says of an attempt that nobody is left to speak for. The wording of the message is the store's affair. */
export function ownError(
  { events }: ModelState,
  { row, phaseNames }: ModelJob,
  code: 'poison' | 'session-lost' | 'time-out' | 'job-cancelled' | 'lock-expired',
): OwnError {
  const verdict = { fatal: code === 'poison', rule: code }
  const phase = phaseNames[row.phase] ?? null
  const told = events.findLast(
    ({ jobId, attempt, name }) => jobId === row.id && attempt === row.attempt && name === 'job:progress',
  )
  const last = JSON.parse(told?.detail ?? '{}') as { readonly phase?: string | null; readonly context?: Json }
  const context = last.phase === phase && last.context !== undefined ? { context: last.context } : {}
  return { name: 'MillraceError', message: code, code, verdict, phase, progress: row.progress, ...context }
}
