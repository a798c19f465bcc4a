/** A connection with what belongs to it: prepared statements, the transaction's time, names looked up once. */
import type { JobPolicy } from '../core/policy.ts'
import type { StoredType } from '../store/job-types.ts'
import { policyEncoder } from '../store/policy-text.ts'
import { storedType } from '../store/records.ts'
import type { Connection, Row, SqlValue, Statement } from './driver.ts'

/** A clock that steps back less than this stands still instead; a larger step is believed. */
const LARGEST_STANDSTILL_MS = 60_000

export class Database {
  readonly connection: Connection
  readonly #clock: () => number
  readonly #statements = new Map<string, Statement>()
  readonly #types = new Map<string, StoredType>()
  readonly #typeNames = new Map<number, string>()
  readonly #lanes = new Map<string, number>()
  readonly #laneQueues = new Map<number, string>()
  readonly #phaseLists = new Map<string, number>()
  readonly #phaseNames = new Map<number, readonly string[]>()
  readonly #policyText = policyEncoder()
  #anyLabels: boolean | null = null
  #dataVersion = -1
  #othersCommitted = false
  #lastNow = 0
  /** The present transaction's time, epoch milliseconds. */
  now = 0

  /** False: the connection is the application's, and its driver may know fewer kinds of statements than ours. */
  readonly isOwn: boolean

  constructor(connection: Connection, clock: () => number, isOwn: boolean = true) {
    this.connection = connection
    this.#clock = clock
    this.isOwn = isOwn
  }

  statement(sql: string): Statement {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const prepared = this.connection.prepare(sql)
    this.#statements.set(sql, prepared)
    return prepared
  }

  get(sql: string, ...values: readonly SqlValue[]): Row | undefined {
    return this.statement(sql).get(...values)
  }

  all(sql: string, ...values: readonly SqlValue[]): readonly Row[] {
    return this.statement(sql).all(...values)
  }

  /** The rows as lists of their columns, which costs less than objects. A statement is asked in one way only. */
  lists(sql: string, ...values: readonly SqlValue[]): readonly (readonly SqlValue[])[] {
    const known = this.#statements.get(sql)
    const statement = known ?? this.statement(sql)
    if (known === undefined) statement.setReturnArrays?.(true)
    return statement.all(...values) as unknown as readonly (readonly SqlValue[])[]
  }

  run(sql: string, ...values: readonly SqlValue[]): number {
    return Number(this.statement(sql).run(...values).changes)
  }

  /** The integer key of the row that was added. */
  insert(sql: string, ...values: readonly SqlValue[]): number {
    return Number(this.statement(sql).run(...values).lastInsertRowid)
  }

  /**
   * To be called first in each transaction, with the lock held: reads the clock once, and forgets what another connection may have changed.
   * Answers whether another one has committed since the last time.
   */
  beginUnit(): boolean {
    const others = this.checkDataVersion()
    const read = this.#clock()
    const behind = this.#lastNow - read
    this.now = behind > 0 && behind <= LARGEST_STANDSTILL_MS ? this.#lastNow : read
    this.#lastNow = this.now
    return others
  }

  /** Whether another connection has committed since this was last called. */
  checkDataVersion(): boolean {
    const version = Number(this.get('PRAGMA data_version')?.['data_version'])
    if (version === this.#dataVersion) return false
    const first = this.#dataVersion === -1
    this.#dataVersion = version
    this.forget()
    const last = Number(this.get(LATEST_EVENT_AT)?.['at'] ?? 0)
    if (last > this.#lastNow) this.#lastNow = last
    if (!first) this.#othersCommitted = true
    return !first
  }

  /** Whether another connection has been seen to commit since this was last called. */
  takeOthersCommitted(): boolean {
    const seen = this.#othersCommitted
    this.#othersCommitted = false
    return seen
  }

  /** How many rows this connection has ever changed. */
  totalChanges(): number {
    return Number(this.get('SELECT total_changes() AS changes')?.['changes'])
  }

  /** The clock outside a transaction. */
  readClock(): number {
    return Math.max(this.#clock(), this.now)
  }

  /** After a rollback: what was looked up or added in it may not be there. */
  forget(): void {
    this.#anyLabels = null
    this.#types.clear()
    this.#typeNames.clear()
    this.#lanes.clear()
    this.#laneQueues.clear()
    this.#phaseLists.clear()
    this.#phaseNames.clear()
  }

  findType(name: string): StoredType | undefined {
    const known = this.#types.get(name)
    if (known !== undefined) return known
    const row = this.get('SELECT n, name, service, queue, policy FROM millrace_types WHERE name = ?', name)
    return row === undefined ? undefined : this.#keepType(row)
  }

  /** The type's row, made from the producer's copy where it is new or nobody has registered it. */
  internType(name: string, queue: string, policy: JobPolicy): StoredType {
    const known = this.findType(name)
    if (known?.service != null) return known
    const text = this.#policyText(policy)
    if (known?.policyText === text && known.queue === queue) return known
    const row = this.get(PUT_PRODUCER_TYPE, name, queue, text)
    if (row === undefined) throw new RangeError(`type ${name} was not stored`)
    return this.#keepType(row)
  }

  #keepType(row: Row): StoredType {
    const entry = storedType(row)
    this.#types.set(entry.name, entry)
    this.#typeNames.set(entry.n, entry.name)
    return entry
  }

  typeName(n: number): string {
    const known = this.#typeNames.get(n)
    if (known !== undefined) return known
    const row = this.get('SELECT n, name, service, queue, policy FROM millrace_types WHERE n = ?', n)
    if (row === undefined) throw new RangeError(`there is no type ${n}`)
    return this.#keepType(row).name
  }

  internLane(type: number, queue: string): number {
    const name = `${type} ${queue}`
    const known = this.#lanes.get(name)
    if (known !== undefined) return known
    const { n: queueN } = this.get(PUT_QUEUE, queue) ?? {}
    const lane = Number(this.get(PUT_LANE, type, Number(queueN))?.['n'])
    this.#lanes.set(name, lane)
    return lane
  }

  queueOfLane(lane: number): string {
    const known = this.#laneQueues.get(lane)
    if (known !== undefined) return known
    const queue = String(this.get(QUEUE_OF_LANE, lane)?.['name'])
    this.#laneQueues.set(lane, queue)
    return queue
  }

  /** Whether any job has labels at all: most stores have none, and then a claim need not look for them. */
  anyLabels(): boolean {
    this.#anyLabels ??= this.get(ANY_LABEL) !== undefined
    return this.#anyLabels
  }

  /** To be called when this connection adds labels. */
  noteLabels(): void {
    this.#anyLabels = null
  }

  internPhaseList(names: readonly string[]): number {
    const text = JSON.stringify(names)
    const known = this.#phaseLists.get(text)
    if (known !== undefined) return known
    const n = Number(this.get(PUT_PHASE_LIST, text)?.['n'])
    this.#phaseLists.set(text, n)
    return n
  }

  phaseNames(list: number): readonly string[] {
    const known = this.#phaseNames.get(list)
    if (known !== undefined) return known
    const names = JSON.parse(
      String(this.get('SELECT names FROM millrace_phase_lists WHERE n = ?', list)?.['names']),
    ) as readonly string[]
    this.#phaseNames.set(list, names)
    return names
  }
}

const ANY_LABEL = 'SELECT 1 FROM millrace_labels LIMIT 1'
const LATEST_EVENT_AT =
  'SELECT iif(ifnull((SELECT max(position) FROM millrace_events), 0) > ifnull((SELECT max(position) FROM millrace_event_lists), 0), ' +
  '(SELECT at FROM millrace_events ORDER BY position DESC LIMIT 1), (SELECT at FROM millrace_event_lists ORDER BY position DESC LIMIT 1)) AS at'

const PUT_PRODUCER_TYPE =
  'INSERT INTO millrace_types (name, queue, policy) VALUES (?, ?, ?) ' +
  'ON CONFLICT (name) DO UPDATE SET queue = excluded.queue, policy = excluded.policy WHERE service IS NULL ' +
  'RETURNING n, name, service, queue, policy'

// A conflict that updates nothing would return nothing: these set a column to itself.
const PUT_QUEUE =
  'INSERT INTO millrace_queues (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING n'
const PUT_LANE =
  'INSERT INTO millrace_lanes (type, queue) VALUES (?, ?) ON CONFLICT (type, queue) DO UPDATE SET type = excluded.type RETURNING n'
const QUEUE_OF_LANE = 'SELECT q.name FROM millrace_lanes AS l JOIN millrace_queues AS q ON q.n = l.queue WHERE l.n = ?'
const PUT_PHASE_LIST =
  'INSERT INTO millrace_phase_lists (names) VALUES (?) ON CONFLICT (names) DO UPDATE SET names = excluded.names RETURNING n'
