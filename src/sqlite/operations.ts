/**
 * What the store can be asked, by name: the calls that travel to its threads. Writes share transactions; each takes one call's arguments
 * and answers it, and refuses by what it returns. An exception undoes that call alone.
 */
import type { TurnRequest } from '../core/cleanup-turn.ts'
import type { MillraceError } from '../core/errors.ts'
import type { Claim } from '../core/job-row.ts'
import type { ProcessSpace } from '../core/process-death.ts'
import type { Scope } from '../core/scope.ts'
import type { StopNote } from '../store/attempt-stops.ts'
import type { AuditQuery } from '../store/audit.ts'
import type { ClaimRequest, SweepOptions, TakeRequest } from '../store/claims.ts'
import type { EventQuery } from '../store/events.ts'
import type { EntityNote, EvidenceQuery } from '../store/evidence.ts'
import type { Belonging, Page, StoreFault } from '../store/integrity.ts'
import type { Transfer, TypeRegistration } from '../store/job-types.ts'
import type { JobFilter, JobQuery } from '../store/jobs.ts'
import type { FinishedJob, FinishedQuery, SweepUp } from '../store/retention.ts'
import type { NewSession } from '../store/sessions.ts'
import { applyAlike, applyCalls } from './apply-calls.ts'
import { getArtifact, listArtifacts } from './artifacts.ts'
import { listAudit } from './audit.ts'
import { noteStop } from './attempt-stops.ts'
import { claimJobs } from './claim.ts'
import { beginCleanupTurn, endCleanupTurn, keepCleanupTurn, latestCleanupTurn } from './cleanup-turns.ts'
import { findInterruptions } from './claims.ts'
import type { Database } from './database.ts'
import { enqueueJobs } from './enqueue.ts'
import { noteEntities, readEvidence } from './evidence.ts'
import { latestPosition, readEvents } from './events.ts'
import { findFaults, repairFault } from './faults.ts'
import { auditJob, auditJobs, dropStrays, findStrays, keptArtifacts, repairStoredJob } from './integrity.ts'
import { listRefusals, listTypes, registerTypes, transferType } from './job-types.ts'
import { countJobs, getJob, jobStates, listJobs } from './jobs.ts'
import { packEnqueued, packResult, unpackCall, unpackNewJobs } from './packed-calls.ts'
import type { PackedCall, PackedEnqueued, PackedNewJobs, PackedResult } from './packed-calls.ts'
import { packError } from './packed-error.ts'
import { countCalls, packResults, singleCalls, unpackAlike } from './packed-runs.ts'
import type { AlikeCalls, PackedResults, PackedRuns, RunResults } from './packed-runs.ts'
import { listQueues, pauseQueue, resumeQueue } from './queues.ts'
import { artifactPaths, finishedJobs, purgeJobs, sweepUp } from './retention.ts'
import {
  beat,
  drainSession,
  endSession,
  listSessions,
  openSession,
  sessionHolder,
  sessionsOfProcesses,
} from './sessions.ts'
import { readStoreId } from './store-id.ts'
import { sweep } from './sweep.ts'
import { takeJob } from './take.ts'

/** Thrown by a write that has an answer but must leave no trace. */
export class Undo extends Error {
  readonly answer: unknown

  constructor(answer: unknown) {
    super('undone on purpose')
    this.answer = answer
  }
}

export type CallOutcome = { readonly answer: unknown } | { readonly error: MillraceError }

/** A write carries out all the calls of its kind in one transaction, and answers each. */
type Write<Argument, Answered> = (db: Database, calls: readonly Argument[]) => readonly Answered[]

function oneByOne<Argument, Answered>(
  write: (db: Database, argument: Argument) => Answered,
): Write<Argument, Answered> {
  return (db, calls) => calls.map((argument) => write(db, argument))
}

/** The jobs of all calls together, since they are written several at a time. A call is all or none. */
function enqueueAll(db: Database, calls: readonly PackedNewJobs[]): readonly PackedEnqueued[] {
  const lists = calls.map(unpackNewJobs)
  const outcomes = enqueueJobs(db, lists.flat())
  // Where there are several calls they are made again one by one, and this is thrown for the one that it is about.
  if (outcomes.some(({ outcome }) => outcome === 'key-reused')) throw new Undo(outcomes)
  let end = 0
  return lists.map(({ length }) => packEnqueued(outcomes.slice(end, (end += length))))
}

/** All that share the transaction, in their order: those that came one by one together, and those that came as alike too. */
function applyAll(db: Database, calls: readonly PackedRuns[]): readonly PackedResults[] {
  let waiting: { readonly call: PackedCall; readonly results: PackedResult[] }[] = []
  const applyWaiting = (): void => {
    const made = waiting
    waiting = []
    const results = applyCalls(
      db,
      made.map(({ call }) => unpackCall(call)),
    )
    made.forEach((each, index) => {
      const result = results[index]
      if (result !== undefined) each.results.push(packResult(result))
    })
  }
  const answers = calls.map((runs) =>
    runs.map((run): RunResults => {
      if ('rows' in run) {
        applyWaiting()
        return applyRun(db, run)
      }
      const results: PackedResult[] = []
      for (const call of run) waiting.push({ call, results })
      return results
    }),
  )
  applyWaiting()
  return answers.map(packResults)
}

function applyRun(db: Database, run: AlikeCalls): RunResults {
  const { call, rows, results } = run
  const all = applyAlike(db, { call: unpackCall(call), rows, results })
  if (all !== null) return { all: packResult(all), count: rows.length }
  return applyCalls(db, unpackAlike(run)).map(packResult)
}

/**
 * A call that stands for many, taken apart: where it fails, each of them is carried out by itself, so that only those that are at fault are
 * refused. Null: it stands for itself alone.
 */
export function partsOf(name: WriteName, args: unknown): readonly unknown[] | null {
  return standsForMany(name, args) ? singleCalls(args as PackedRuns) : null
}

/** Whether a call has parts. */
export function standsForMany(name: WriteName, args: unknown): boolean {
  return name === 'claims.apply' && countCalls(args as PackedRuns) > 1
}

/** The answer to such a call, from what came of its parts. */
export function joinParts(outcomes: readonly CallOutcome[]): PackedResults {
  return [
    outcomes.map((outcome) =>
      'error' in outcome ? { failed: packError(outcome.error) } : (outcome.answer as PackedResult),
    ),
  ]
}

/** In the order in which the calls of one transaction are carried out: what frees or adds jobs comes before what claims them. */
export const WRITES = {
  'sessions.open': oneByOne((db, session: NewSession) => openSession(db, session)),
  'sessions.beat': oneByOne((db, holder: number) => beat(db, holder)),
  'jobTypes.register': oneByOne((db, [service, types]: readonly [string, readonly TypeRegistration[]]) =>
    registerTypes(db, service, types),
  ),
  'jobTypes.transfer': oneByOne((db, transfer: Transfer) => transferType(db, transfer)),
  'jobTypes.noteEntities': oneByOne((db, notes: readonly EntityNote[]) => noteEntities(db, notes)),
  'queues.pause': oneByOne((db, [name, actor]: readonly [string, string]) => pauseQueue(db, name, actor)),
  'queues.resume': oneByOne((db, [name, actor]: readonly [string, string]) => resumeQueue(db, name, actor)),
  'claims.apply': applyAll,
  'claims.noteStop': oneByOne((db, note: StopNote) => noteStop(db, note)),
  // Changes nothing in the database: whoever keeps the beats stops them.
  'sessions.abandon': oneByOne((_db, _holder: number) => undefined),
  'sessions.drain': oneByOne((db, holder: number) => drainSession(db, holder)),
  'sessions.end': oneByOne((db, holder: number) => endSession(db, holder)),
  'jobs.enqueue': enqueueAll,
  'claims.sweep': oneByOne((db, options: SweepOptions) => sweep(db, options)),
  'claims.take': oneByOne((db, request: TakeRequest) => takeJob(db, request)),
  'retention.purge': oneByOne((db, jobs: readonly Pick<FinishedJob, 'id' | 'finishedAt'>[]) => purgeJobs(db, jobs)),
  'retention.sweepUp': oneByOne((db, options: SweepUp) => sweepUp(db, options)),
  'cleanupTurns.begin': oneByOne((db, request: TurnRequest) => beginCleanupTurn(db, request)),
  'cleanupTurns.keep': oneByOne((db, [key, leaseMs]: readonly [number, number]) => keepCleanupTurn(db, key, leaseMs)),
  'cleanupTurns.end': oneByOne((db, [key, report]: readonly [number, string | null]) =>
    endCleanupTurn(db, key, report),
  ),
  'integrity.repairJob': oneByOne((db, id: string) => repairStoredJob(db, id)),
  'integrity.dropStrays': oneByOne((db, [belonging, strays]: readonly [Belonging, readonly string[]]) =>
    dropStrays(db, belonging, strays),
  ),
  'integrity.repairFault': oneByOne((db, fault: Pick<StoreFault, 'code' | 'subject'>) => repairFault(db, fault)),
  'claims.claim': oneByOne((db, request: ClaimRequest) => claimJobs(db, request)),
} as const

export const READS = {
  'jobs.get': (db: Database, [id, scope]: readonly [string, Scope]) => getJob(db, id, scope),
  'jobs.list': (db: Database, query: JobQuery) => listJobs(db, query),
  'jobs.counts': (db: Database, filter: JobFilter & { readonly scope: Scope }) => countJobs(db, filter),
  'jobs.states': (db: Database, ids: readonly string[]) => jobStates(db, ids),
  'claims.interruptions': (db: Database, held: readonly Claim[]) => findInterruptions(db, held),
  'sessions.ofProcesses': (db: Database, space: ProcessSpace & { readonly host: string }) =>
    sessionsOfProcesses(db, space),
  'sessions.list': (db: Database) => listSessions(db),
  'sessions.holder': (db: Database, holder: number) => sessionHolder(db, holder),
  'jobTypes.list': (db: Database) => listTypes(db),
  'jobTypes.refusals': (db: Database) => listRefusals(db),
  'jobTypes.evidence': (db: Database, query: EvidenceQuery) => readEvidence(db, query),
  'queues.list': (db: Database) => listQueues(db),
  'events.read': (db: Database, query: EventQuery) => readEvents(db, query),
  'events.latest': (db: Database) => latestPosition(db),
  'artifacts.list': (db: Database, [id, scope]: readonly [string, Scope]) => listArtifacts(db, id, scope),
  'artifacts.get': (db: Database, [id, scope]: readonly [string, Scope]) => getArtifact(db, id, scope),
  'audit.list': (db: Database, query: AuditQuery) => listAudit(db, query),
  'retention.finished': (db: Database, query: FinishedQuery) => finishedJobs(db, query),
  'retention.artifactPaths': (db: Database, ids: readonly string[]) => artifactPaths(db, ids),
  'cleanupTurns.latest': (db: Database) => latestCleanupTurn(db),
  'integrity.audit': (db: Database, page: Page) => auditJobs(db, page),
  'integrity.auditOne': (db: Database, [id, scope]: readonly [string, Scope]) => auditJob(db, id, scope),
  'integrity.strays': (db: Database, [belonging, page]: readonly [Belonging, Page]) => findStrays(db, belonging, page),
  'integrity.faults': (db: Database) => findFaults(db),
  'integrity.artifacts': (db: Database, page: Page) => keptArtifacts(db, page),
  storeId: (db: Database) => readStoreId(db),
  now: (db: Database) => db.readClock(),
} as const

export type WriteName = keyof typeof WRITES
export type ReadName = keyof typeof READS
export type OperationName = WriteName | ReadName

type Writes = typeof WRITES
type Reads = typeof READS

export type Arguments<Name extends OperationName> = Name extends WriteName
  ? Parameters<Writes[Name]>[1][number]
  : Name extends ReadName
    ? Parameters<Reads[Name]>[1]
    : never

export type Answer<Name extends OperationName> = Name extends WriteName
  ? ReturnType<Writes[Name]>[number]
  : Name extends ReadName
    ? ReturnType<Reads[Name]>
    : never

export function isWrite(name: OperationName): name is WriteName {
  return name in WRITES
}
