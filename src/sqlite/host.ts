/**
 * What runs beside a connection, on a thread of its own or, without one, on the caller's: it takes calls in, lets those that wait together
 * share a transaction, and says what came of them. The same code serves both.
 */
import { systemRuntime } from '../runtime/system-runtime.ts'
import type { Timer } from '../runtime/runtime.ts'
import type { NewSession } from '../store/sessions.ts'
import { Database } from './database.ts'
import { DiskReserve } from './disk-reserve.ts'
import { openConnection, sqliteVersion, storeError } from './driver.ts'
import type { Durability, OwnConnection } from './driver.ts'
import { LOCK_PATIENCE_MS, rollBack, whenFree } from './locks.ts'
import { inspectSchema, migrate } from './migrate.ts'
import { READS } from './operations.ts'
import type { CallOutcome, OperationName, ReadName, WriteName } from './operations.ts'
import { SessionKeeper } from './session-keeper.ts'
import { watchCommits } from './watch.ts'
import type { Watch } from './watch.ts'
import { Writer } from './writer.ts'

export interface HostOptions {
  readonly role: 'writer' | 'reader'
  /** A path, or `:memory:`. */
  readonly file: string
  readonly durability: Durability
  readonly maxBytes: number | null
  /** A virtual clock's memory; null: the machine's clock. */
  readonly clock: SharedArrayBuffer | null
  /** Whether the main thread's event loop turns; null: nobody can tell, as where it is this thread's own. */
  readonly pulse: SharedArrayBuffer | null
  /** How long a write waits for the lock, blocking its thread, before it is answered `store-busy`. */
  readonly patienceMs: number
}

export interface HostCall {
  readonly name: OperationName
  readonly args: unknown
}

/** What the host tells without being asked. */
export interface HostEvents {
  /** Another process has committed something. */
  readonly onForeignCommit: () => void
  readonly onSessionLost: (holder: number) => void
}

interface HostRun {
  /** One for each call, in order. */
  readonly outcomes: readonly CallOutcome[]
  /** Whether anything was written that somebody may want to hear of. */
  readonly changed: boolean
}

export interface Host {
  /** Carries out the calls, in one transaction as far as they write. */
  run(calls: readonly HostCall[]): HostRun
  /** Until `resume`, the host does nothing of its own accord. */
  pause(): void
  resume(): void
  readonly sqliteVersion: string
  close(): void
}

/** Throws a MillraceError where the file can't be used. */
export function openHost(options: HostOptions, events: HostEvents): Host {
  try {
    return options.role === 'writer' ? openWriterHost(options, events) : openReaderHost(options)
  } catch (error) {
    throw storeError(error, options.file)
  }
}

export function clockOf(clock: SharedArrayBuffer | null): () => number {
  const runtime = systemRuntime()
  if (clock === null) return () => runtime.now()
  const view = new BigInt64Array(clock)
  return () => Number(Atomics.load(view, 0))
}

function openWriterHost(options: HostOptions, events: HostEvents): Host {
  const { file, durability, maxBytes } = options
  const clock = clockOf(options.clock)
  inspectSchema(file)
  const connection = whenFree(file, () => openConnection({ file, readOnly: false, durability, maxBytes }))
  try {
    migrate(connection, { file, clock })
    return new WriterHost({ connection, options, clock, events })
  } catch (error) {
    connection.close()
    throw error
  }
}

interface WriterParts {
  readonly connection: OwnConnection
  readonly options: HostOptions
  readonly clock: () => number
  readonly events: HostEvents
}

/** A beat that could not be committed (the file is locked, the disk is full) is tried again soon: a lease outlives some that are missed. */
const LEAST_BEAT_WAIT_MS = 1
const BEAT_RETRY_MS = 100
/** The operating system tells of our own writes too, for so long after them. */
const QUIET_MS = 5

class WriterHost implements Host {
  readonly sqliteVersion: string
  readonly #parts: WriterParts
  readonly #runtime = systemRuntime()
  readonly #db: Database
  readonly #writer: Writer
  readonly #keeper: SessionKeeper
  readonly #reserve: DiskReserve
  readonly #watch: Watch
  #beatTimer: Timer | null = null
  #beatTimerAt: number | null = null
  #paused = false
  #wroteAt = Number.NEGATIVE_INFINITY

  constructor(parts: WriterParts) {
    const { connection, options, clock } = parts
    const { file, maxBytes, patienceMs } = options
    this.#parts = parts
    this.#keeper = new SessionKeeper(options.pulse)
    this.sqliteVersion = sqliteVersion(connection)
    this.#db = new Database(connection, clock)
    // From now on a commit by another connection is news: without this, one before the first look would pass for the beginning.
    this.#db.checkDataVersion()
    this.#reserve = new DiskReserve({ connection, file, maxBytes, monotonic: () => this.#runtime.monotonic() })
    const { keeper, reserve, db } = { keeper: this.#keeper, reserve: this.#reserve, db: this.#db }
    this.#writer = new Writer({ connection, db, file, keeper, reserve, patienceMs })
    this.#watch = watchCommits({ file, look: () => this.#look(), mayBlock: () => this.#isQuiet() })
  }

  run(calls: readonly HostCall[]): HostRun {
    const outcomes: CallOutcome[] = []
    const writes = calls.flatMap((call, index) => (call.name in READS ? [] : [index]))
    const written = writes.length === 0 ? [] : this.#write(writes.flatMap((index) => calls[index] ?? []))
    for (const [position, index] of writes.entries()) outcomes[index] = written[position] ?? { answer: undefined }
    for (const [index, call] of calls.entries()) {
      if (call.name in READS) outcomes[index] = read(this.#parts.connection, this.#db, this.#parts.options.file, call)
    }
    this.#tellOthers()
    return { outcomes, changed: this.#writer.takeChanged() }
  }

  #write(calls: readonly HostCall[]): readonly CallOutcome[] {
    for (const { name, args } of calls) {
      if (name === 'sessions.end' || name === 'sessions.abandon') this.#keeper.drop(args as number)
    }
    const outcomes = this.#writer.commit(calls.map(({ name, args }) => ({ name: name as WriteName, args })))
    for (const [index, { name, args }] of calls.entries()) {
      if (name === 'sessions.open' && 'answer' in (outcomes[index] ?? {}))
        this.#keeper.keep(args as NewSession, this.#db.now)
    }
    this.#wroteAt = this.#runtime.monotonic()
    this.#armBeat(LEAST_BEAT_WAIT_MS)
    return outcomes
  }

  /** Beats ride in other transactions; this is for when there are none. */
  #armBeat(leastMs: number): void {
    const at = this.#keeper.nextBeatAt
    if (at === this.#beatTimerAt && leastMs === LEAST_BEAT_WAIT_MS) return
    this.#beatTimer?.cancel()
    this.#beatTimer = null
    this.#beatTimerAt = null
    // With a virtual clock nobody waits: beats come with whatever else is written.
    if (at === null || this.#paused || this.#parts.options.clock !== null) return
    this.#beatTimerAt = at
    const waitMs = Math.max(leastMs, at - this.#parts.clock())
    this.#beatTimer = this.#runtime.after(waitMs, () => this.#beat(), { idle: true })
  }

  #beat(): void {
    this.#beatTimerAt = null
    const due = this.#keeper.nextBeatAt
    this.#writer.commit([])
    this.#wroteAt = this.#runtime.monotonic()
    this.#tellOthers()
    this.#armBeat(this.#keeper.nextBeatAt === due ? BEAT_RETRY_MS : LEAST_BEAT_WAIT_MS)
  }

  /** A thread of its own, which has not written for a moment. */
  #isQuiet(): boolean {
    const ownThread = this.#parts.options.patienceMs >= LOCK_PATIENCE_MS
    return ownThread && !this.#paused && this.#runtime.monotonic() - this.#wroteAt >= QUIET_MS
  }

  #look(): boolean {
    const seen = this.#othersCommitted()
    this.#tellOthers()
    return seen
  }

  #othersCommitted(): boolean {
    try {
      return this.#db.checkDataVersion()
    } catch {
      // Whatever is the matter with the file, the next call will say it.
      return false
    }
  }

  #tellOthers(): void {
    const { events } = this.#parts
    for (const holder of this.#keeper.takeLost()) events.onSessionLost(holder)
    if (this.#db.takeOthersCommitted()) events.onForeignCommit()
  }

  pause(): void {
    this.#paused = true
    this.#armBeat(0)
  }

  resume(): void {
    this.#paused = false
    this.#armBeat(LEAST_BEAT_WAIT_MS)
  }

  close(): void {
    this.#beatTimer?.cancel()
    this.#watch.close()
    this.#parts.connection.close()
    this.#reserve.close()
  }
}

function openReaderHost({ file, durability, maxBytes, clock }: HostOptions): Host {
  const connection = whenFree(file, () => openConnection({ file, readOnly: true, durability, maxBytes }))
  const db = new Database(connection, clockOf(clock))
  return {
    sqliteVersion: sqliteVersion(connection),
    run: (calls) => ({ outcomes: calls.map((call) => read(connection, db, file, call)), changed: false }),
    pause: () => undefined,
    resume: () => undefined,
    close: () => connection.close(),
  }
}

type RunRead = (db: Database, args: unknown) => unknown

/** All that one call reads is of one moment. */
function read(connection: OwnConnection, db: Database, file: string, { name, args }: HostCall): CallOutcome {
  const run = READS[name as ReadName] as RunRead
  try {
    return whenFree(file, () => {
      connection.exec('BEGIN')
      try {
        db.beginUnit()
        return { answer: run(db, args) }
      } finally {
        rollBack(connection)
      }
    })
  } catch (error) {
    return { error: storeError(error, file) }
  }
}
