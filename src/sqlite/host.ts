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
import { whenFree } from './locks.ts'
import { migrate } from './migrate.ts'
import { READS } from './operations.ts'
import type { OperationName, ReadName, WriteName } from './operations.ts'
import { SessionKeeper } from './session-keeper.ts'
import { watchCommits } from './watch.ts'
import type { Watch } from './watch.ts'
import { Writer } from './writer.ts'
import type { CallOutcome } from './writer.ts'

export interface HostOptions {
  readonly role: 'writer' | 'reader'
  /** A path, or `:memory:`. */
  readonly file: string
  readonly durability: Durability
  readonly maxBytes: number | null
  /** A virtual clock's memory; null: the machine's clock. */
  readonly clock: SharedArrayBuffer | null
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

export interface Host {
  /** Carries out the calls, in one transaction as far as they write. */
  run(calls: readonly HostCall[]): readonly CallOutcome[]
  readonly sqliteVersion: string
  close(): void
}

export function openHost(options: HostOptions, events: HostEvents): Host {
  return options.role === 'writer' ? openWriterHost(options, events) : openReaderHost(options)
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

class WriterHost implements Host {
  readonly sqliteVersion: string
  readonly #writer: Writer
  readonly #keeper: SessionKeeper
  readonly #watch: Watch
  readonly #realTime: boolean
  #beatTimer: Timer | null = null

  constructor({ connection, options: { file, maxBytes, clock: virtual }, clock, events }: WriterParts) {
    this.sqliteVersion = sqliteVersion(connection)
    this.#realTime = virtual === null
    this.#keeper = new SessionKeeper(events.onSessionLost)
    const reserve = new DiskReserve({ connection, file, maxBytes, clock })
    this.#writer = new Writer({ connection, file, clock, keeper: this.#keeper, reserve })
    this.#watch = watchCommits(file, () => {
      if (this.#writer.othersCommitted()) events.onForeignCommit()
    })
  }

  run(calls: readonly HostCall[]): readonly CallOutcome[] {
    const outcomes: CallOutcome[] = []
    const writes = calls.flatMap((call, index) => (call.name in READS ? [] : [index]))
    const written =
      writes.length === 0 ? [] : this.#write(writes.map((index) => calls[index]).filter((call) => call !== undefined))
    for (const [position, index] of writes.entries()) outcomes[index] = written[position] ?? { answer: undefined }
    for (const [index, call] of calls.entries()) {
      if (call.name in READS) outcomes[index] = runRead(this.#writer.db, call)
    }
    return outcomes
  }

  #write(calls: readonly HostCall[]): readonly CallOutcome[] {
    for (const { name, args } of calls) {
      if (name === 'sessions.end' || name === 'sessions.abandon') this.#keeper.drop(args as number)
    }
    const outcomes = this.#writer.commit(calls.map(({ name, args }) => ({ name: name as WriteName, args })))
    for (const [index, { name, args }] of calls.entries()) {
      if (name === 'sessions.open' && 'answer' in (outcomes[index] ?? {}))
        this.#keeper.keep(args as NewSession, this.#writer.db.now)
    }
    this.#armBeat()
    return outcomes
  }

  /** Beats ride in other transactions; this is for when there are none. */
  #armBeat(): void {
    const everyMs = this.#keeper.intervalMs
    if (everyMs === null) this.#beatTimer?.cancel()
    if (everyMs === null || !this.#realTime) {
      this.#beatTimer = null
      return
    }
    if (this.#beatTimer !== null) return
    this.#beatTimer = systemRuntime().after(everyMs, () => this.#beat(), { idle: true })
  }

  #beat(): void {
    this.#beatTimer = null
    // A commit that finds the file locked or the disk full is tried again at the next beat: a lease outlives two that are missed.
    this.#writer.commit([])
    this.#armBeat()
  }

  close(): void {
    this.#beatTimer?.cancel()
    this.#watch.close()
    this.#writer.close()
  }
}

function openReaderHost({ file, durability, maxBytes, clock }: HostOptions): Host {
  const connection = whenFree(file, () => openConnection({ file, readOnly: true, durability, maxBytes }))
  const db = new Database(connection, clockOf(clock))
  return {
    sqliteVersion: sqliteVersion(connection),
    run: (calls) =>
      calls.map((call) => {
        try {
          return whenFree(file, () => runInSnapshot(connection, db, call))
        } catch (error) {
          return { error: storeError(error, file) }
        }
      }),
    close: () => connection.close(),
  }
}

/** All that one call reads is of one moment. */
function runInSnapshot(connection: OwnConnection, db: Database, call: HostCall): CallOutcome {
  connection.exec('BEGIN')
  try {
    db.beginUnit()
    return runRead(db, call)
  } finally {
    connection.exec('COMMIT')
  }
}

type RunRead = (db: Database, args: unknown) => unknown

function runRead(db: Database, { name, args }: HostCall): CallOutcome {
  const read = READS[name as ReadName] as RunRead
  return { answer: read(db, args) }
}
