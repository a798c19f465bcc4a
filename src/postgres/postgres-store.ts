/** The store: which calls share a commit, and who is told of it. */
import type { MillraceError } from '../core/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Pulse } from '../runtime/pulse.ts'
import { NEVER, settlesBefore } from '../runtime/pause.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { ArtifactBytes, ArtifactStore } from '../store/artifacts.ts'
import type { AuditStore } from '../store/audit.ts'
import type { Claimed, ClaimRequest, ClaimStore, PlanCall, PlanResult } from '../store/claims.ts'
import type { CleanupTurnStore } from '../store/cleanup-turns.ts'
import type { EventStore } from '../store/events.ts'
import type { IntegrityStore } from '../store/integrity.ts'
import type { JobTypeStore, Registered, Transfer, Transferred, TypeRegistration } from '../store/job-types.ts'
import type { Enqueued, JobStore, NewJob } from '../store/jobs.ts'
import type { QueueStore } from '../store/queues.ts'
import type { RetentionStore } from '../store/retention.ts'
import { beatEveryMs } from '../store/sessions.ts'
import type { NewSession, SessionStore } from '../store/sessions.ts'
import { Listeners } from '../store/listeners.ts'
import type { Store } from '../store/store.ts'
import { applyCalls, weighCall } from './apply-calls.ts'
import { noteStop } from './attempt-stops.ts'
import { getArtifact, listArtifacts } from './artifacts.ts'
import { listAudit } from './audit.ts'
import type { ClaimConnection } from './claim-connection.ts'
import { ClaimCursors } from './claim-cursors.ts'
import { CLAIM_PACE, claimJobs } from './claim.ts'
import type { Claiming } from './claim.ts'
import { beginCleanupTurn, endCleanupTurn, keepCleanupTurn, latestCleanupTurn } from './cleanup-turns.ts'
import { findInterruptions } from './claims.ts'
import { NOW_ALONE } from './database.ts'
import type { Database } from './database.ts'
import { Enqueuer } from './enqueuer.ts'
import { noteEntities, readEvidence } from './evidence.ts'
import { latestPosition, placeCommits, readEvents } from './events.ts'
import { storeError } from './failures.ts'
import { findFaults, repairFault } from './faults.ts'
import { auditJob, auditJobs, dropStrays, findStrays, keptArtifacts, repairStoredJob } from './integrity.ts'
import type { Reader } from './integrity.ts'
import { Conflict, keepRefusal, listRefusals, listTypes, registerTypes, transferType } from './job-types.ts'
import { countJobs, getJob, jobStates, listJobs } from './jobs.ts'
import { keeperGone } from './keeper.ts'
import type { Keeper } from './keeper.ts'
import { GroupCommit } from './group-commit.ts'
import type { Names } from './names.ts'
import type { Notices } from './notices.ts'
import { listQueues, pauseQueue, resumeQueue } from './queues.ts'
import { artifactPaths, finishedJobs, purgeJobs, sweepUp } from './retention.ts'
import { drainSession, endSession, listSessions, openSession, sessionHolder, sessionsOfProcesses } from './sessions.ts'
import { Sweeper } from './sweep.ts'
import { takeJob } from './take.ts'
import { PostgresTransactions } from './transactions.ts'
import { storeClosed } from '../store/refusals.ts'

export interface PostgresStoreParts {
  readonly db: Database
  readonly runtime: Runtime
  readonly names: Names
  readonly logger: Logger
  readonly description: string
  readonly storeId: string
  readonly artifactBytes: ArtifactBytes
  /** The store's own connections. */
  readonly pools: { readonly claims: ClaimConnection; close(): Promise<void>; cut(): void }
  /** Beats while a session is open; null with a virtual clock. */
  readonly pulse: Pulse | null
}

/** So many calls share a commit at most: the first of them should not wait long for the last. */
const CALLS_A_COMMIT = 1_000
/** Beside the claims, which take connections too. */
const COMMITS_UNDER_WAY = 2

export class PostgresStore implements Store {
  readonly #parts: PostgresStoreParts
  readonly #listeners: Listeners
  readonly #onLost = new Map<number, () => void>()
  readonly #enqueuer: Enqueuer
  readonly #planCalls: GroupCommit<PlanCall, PlanResult>
  readonly #claiming: Claiming
  readonly #sweeper: Sweeper
  /** While listeners are told that new jobs are on their way. */
  #isAdding = false
  readonly #underWay = new Set<Promise<unknown>>()
  #keeper: Keeper | null = null
  #notices: Notices | null = null
  #transactions: PostgresTransactions | null = null
  #closing: Promise<void> | null = null

  constructor(parts: PostgresStoreParts) {
    this.#parts = parts
    const { db, names, logger, runtime, pools } = parts
    this.#listeners = new Listeners((cause) => logger.error('A listener of the store threw an error.', { cause }))
    const asError = (error: unknown): MillraceError => storeError(error, db.where)
    this.#claiming = { names, cursors: new ClaimCursors(runtime), connection: pools.claims }
    this.#sweeper = new Sweeper({ db, names, runtime, logger })
    this.#enqueuer = new Enqueuer({
      db,
      names,
      claiming: this.#claiming,
      asError,
      ride: () => (db.ownsConnections ? (this.#notices?.ride() ?? null) : null),
      onCommit: (told) => (told ? this.changed() : this.#committed()),
    })
    this.#planCalls = new GroupCommit({
      most: CALLS_A_COMMIT,
      lanes: COMMITS_UNDER_WAY,
      keyOf: ({ jobId }) => jobId,
      weigh: weighCall,
      run: (calls) => this.#apply(calls),
      asError,
    })
  }

  connect(keeper: Keeper, notices: Notices): void {
    const { db, names, storeId } = this.#parts
    this.#keeper = keeper
    this.#notices = notices
    this.#transactions = new PostgresTransactions({ db, names, notices, storeId, onCommit: () => this.#committed() })
  }

  get description(): string {
    return this.#parts.description
  }

  readonly jobs: JobStore = {
    enqueue: (jobs) => this.#enqueue(jobs),
    get: (id, scope) => this.#read(() => this.#db.read((tx) => getJob(tx, id, scope))),
    list: (query) => this.#read(() => this.#db.read((tx) => listJobs(tx, query))),
    counts: (filter) => this.#read(() => this.#db.read((tx) => countJobs(tx.rows, filter), { counts: true })),
    states: (ids) => this.#read(() => jobStates(this.#db.ask, ids)),
  }

  readonly claims: ClaimStore = {
    pace: CLAIM_PACE,
    claim: (request) => this.#read(() => this.#claim(request)),
    take: (request) =>
      this.#write(() => this.#db.write((tx) => takeJob(tx, this.#parts.names, request), { insists: true })),
    apply: (call) => (this.#closing === null ? this.#planCalls.call(call) : Promise.reject(storeClosed())),
    applyAll: async (calls) => {
      if (this.#closing !== null) throw storeClosed()
      const outcomes = await this.#planCalls.callAll(calls)
      return outcomes.map((outcome) => ('error' in outcome ? outcome : outcome.answer))
    },
    noteStop: (note) => this.#write(() => this.#db.write((tx) => noteStop(tx, note))),
    interruptions: (held) => this.#read(() => findInterruptions(this.#db.ask, held)),
    interruptionsNow: (held) => this.#keeper?.interruptionsNow(held) ?? null,
    sweep: (options) => this.#write(() => this.#sweeper.sweep(options)),
  }

  readonly sessions: SessionStore = {
    open: (session, onLost) => this.#write(() => this.#openSession(session, onLost)),
    drain: (holder) => this.#write(() => this.#drainSession(holder)),
    end: (holder) => {
      this.#drop(holder)
      return this.#write(() => this.#endSession(holder))
    },
    abandon: (holder) => {
      this.#drop(holder)
      return this.#db.onBegin?.() ?? Promise.resolve()
    },
    ofProcesses: (space) => this.#read(() => sessionsOfProcesses(this.#db.ask, space)),
    list: () => this.#read(() => listSessions(this.#db.ask)),
    holder: (holder) => this.#read(() => sessionHolder(this.#db.ask, holder)),
  }

  readonly jobTypes: JobTypeStore = {
    register: (service, registrations) => this.#write(() => this.#register(service, registrations)),
    transfer: (transfer) => this.#write(() => this.#transfer(transfer)),
    list: () => this.#read(() => listTypes(this.#db.ask)),
    refusals: () => this.#read(() => listRefusals(this.#db.ask)),
    evidence: (query) => this.#read(() => readEvidence(this.#db.ask, this.#db.virtualNow, query)),
    noteEntities: (notes) => this.#write(() => this.#db.write((tx) => noteEntities(tx, notes))),
  }

  readonly queues: QueueStore = {
    pause: (name, actor) => this.#write(() => this.#db.write((tx) => pauseQueue(tx, name, actor))),
    resume: (name, actor) => this.#write(() => this.#db.write((tx) => resumeQueue(tx, name, actor))),
    list: () => this.#read(() => listQueues(this.#db.ask)),
  }

  readonly events: EventStore = {
    read: (query) => this.#read(() => readEvents(this.#db, query)),
    latest: () => this.#read(() => latestPosition(this.#db)),
  }

  readonly retention: RetentionStore = {
    finished: (query) => this.#read(() => finishedJobs(this.#db.ask, query)),
    purge: (jobs) =>
      this.#write(async () => {
        // What has no place in the log yet keeps its commit, although it may have no events any more.
        await placeCommits(this.#db)
        return this.#db.write((tx) => purgeJobs(tx, jobs))
      }),
    sweepUp: (options) => this.#write(() => this.#db.write((tx) => sweepUp(tx, options))),
    artifactPaths: (ids) => this.#read(() => artifactPaths(this.#db.ask, ids)),
  }

  readonly cleanupTurns: CleanupTurnStore = {
    begin: (request) => this.#write(() => this.#db.write((tx) => beginCleanupTurn(tx, request))),
    keep: (key, leaseMs) => this.#read(() => this.#db.write((tx) => keepCleanupTurn(tx, key, leaseMs))),
    end: (key, report) => this.#write(() => this.#db.write((tx) => endCleanupTurn(tx, key, report))),
    latest: () => this.#read(() => latestCleanupTurn(this.#db.ask)),
  }

  readonly integrity: IntegrityStore = {
    audit: (page) => this.#read(() => auditJobs(this.#db.ask, page)),
    auditOne: (id, scope) => this.#read(() => auditJob(this.#db.ask, id, scope)),
    repairJob: (id) => this.#write(() => this.#db.write((tx) => repairStoredJob(tx, id))),
    strays: (belonging, page) => this.#read(() => findStrays(this.#reader, belonging, page)),
    dropStrays: (belonging, strays) => this.#write(() => this.#db.write((tx) => dropStrays(tx, belonging, strays))),
    faults: () => this.#read(() => findFaults(this.#db.ask, this.#db.schema)),
    repairFault: (fault) => this.#write(() => this.#db.script((run) => repairFault(run, fault))),
    artifacts: (page) => this.#read(() => keptArtifacts(this.#reader, page)),
  }

  get artifacts(): ArtifactStore {
    return {
      list: (id, scope) => this.#read(() => listArtifacts(this.#db.ask, id, scope)),
      get: (id, scope) => this.#read(() => getArtifact(this.#db.ask, id, scope)),
      bytes: this.#parts.artifactBytes,
    }
  }

  readonly audit: AuditStore = {
    list: (query) => this.#read(() => listAudit(this.#db.ask, query)),
  }

  get transactions(): PostgresTransactions {
    if (this.#transactions === null) throw new RangeError('the store has not been connected')
    return this.#transactions
  }

  now(): Promise<number> {
    return this.#read(async () => Number((await this.#db.ask(NOW_ALONE, this.#db.virtualNow))[0]?.['now']))
  }

  get #reader(): Reader {
    return { run: this.#db.ask, now: this.#db.virtualNow }
  }

  get #db(): Database {
    return this.#parts.db
  }

  /** Something that changes nothing, or tells of it by itself. */
  #read<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) return Promise.reject(storeClosed())
    const working = work()
    this.#underWay.add(working)
    const over = (): unknown => this.#underWay.delete(working)
    working.then(over, over)
    return working
  }

  /** Something that others may want to hear of. */
  #write<T>(work: () => Promise<T>): Promise<T> {
    return this.#read(async () => {
      const answer = await work()
      this.#committed()
      return answer
    })
  }

  #enqueue(jobs: readonly NewJob[]): Promise<readonly Enqueued[]> {
    const enqueued = this.#read(() => this.#enqueuer.add(jobs))
    const before = this.#isAdding
    this.#isAdding = this.#closing === null
    this.#listeners.enqueuing(jobs)
    this.#isAdding = before
    return enqueued
  }

  async #apply(calls: readonly PlanCall[]): Promise<readonly PlanResult[]> {
    const { names } = this.#parts
    // Names are not added from inside a transaction.
    for (const { phaseNames } of calls) if (phaseNames !== undefined) await names.internPhaseList(phaseNames)
    const results = await this.#db.write((tx) => applyCalls(tx, names, calls))
    this.#committed()
    return results
  }

  /** Asked for while it is told of new jobs, it goes along with them, or waits for them. */
  async #claim(request: ClaimRequest): Promise<Claimed> {
    const alongside = this.#isAdding ? await this.#enqueuer.takeAlong(request) : null
    if (alongside !== null) return alongside
    const claimed = await claimJobs(this.#db, this.#claiming, request)
    if (claimed.jobs.length > 0) this.#committed()
    return claimed
  }

  async #register(service: string, registrations: readonly TypeRegistration[]): Promise<Registered> {
    const { names } = this.#parts
    try {
      return await this.#db.write((tx) => registerTypes(tx, service, registrations))
    } catch (error) {
      const { cause } = error as { readonly cause?: unknown }
      if (!(cause instanceof Conflict)) throw error
      const { answer } = cause
      await this.#db.write((tx) => keepRefusal(tx, service, answer.type))
      return answer
    } finally {
      names.forgetTypes()
    }
  }

  async #transfer(transfer: Transfer): Promise<Transferred> {
    const transferred = await this.#db.write((tx) => transferType(tx, transfer))
    this.#parts.names.forgetTypes()
    return transferred
  }

  async #drainSession(holder: number): Promise<void> {
    await this.#db.onBegin?.()
    await drainSession(this.#db.rows, this.#db.virtualNow, holder)
  }

  async #endSession(holder: number): Promise<void> {
    await this.#db.onBegin?.()
    await endSession(this.#db.rows, this.#db.virtualNow, holder)
  }

  async #openSession(session: NewSession, onLost: () => void): Promise<void> {
    if (this.#keeper?.gone === true) throw keeperGone()
    this.#onLost.set(session.holder, onLost)
    this.#parts.pulse?.want(session.holder, beatEveryMs(session.leaseMs))
    try {
      await this.#db.onBegin?.()
      await openSession(this.#db.rows, this.#db.virtualNow, session)
      this.#keeper?.keep(session)
    } catch (error) {
      this.#forgetSession(session.holder)
      throw error
    }
  }

  #drop(holder: number): void {
    this.#forgetSession(holder)
    this.#keeper?.drop(holder)
  }

  #forgetSession(holder: number): void {
    this.#onLost.delete(holder)
    this.#parts.pulse?.unwant(holder)
  }

  sessionLost(holder: number): void {
    const onLost = this.#onLost.get(holder)
    this.#forgetSession(holder)
    if (onLost !== undefined) this.#listeners.guarded(onLost)
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.onChange(listener)
  }

  onEnqueue(listener: (jobs: readonly NewJob[]) => void): () => void {
    return this.#listeners.onEnqueue(listener)
  }

  #committed(): void {
    this.#notices?.tell()
    this.changed()
  }

  /** By this process or another. */
  changed(): void {
    this.#listeners.changed()
  }

  close(cut: AbortSignal = NEVER): Promise<void> {
    this.#closing ??= this.#close(cut)
    return this.#closing
  }

  async #close(cut: AbortSignal): Promise<void> {
    const { db, pools, pulse } = this.#parts
    const cutOff = (): void => {
      db.cut()
      pools.cut()
    }
    cut.addEventListener('abort', cutOff)
    if (cut.aborted) cutOff()
    await settlesBefore(cut, this.#transactions?.close() ?? DONE)
    this.#listeners.clear()
    pulse?.close()
    db.close()
    await settlesBefore(cut, Promise.allSettled([...this.#underWay, this.#planCalls.rest()]))
    await this.#keeper?.close()
    await settlesBefore(cut, this.#notices?.close() ?? DONE)
    await pools.close()
    cut.removeEventListener('abort', cutOff)
  }
}

const DONE = Promise.resolve()
