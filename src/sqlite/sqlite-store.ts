import { rmSync } from 'node:fs'
import type { Scope } from '../core/scope.ts'
import type { MillraceError } from '../core/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Pulse } from '../runtime/pulse.ts'
import { NEVER, settlesBefore } from '../runtime/pause.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { ArtifactFolder } from '../store/artifact-folder.ts'
import type { ArtifactStore } from '../store/artifacts.ts'
import type { AuditStore } from '../store/audit.ts'
import type { CleanupTurnStore } from '../store/cleanup-turns.ts'
import type { CallAnswer, ClaimPace, ClaimStore, PlanCall, PlanResult } from '../store/claims.ts'
import type { EventStore } from '../store/events.ts'
import type { IntegrityStore } from '../store/integrity.ts'
import type { JobTypeStore } from '../store/job-types.ts'
import type { JobStore, NewJob } from '../store/jobs.ts'
import type { QueueStore } from '../store/queues.ts'
import type { RetentionStore } from '../store/retention.ts'
import { beatEveryMs } from '../store/sessions.ts'
import type { NewSession, SessionStore } from '../store/sessions.ts'
import { Listeners } from '../store/listeners.ts'
import type { Store } from '../store/store.ts'
import type { Durability } from './driver.ts'
import type { Link, LinkEvents, Links } from './link.ts'
import { IN_MEMORY } from './location.ts'
import { packCall, packNewJobs, unpackEnqueued } from './packed-calls.ts'
import { inWaves, packRuns, unpackResults } from './packed-runs.ts'
import type { PackedResults, PackedRuns } from './packed-runs.ts'
import { unpackClaim } from './packed-claim.ts'
import { SqliteTransactions } from './transactions.ts'
import { storeClosed } from '../store/refusals.ts'

export interface ArtifactPlace {
  readonly folder: ArtifactFolder
  /** Gone with the store. */
  readonly temporary: boolean
}

export interface SqliteStoreParts {
  readonly file: string
  readonly logger: Logger
  readonly runtime: Runtime
  readonly clock: () => number
  readonly durability: Durability
  readonly artifacts: ArtifactPlace
  /** Beats while a session is open; null with a virtual clock. */
  readonly pulse: Pulse | null
}

/** Each link tells its own events. */
export type OpenLinks = (writer: LinkEvents, reader: LinkEvents) => Promise<Links>

interface Callable {
  readonly writer: Pick<Link, 'call'>
  readonly reader: Pick<Link, 'call' | 'ask'>
}

/** More jobs in one answer would hold up the event loop while they begin; while the writer has one claim in hand, the others travel. */
const CLAIM_PACE: ClaimPace = { claims: 4, jobs: 500 }
const closedLink: Pick<Link, 'call' | 'ask'> = { call: () => Promise.reject(storeClosed()), ask: () => undefined }
const CLOSED: Callable = { writer: closedLink, reader: closedLink }

export class SqliteStore implements Store {
  readonly #parts: SqliteStoreParts
  readonly #listeners: Listeners
  readonly #onLost = new Map<number, () => void>()
  #links: Links | null = null
  #transactions: SqliteTransactions | null = null
  #closing: Promise<void> | null = null

  constructor(parts: SqliteStoreParts) {
    this.#parts = parts
    this.#listeners = new Listeners((cause) => parts.logger.error('A listener of the store threw an error.', { cause }))
  }

  async connect(open: OpenLinks): Promise<void> {
    const { file, clock, runtime } = this.#parts
    const onCommit = (): void => this.#listeners.changed()
    const events: LinkEvents = {
      onCommit,
      onSessionLost: (holder) => this.#sessionLost(holder),
      onBroken: (error) => this.#broken(error),
    }
    // Nobody beats any more for the sessions of a writer that has died.
    const onBroken = (error: MillraceError): void => {
      this.#broken(error)
      for (const holder of this.#onLost.keys()) this.#sessionLost(holder)
    }
    this.#links = await open({ ...events, onBroken }, events)
    this.#transactions = new SqliteTransactions({ file, clock, runtime, onCommit, link: this.#links.writer })
  }

  get #open(): Callable {
    if (this.#links === null) throw new RangeError('the store has not been connected')
    return this.#closing === null ? this.#links : CLOSED
  }

  get description(): string {
    const { file, durability } = this.#parts
    const kept = file === IN_MEMORY ? 'in memory' : `WAL, synchronous ${durability.toUpperCase()}`
    return `sqlite:${file} (SQLite ${this.#links?.writer.sqliteVersion ?? '?'}, ${kept})`
  }

  readonly jobs: JobStore = {
    enqueue: (jobs) => {
      const enqueued = this.#open.writer.call('jobs.enqueue', packNewJobs(jobs), (packed) =>
        unpackEnqueued(packed, jobs),
      )
      this.#listeners.enqueuing(jobs)
      return enqueued
    },
    get: (id, scope) => this.#open.reader.call('jobs.get', [id, scope]),
    list: (query) => this.#open.reader.call('jobs.list', query),
    counts: (filter) => this.#open.reader.call('jobs.counts', filter),
    states: (ids) => this.#open.reader.call('jobs.states', ids),
  }

  readonly claims: ClaimStore = {
    pace: CLAIM_PACE,
    claim: (request) =>
      this.#open.writer.call('claims.claim', request, (packed) => unpackClaim(packed, request.holder)),
    take: (request) => this.#open.writer.call('claims.take', request),
    apply: (call) => this.#open.writer.call('claims.apply', [[packCall(call)]], unpackOnly),
    applyAll: (calls) => this.#applyAll(calls),
    noteStop: (note) => this.#open.writer.call('claims.noteStop', note),
    interruptions: (held) => this.#open.reader.call('claims.interruptions', held),
    interruptionsNow: (held) => this.#open.reader.ask('claims.interruptions', held) ?? null,
    sweep: (options) => this.#open.writer.call('claims.sweep', options),
  }

  readonly sessions: SessionStore = {
    open: (session, onLost) => this.#openSession(session, onLost),
    drain: (holder) => this.#open.writer.call('sessions.drain', holder),
    end: (holder) => {
      this.#forget(holder)
      return this.#open.writer.call('sessions.end', holder)
    },
    abandon: (holder) => {
      this.#forget(holder)
      return this.#open.writer.call('sessions.abandon', holder)
    },
    ofProcesses: (space) => this.#open.reader.call('sessions.ofProcesses', space),
    list: () => this.#open.reader.call('sessions.list', undefined),
    holder: (holder) => this.#open.reader.call('sessions.holder', holder),
  }

  readonly jobTypes: JobTypeStore = {
    register: (service, registrations) => this.#open.writer.call('jobTypes.register', [service, registrations]),
    transfer: (transfer) => this.#open.writer.call('jobTypes.transfer', transfer),
    list: () => this.#open.reader.call('jobTypes.list', undefined),
    refusals: () => this.#open.reader.call('jobTypes.refusals', undefined),
    evidence: (query) => this.#open.reader.call('jobTypes.evidence', query),
    noteEntities: (notes) => this.#open.writer.call('jobTypes.noteEntities', notes),
  }

  readonly queues: QueueStore = {
    pause: (name, actor) => this.#open.writer.call('queues.pause', [name, actor]),
    resume: (name, actor) => this.#open.writer.call('queues.resume', [name, actor]),
    list: () => this.#open.reader.call('queues.list', undefined),
  }

  readonly events: EventStore = {
    read: (query) => this.#open.reader.call('events.read', query),
    latest: () => this.#open.reader.call('events.latest', undefined),
  }

  readonly retention: RetentionStore = {
    finished: (query) => this.#open.reader.call('retention.finished', query),
    purge: (jobs) => this.#open.writer.call('retention.purge', jobs),
    sweepUp: (options) => this.#open.writer.call('retention.sweepUp', options),
    artifactPaths: (ids) => this.#open.reader.call('retention.artifactPaths', ids),
  }

  readonly cleanupTurns: CleanupTurnStore = {
    begin: (request) => this.#open.writer.call('cleanupTurns.begin', request),
    keep: (key, leaseMs) => this.#open.writer.call('cleanupTurns.keep', [key, leaseMs]),
    end: (key, report) => this.#open.writer.call('cleanupTurns.end', [key, report]),
    latest: () => this.#open.reader.call('cleanupTurns.latest', undefined),
  }

  readonly integrity: IntegrityStore = {
    audit: (page) => this.#open.reader.call('integrity.audit', page),
    auditOne: (id, scope) => this.#open.reader.call('integrity.auditOne', [id, scope]),
    repairJob: (id) => this.#open.writer.call('integrity.repairJob', id),
    strays: (belonging, page) => this.#open.reader.call('integrity.strays', [belonging, page]),
    dropStrays: (belonging, strays) => this.#open.writer.call('integrity.dropStrays', [belonging, strays]),
    faults: () => this.#open.reader.call('integrity.faults', undefined),
    repairFault: (fault) => this.#open.writer.call('integrity.repairFault', fault),
    artifacts: (page) => this.#open.reader.call('integrity.artifacts', page),
  }

  get artifacts(): ArtifactStore {
    return {
      list: (id: string, scope: Scope) => this.#open.reader.call('artifacts.list', [id, scope]),
      get: (id: string, scope: Scope) => this.#open.reader.call('artifacts.get', [id, scope]),
      bytes: this.#parts.artifacts.folder,
    }
  }

  readonly audit: AuditStore = {
    list: (query) => this.#open.reader.call('audit.list', query),
  }

  get transactions(): SqliteTransactions {
    if (this.#transactions === null) throw new RangeError('the store has not been connected')
    return this.#transactions
  }

  /** See `readStoreId`. */
  storeId(): Promise<string> {
    return this.#open.reader.call('storeId', undefined)
  }

  now(): Promise<number> {
    return this.#open.reader.call('now', undefined)
  }

  /** Nothing here awaits an answer, which would keep the calls alive until it is there. */
  #applyAll(calls: readonly PlanCall[]): Promise<readonly CallAnswer[]> {
    const order = inWaves(calls)
    if (order === null) return this.#applyRuns(packRuns(calls))
    return this.#applyRuns(packRuns(inOrderOf(order, calls))).then((answers) => inPlaceOf(order, answers))
  }

  #applyRuns(runs: PackedRuns): Promise<readonly CallAnswer[]> {
    return this.#open.writer.call('claims.apply', runs, unpackResults)
  }

  async #openSession(session: NewSession, onLost: () => void): Promise<void> {
    this.#onLost.set(session.holder, onLost)
    this.#parts.pulse?.want(session.holder, beatEveryMs(session.leaseMs))
    try {
      await this.#open.writer.call('sessions.open', session)
    } catch (error) {
      this.#forget(session.holder)
      throw error
    }
  }

  #forget(holder: number): void {
    this.#onLost.delete(holder)
    this.#parts.pulse?.unwant(holder)
  }

  #sessionLost(holder: number): void {
    const onLost = this.#onLost.get(holder)
    this.#forget(holder)
    if (onLost !== undefined) this.#listeners.guarded(onLost)
  }

  #broken(error: MillraceError): void {
    this.#parts.logger.error(error.message, { code: error.code, cause: error.cause })
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.onChange(listener)
  }

  onEnqueue(listener: (jobs: readonly NewJob[]) => void): () => void {
    return this.#listeners.onEnqueue(listener)
  }

  close(cut: AbortSignal = NEVER): Promise<void> {
    this.#closing ??= this.#close(cut)
    return this.#closing
  }

  async #close(cut: AbortSignal): Promise<void> {
    if (this.#links === null) return
    const { writer, reader } = this.#links
    if (this.#transactions !== null) await settlesBefore(cut, this.#transactions.close())
    this.#listeners.clear()
    this.#parts.pulse?.close()
    if (reader !== writer) await reader.close(cut)
    await writer.close(cut)
    const { folder, temporary } = this.#parts.artifacts
    if (temporary) rmSync(folder.path, { recursive: true, force: true })
  }
}

function unpackOnly(packed: PackedResults): PlanResult {
  const [answer] = unpackResults(packed)
  if (answer === undefined || 'error' in answer) throw new RangeError('a single call was not answered')
  return answer
}

function inOrderOf<Call>(order: readonly number[], calls: readonly Call[]): readonly Call[] {
  return order.flatMap((index) => calls[index] ?? [])
}

/** Back from the order in which the calls were made. */
function inPlaceOf<Result>(order: readonly number[], results: readonly Result[]): readonly Result[] {
  const placed: Result[] = []
  results.forEach((result, position) => (placed[order[position] ?? position] = result))
  return placed
}
