import { DEFAULTS } from '../core/limits.ts'
import type { Enqueued, NewJob } from '../store/jobs.ts'
import { INPUT, inlineBody, keepLongBody } from './bodies.ts'
import { STATE_CODES, stateOf } from '../store/codes.ts'
import type { Database } from './database.ts'
import type { StoredType } from '../store/job-types.ts'
import type { Row, SqlValue } from './driver.ts'
import { LONGEST_LIST, nextPosition, writeList } from './event-lists.ts'
import { CREATED } from '../store/event-lists.ts'
import { idFromBytes } from './ids.ts'
import { inputHash } from '../store/input-hash.ts'

/** Adds the jobs in their order. Must run in a transaction; the caller undoes it where an outcome is `key-reused`. */
export function enqueueJobs(db: Database, jobs: readonly NewJob[]): readonly Enqueued[] {
  const insertion = new Insertion(db)
  const outcomes = jobs.map((job) => enqueueJob(db, job, insertion))
  insertion.finish()
  return outcomes
}

function enqueueJob(db: Database, job: NewJob, insertion: Insertion): Enqueued {
  const type = db.internType(job.type, job.queue, job.policy)
  if (job.key !== null || job.uniqueKey !== null) {
    // Whoever holds the key may be among those that have not been written yet.
    insertion.flush()
    const duplicate = byKey(db, type, job) ?? byUniqueKey(db, type, job)
    if (duplicate !== null) return duplicate
  }
  const runAt = job.runAt ?? db.now + job.delayMs
  const state = runAt > db.now ? 'scheduled' : 'queued'
  insertion.add({ job, type, state, runAt })
  return { outcome: 'created', id: job.id, state }
}

const FIND_KEY =
  'SELECT k.job, k.input_hash, k.held_until, j.state FROM millrace_keys AS k LEFT JOIN millrace_jobs AS j ON j.id = k.job ' +
  'WHERE k.tenant = ? AND k.type = ? AND k.key = ?'

function byKey(db: Database, type: StoredType, job: NewJob): Enqueued | null {
  if (job.key === null) return null
  const row = db.get(FIND_KEY, job.tenant, type.n, job.key)
  if (row === undefined || isFree(row, db.now)) return null
  const id = idFromBytes(row['job'])
  const sameInput = inputHash(job.input).equals(row['input_hash'] as Uint8Array)
  if (!sameInput) return { outcome: 'key-reused', id }
  return { outcome: 'duplicate', id, state: row['state'] === null ? 'deleted' : stateOf(row['state']) }
}

function isFree(row: Row, now: number): boolean {
  return row['state'] === null && Number(row['held_until']) <= now
}

const FIND_UNIQUE =
  'SELECT id, state FROM millrace_jobs WHERE type = ? AND tenant = ? AND unique_key = ? AND unique_key IS NOT NULL AND finished_at IS NULL'

function byUniqueKey(db: Database, type: StoredType, job: NewJob): Enqueued | null {
  if (job.uniqueKey === null) return null
  const row = db.get(FIND_UNIQUE, type.n, job.tenant, job.uniqueKey)
  return row === undefined ? null : { outcome: 'duplicate', id: idFromBytes(row['id']), state: stateOf(row['state']) }
}

interface NewRow {
  readonly job: NewJob
  readonly type: StoredType
  readonly state: 'scheduled' | 'queued'
  readonly runAt: number
}

/**
 * Rows are written several at a time, which takes half as long as one by one; more than this at a time takes longer again. What they have
 * in common is bound once. Integer keys count on within a transaction, since nobody else can add a job meanwhile.
 */
const ROWS_A_STATEMENT = 10

const COLUMNS =
  'type, lane, state, priority, run_at, phase_count, phase_list, created_at, updated_at, tenant, owner, unique_key, idempotency_key, created_in, id, input'
const SHARED = 13
const OWN = 2

function insertSql(rows: number): string {
  const shared = '?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11, ?12, ?13'
  const places = Array.from({ length: rows }, (_, row) => {
    const first = SHARED + row * OWN
    return `(${shared}, unhex(?${first + 1}, '-'), ?${first + 2})`
  })
  return `INSERT INTO millrace_jobs (${COLUMNS}) VALUES ${places.join(', ')}`
}

/** Without numbered parameters: some drivers take them for named ones, and this one also runs on connections of the application's. */
const INSERT_ONE = `INSERT INTO millrace_jobs (${COLUMNS})
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, unhex(?, '-'), ?)`
const INSERT_MANY = insertSql(ROWS_A_STATEMENT)
/** Of those that no list tells of, each in the place of its job. */
const COPY_EVENTS =
  'INSERT INTO millrace_events (position, job, seq, code, at, attempt) SELECT ? + n - ?, n, event_seq, state, created_at, attempt ' +
  'FROM millrace_jobs WHERE n BETWEEN ? AND ? AND created_in IS NULL'

const INSERT_LABEL = 'INSERT INTO millrace_labels (job, name, content) VALUES (?, ?, ?)'
const PUT_KEY =
  "INSERT INTO millrace_keys (tenant, type, key, job, input_hash, held_until) VALUES (?, ?, ?, unhex(?, '-'), ?, ?) " +
  'ON CONFLICT (tenant, type, key) DO UPDATE SET job = excluded.job, input_hash = excluded.input_hash, held_until = excluded.held_until'

/** The rows of one transaction on their way into the table. */
class Insertion {
  readonly #db: Database
  /** Where the list is going to be that tells of those that are queued; null: it has not begun. */
  #position: number | null = null
  #waiting: NewRow[] = []
  /** What the list begins with: the first key, and the keys from it on; null: scheduled, which no list tells. */
  #first: number | null = null
  #queued: (number | null)[] = []

  constructor(db: Database) {
    this.#db = db
  }

  add(row: NewRow): void {
    const [first] = this.#waiting
    if (first !== undefined && !mayShare(first, row)) this.flush()
    this.#waiting.push(row)
    if (this.#waiting.length === ROWS_A_STATEMENT) this.flush()
    if (this.#queued.length >= LONGEST_LIST) this.#tell()
  }

  /** Everything added so far is in the table. */
  flush(): void {
    const rows = this.#waiting
    if (rows.length === 0) return
    this.#waiting = []
    if (rows.length === ROWS_A_STATEMENT && this.#db.isOwn) this.#insert(INSERT_MANY, rows)
    else for (const row of rows) this.#insert(INSERT_ONE, [row])
  }

  /** The events of all that were added are there too. */
  finish(): void {
    this.flush()
    this.#tell()
  }

  #tell(): void {
    const [db, position, first, jobs] = [this.#db, this.#position, this.#first, this.#queued]
    if (position === null || first === null) return
    const isListed = jobs.some((job) => job !== null)
    if (isListed) writeList(db, { position, event: 'job:queued', listed: CREATED, jobs })
    if (!isListed || jobs.includes(null)) db.run(COPY_EVENTS, position, first, first, first + jobs.length - 1)
    this.#position = null
    this.#first = null
    this.#queued = []
  }

  #insert(sql: string, rows: readonly NewRow[]): void {
    const db = this.#db
    this.#position ??= nextPosition(db)
    const last = db.insert(sql, ...valuesOf(db, rows, { singly: sql === INSERT_ONE, position: this.#position }))
    const first = last - rows.length + 1
    this.#first ??= first
    for (const [index, { job, type, state }] of rows.entries()) {
      this.#queued.push(state === 'queued' ? first + index : null)
      keepBeside(db, first + index, type, job)
    }
  }
}

/** A key is nobody else's. */
function mayShare(one: NewRow, other: NewRow): boolean {
  const sameLane = one.type === other.type && one.job.queue === other.job.queue
  const sameOrder = one.state === other.state && one.runAt === other.runAt && one.job.priority === other.job.priority
  const samePlace = one.job.tenant === other.job.tenant && one.job.owner === other.job.owner
  return sameLane && sameOrder && samePlace && hasNoKey(one.job) && hasNoKey(other.job)
}

function hasNoKey({ key, uniqueKey }: NewJob): boolean {
  return key === null && uniqueKey === null
}

interface HowBound {
  /** The instant is bound twice, for when it was made and when it was changed. */
  readonly singly: boolean
  readonly position: number
}

function valuesOf(db: Database, rows: readonly NewRow[], { singly, position }: HowBound): readonly SqlValue[] {
  const [first] = rows
  if (first === undefined) return []
  const { job, type, state, runAt } = first
  const { phases } = type.policy
  const lane = db.internLane(type.n, job.queue)
  const values: SqlValue[] = [type.n, lane, STATE_CODES[state], job.priority, runAt, phases.length]
  values.push(db.internPhaseList(phases), db.now)
  if (singly) values.push(db.now)
  values.push(job.tenant, job.owner, job.uniqueKey, job.key, state === 'queued' ? position : null)
  for (const row of rows) values.push(row.job.id, inlineBody(row.job.input))
  return values
}

/** What has a table of its own. */
function keepBeside(db: Database, n: number, type: StoredType, { id, tenant, key, input, labels }: NewJob): void {
  keepLongBody(db, n, INPUT, input)
  for (const name in labels) {
    db.run(INSERT_LABEL, n, name, labels[name] ?? '')
    db.noteLabels()
  }
  if (key !== null) db.run(PUT_KEY, tenant, type.n, key, id, inputHash(input), db.now + DEFAULTS.keyHoldMs)
}
