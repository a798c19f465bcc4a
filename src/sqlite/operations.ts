/**
 * What the store can be asked, by name: the calls that travel to its threads. Writes share transactions; each takes one call's arguments
 * and answers it, and refuses by what it returns. An exception undoes that call alone.
 */
import type { Claim } from '../core/job-row.ts'
import { PLANS } from '../core/plans.ts'
import type { Plan } from '../core/plan.ts'
import type { Scope } from '../core/scope.ts'
import type { ClaimRequest, PlanCall } from '../store/claims.ts'
import type { EventQuery } from '../store/events.ts'
import type { TypeRegistration } from '../store/job-types.ts'
import type { Enqueued, JobFilter, JobQuery, NewJob } from '../store/jobs.ts'
import type { NewSession } from '../store/sessions.ts'
import { applyCall } from './apply.ts'
import { getArtifact, listArtifacts } from './artifacts.ts'
import { claimJobs } from './claim.ts'
import { findInterruptions } from './claims.ts'
import type { Database } from './database.ts'
import { enqueueJobs } from './enqueue.ts'
import { latestPosition, readEvents } from './events.ts'
import { listTypes, registerTypes } from './job-types.ts'
import { countJobs, getJob, jobStates, listJobs } from './jobs.ts'
import { listQueues, pauseQueue, resumeQueue } from './queues.ts'
import { beat, endSession, listSessions, openSession } from './sessions.ts'
import { sweep } from './sweep.ts'
import type { Sweep } from './sweep.ts'

/** A plan call as it travels: the plan by name. */
export interface NamedPlanCall extends Omit<PlanCall, 'plan'> {
  readonly plan: string
}

const PLANS_BY_NAME: ReadonlyMap<string, Plan> = new Map(PLANS.map((plan) => [plan.name, plan]))

function named({ plan, ...call }: NamedPlanCall): PlanCall {
  const found = PLANS_BY_NAME.get(plan)
  if (found === undefined) throw new RangeError(`there is no plan ${plan}`)
  return { ...call, plan: found }
}

/** Thrown by a write that has an answer but must leave no trace. */
export class Undo extends Error {
  readonly answer: unknown

  constructor(answer: unknown) {
    super('undone on purpose')
    this.answer = answer
  }
}

function allOrNone(outcomes: readonly Enqueued[]): readonly Enqueued[] {
  if (outcomes.some(({ outcome }) => outcome === 'key-reused')) throw new Undo(outcomes)
  return outcomes
}

/** In the order in which the calls of one transaction are carried out: what frees or adds jobs comes before what claims them. */
export const WRITES = {
  'sessions.open': (db: Database, session: NewSession) => openSession(db, session),
  'sessions.beat': (db: Database, holder: number) => beat(db, holder),
  'jobTypes.register': (db: Database, [service, types]: readonly [string, readonly TypeRegistration[]]) =>
    registerTypes(db, service, types),
  'queues.pause': (db: Database, [name, actor]: readonly [string, string]) => pauseQueue(db, name, actor),
  'queues.resume': (db: Database, name: string) => resumeQueue(db, name),
  'claims.apply': (db: Database, call: NamedPlanCall) => applyCall(db, named(call)),
  // Changes nothing in the database: whoever keeps the beats stops them.
  'sessions.abandon': (_db: Database, _holder: number) => undefined,
  'sessions.end': (db: Database, holder: number) => endSession(db, holder),
  'jobs.enqueue': (db: Database, jobs: readonly NewJob[]) => allOrNone(enqueueJobs(db, jobs)),
  'claims.sweep': (db: Database, options: Sweep) => sweep(db, options),
  'claims.claim': (db: Database, request: ClaimRequest) => claimJobs(db, request),
} as const

export const READS = {
  'jobs.get': (db: Database, [id, scope]: readonly [string, Scope]) => getJob(db, id, scope),
  'jobs.list': (db: Database, query: JobQuery) => listJobs(db, query),
  'jobs.counts': (db: Database, filter: JobFilter & { readonly scope: Scope }) => countJobs(db, filter),
  'jobs.states': (db: Database, ids: readonly string[]) => jobStates(db, ids),
  'claims.interruptions': (db: Database, held: readonly Claim[]) => findInterruptions(db, held),
  'sessions.list': (db: Database) => listSessions(db),
  'jobTypes.list': (db: Database) => listTypes(db),
  'queues.list': (db: Database) => listQueues(db),
  'events.read': (db: Database, query: EventQuery) => readEvents(db, query),
  'events.latest': (db: Database) => latestPosition(db),
  'artifacts.list': (db: Database, [id, scope]: readonly [string, Scope]) => listArtifacts(db, id, scope),
  'artifacts.get': (db: Database, [id, scope]: readonly [string, Scope]) => getArtifact(db, id, scope),
  now: (db: Database) => db.readClock(),
} as const

export type WriteName = keyof typeof WRITES
export type ReadName = keyof typeof READS
export type OperationName = WriteName | ReadName

type Operations = typeof WRITES & typeof READS

export type Arguments<Name extends OperationName> = Parameters<Operations[Name]>[1]
export type Answer<Name extends OperationName> = ReturnType<Operations[Name]>

export function isWrite(name: OperationName): name is WriteName {
  return name in WRITES
}
