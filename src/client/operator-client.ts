import type { JobDefinition } from '../core/definition.ts'
import { OPERATOR } from '../core/scope.ts'
import type { WorkerIdentity } from '../store/jobs.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { CallerConnection } from '../store/transactions.ts'
import { actsAs } from './as-user.ts'
import type { AsOptions } from './as-user.ts'
import { actorOf } from './asker.ts'
import type { ClientContext } from './client-context.ts'
import { enqueueInTransaction, requestOf } from './enqueue-jobs.ts'
import type { EnqueueResult } from './enqueue-jobs.ts'
import { JobClient } from './job-client.ts'
import type { DefinitionOf, InputAndOptions } from './job-values.ts'
import { checkName } from './names.ts'
import type { EnqueueOptions } from './new-job.ts'
import { checkOptions } from './option-values.ts'
import { findOwner, findProcessors, listOwners, transferType } from './owners.ts'
import type { TransferOptions, TypeOwner } from './owners.ts'

/** A queue that has had a job or was paused. */
export interface Queue {
  readonly name: string
  /** Epoch milliseconds; null: it is not paused. */
  readonly pausedAt: number | null
  readonly pausedBy: string | null
  /** When it was resumed last; null: it is paused, or never was. */
  readonly resumedAt: number | null
  readonly resumedBy: string | null
}

/** One running worker process, or one that ran. Instants are epoch milliseconds. */
export interface WorkerSession extends WorkerIdentity {
  /**
   * `blocked`: it lives, but its event loop stands still, so it takes and ends nothing. `draining`: it is being stopped, and takes no more jobs. `dead`: its lease ran out without an end; its jobs are
   * taken over.
   */
  readonly state: 'live' | 'blocked' | 'draining' | 'dead' | 'ended'
  readonly startedAt: number
  /** When it last gave a sign of life. */
  readonly beatAt: number
  readonly expiresAt: number
  readonly endedAt: number | null
  /** Since when its event loop has stood still, as its latest sign of life told; null: it turned then, or nobody can tell. */
  readonly blockedSince: number | null
  /** Since when it takes no more jobs, because it is being stopped; null: it was not, or had nothing left to wait for. */
  readonly drainingSince: number | null
  readonly concurrency: number
  /** Jobs that it runs. */
  readonly running: number
  /** The types that it has handlers for. */
  readonly types: readonly string[]
  /** Of the service's program, as `openMillrace` was told; null: it was not. */
  readonly version: string | null
}

/** A connection that answers at once, as those of `node:sqlite` and better-sqlite3 do. */
export interface SynchronousConnection {
  prepare(sql: string): object
  exec(sql: string): unknown
}

type ResultThrough<Connection, Target extends JobDefinition | string> = Connection extends SynchronousConnection
  ? EnqueueResult<DefinitionOf<Target>>
  : EnqueueResult<DefinitionOf<Target>> | Promise<EnqueueResult<DefinitionOf<Target>>>

export interface PauseOptions {
  /** Who pauses or resumes, 1 to 200 characters. Default `system`. */
  readonly actor?: string
}

/** What only the operator may: the acts above all tenants. */
export class OperatorClient extends JobClient {
  readonly #context: ClientContext

  /** @internal */
  constructor(context: ClientContext) {
    super(context, OPERATOR)
    this.#context = context
    context.lendTo(this)
  }

  /**
   * The same jobs as one user may see and touch them, and no acts of the operator. Whoever is asked for by somebody else goes through this: what
   * a caller may do is part of every statement. It costs nothing to make, and is closed with this Millrace.
   *
   * @example
   *     await mill.as({ tenant: 'acme', user: 'ann', role: 'member' }).cancel(id)
   * @throws InvalidInputError for a role, tenant or user that is none
   */
  as(options: AsOptions): JobClient {
    const { scope, user } = actsAs(options)
    return new JobClient(this.#context, scope, user)
  }

  /**
   * Adds a job through the application's own connection, inside the transaction that is open there: it is committed with it, and gone with it.
   * Where the connection is synchronous (SQLite) the answer is too. The schema must validate at once; a type that is given by name waits
   * in the queue of that name.
   *
   * @param connection to the same database: of `node:sqlite` (`DatabaseSync`) or better-sqlite3; on PostgreSQL a client of `pg`, or any `PostgresConnection`
   * @throws MillraceError `not-in-transaction`, `other-database`; what `enqueue` throws
   */
  enqueueIn<Connection extends CallerConnection, const Target extends JobDefinition | string>(
    connection: Connection,
    definition: Target,
    ...[input, options]: InputAndOptions<Target, EnqueueOptions>
  ): ResultThrough<Connection, Target> {
    const enqueuer = { context: this.#context, scope: OPERATOR }
    const result = enqueueInTransaction(enqueuer, connection, requestOf(definition, input, options))
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the result is of this definition
    return result as ResultThrough<Connection, Target>
  }

  /**
   * Runs a function in a write transaction on the application's own connection, while the store's own writer stands aside: committed when it
   * returns, rolled back when it throws. Inside, `enqueueIn` is the way to enqueue; any other act of this Millrace throws `tx-required`.
   */
  async transaction<T>(connection: CallerConnection, body: () => T | Promise<T>): Promise<T> {
    return this.#context.transact(connection, body)
  }

  /**
   * Nothing of the queue is claimed until it is resumed; what runs goes on.
   *
   * @returns whether that changed anything
   */
  async pauseQueue(name: string, options: PauseOptions = {}): Promise<boolean> {
    const { queues } = this.#context.writer('pauseQueue')
    return queues.pause(checkName(name, 'queue'), namedActor(options))
  }

  /** @returns whether that changed anything */
  async resumeQueue(name: string, options: PauseOptions = {}): Promise<boolean> {
    const { queues } = this.#context.writer('resumeQueue')
    return queues.resume(checkName(name, 'queue'), namedActor(options))
  }

  /** Every queue that is known, by name. */
  async queues(): Promise<readonly Queue[]> {
    return this.#context.reader().queues.list()
  }

  /** The sessions of workers, of all services and processes. */
  async workers(): Promise<readonly WorkerSession[]> {
    const store = this.#context.reader()
    const [now, records] = await Promise.all([store.now(), store.sessions.list()])
    return records.map((record) => workerSession(record, now))
  }

  /** Every type that is known, with the service that owns it, by name. */
  async owners(): Promise<readonly TypeOwner[]> {
    return listOwners(this.#context.reader())
  }

  /** @returns the service that owns the type; null: none does */
  async getJobOwner(type: string): Promise<string | null> {
    return findOwner(this.#context.reader(), type)
  }

  /**
   * The live workers that take jobs of the type.
   *
   * @param service only those of this service; a type has one, so the answer is all of them or none
   */
  async getProcessorsByJobType(type: string, service?: string): Promise<readonly WorkerSession[]> {
    const store = this.#context.reader()
    const [now, records] = await Promise.all([store.now(), findProcessors(store, type, service)])
    return records.map((record) => workerSession(record, now))
  }

  /**
   * Hands a type over to another service. The one before starts no job of it any more, in no process; what it runs goes on to its end. The
   * new one takes the type's jobs with the workers that it starts from now on.
   *
   * @throws ConflictError `owner-conflict` unless `from` is the present owner
   */
  async transferOwner(type: string, options: TransferOptions): Promise<TypeOwner> {
    return transferType(this.#context.writer('transferOwner'), type, options)
  }
}

/** An operator's client has no user: it may name any. */
function namedActor(options: PauseOptions): string {
  const { actor } = checkOptions(options, { actor: true }, 'options')
  return actorOf({ user: null }, actor)
}

function workerSession(record: SessionRecord, now: number): WorkerSession {
  return {
    service: record.service,
    host: record.host,
    pid: record.pid,
    state: sessionState(now, record),
    startedAt: record.startedAt,
    beatAt: record.beatAt,
    expiresAt: record.expiresAt,
    endedAt: record.endedAt,
    blockedSince: record.blockedSince,
    drainingSince: record.drainingSince,
    concurrency: record.concurrency,
    running: record.running,
    types: record.types,
    version: record.version,
  }
}

function sessionState(now: number, record: SessionRecord): WorkerSession['state'] {
  if (record.endedAt !== null) return 'ended'
  if (record.expiresAt <= now) return 'dead'
  if (record.blockedSince !== null) return 'blocked'
  return record.drainingSince === null ? 'live' : 'draining'
}
