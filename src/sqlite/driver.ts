/** The one file that knows `node:sqlite`: opening a connection as Millrace needs it, and turning SQLite's errors into ours. */
import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, SQLOutputValue } from 'node:sqlite'
import { MillraceError } from '../core/errors.ts'
import type { ErrorCode } from '../core/errors.ts'

export type SqlValue = SQLInputValue
export type Row = Record<string, SQLOutputValue>

export interface Statement {
  get(...values: readonly SqlValue[]): Row | undefined
  all(...values: readonly SqlValue[]): readonly Row[]
  run(...values: readonly SqlValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint }
  /** Rows as lists from now on. A connection of the application's may not have it, and is not asked for lists. */
  setReturnArrays?(enabled: boolean): void
}

/** What the adapter asks of a connection: its own, or one of the application's. */
export interface Connection {
  prepare(sql: string): Statement
  exec(sql: string): void
  readonly isTransaction: boolean
}

export interface OwnConnection extends Connection {
  close(): void
}

export type Durability = 'full' | 'normal'

export interface OpenConnection {
  /** A path, or `:memory:`. */
  readonly file: string
  readonly readOnly: boolean
  readonly durability: Durability
  /** The database may grow to this many bytes; null: as the disk allows. */
  readonly maxBytes: number | null
}

/** Releases up to here can damage a WAL database that several connections use. */
const LAST_AFFECTED_SQLITE = [3, 51, 2]

/** Throws SQLite's own errors, so that the caller can tell a locked file, which is worth waiting for. */
export function openConnection(options: OpenConnection): OwnConnection {
  const { file, readOnly } = options
  // SQLite's own waiting for locks starves one writer while another one is busy: see locks.ts.
  const connection = new DatabaseSync(file, { readOnly, timeout: 0, enableForeignKeyConstraints: false })
  try {
    refuseAffectedSqlite(connection)
    setPragmas(connection, options)
  } catch (error) {
    connection.close()
    throw error
  }
  return connection
}

function refuseAffectedSqlite(connection: Connection): void {
  const version = sqliteVersion(connection)
  const parts = version.split('.').map(Number)
  const firstDifference = parts.findIndex((part, index) => part !== LAST_AFFECTED_SQLITE[index])
  const newer = firstDifference !== -1 && (parts[firstDifference] ?? 0) > (LAST_AFFECTED_SQLITE[firstDifference] ?? 0)
  if (newer) return
  throw new MillraceError(
    'sqlite-affected',
    `This Node.js (${process.version}) carries SQLite ${version}, which can damage a database that several connections use. ` +
      'Install Node.js 22.22.3 or 24.15 or newer.',
    { details: { sqlite: version, node: process.version } },
  )
}

export function sqliteVersion(connection: Connection): string {
  return String(connection.prepare('SELECT sqlite_version() AS version').get()?.['version'])
}

/** Builds of SQLite differ in their defaults, so each setting is set and read back. */
function setPragmas(connection: Connection, { file, readOnly, durability, maxBytes }: OpenConnection): void {
  const inFile = file !== ':memory:'
  if (readOnly) {
    pragma(connection, 'query_only', 'ON', 1)
    pragma(connection, 'temp_store', 'MEMORY', 2)
    return
  }
  if (inFile) pragma(connection, 'journal_mode', 'WAL', 'wal')
  pragma(connection, 'synchronous', durability === 'full' ? 'FULL' : 'NORMAL', durability === 'full' ? 2 : 1)
  pragma(connection, 'fullfsync', 'ON', 1)
  pragma(connection, 'checkpoint_fullfsync', 'ON', 1)
  pragma(connection, 'temp_store', 'MEMORY', 2)
  pragma(connection, 'trusted_schema', 'OFF', 0)
  if (maxBytes !== null) limitSize(connection, maxBytes)
}

function pragma(connection: Connection, name: string, setting: string, expected: string | number): void {
  connection.prepare(`PRAGMA ${name} = ${setting}`).get()
  const got = Object.values(connection.prepare(`PRAGMA ${name}`).get() ?? {})[0]
  if (got !== expected) {
    throw new MillraceError('internal', `SQLite keeps ${name} at ${String(got)} where ${String(expected)} was set.`)
  }
}

export function limitSize(connection: Connection, maxBytes: number): void {
  const pageSize = Number(connection.prepare('PRAGMA page_size').get()?.['page_size'])
  connection.prepare(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / pageSize))}`).get()
}

/** SQLite's primary result codes that mean something to us. */
const BUSY = 5
const LOCKED = 6
const READ_ONLY = 8
const INPUT_OUTPUT = 10
const DAMAGE = 11
const FULL = 13
const CANNOT_OPEN = 14
const NO_DATABASE = 26

interface Meaning {
  readonly code: ErrorCode
  readonly tell: (file: string) => string
}

const UNWRITABLE: Meaning = {
  code: 'store-unwritable',
  tell: (file) =>
    `${file} or its folder can't be opened for writing. Check that the folder exists and who may write there.`,
}

const UNREACHABLE: Meaning = {
  code: 'store-unwritable',
  tell: (file) =>
    `Reading or writing ${file} failed in the operating system. Nothing was changed. Look into the system's log for faults of its disk.`,
}

const DAMAGED: Meaning = {
  code: 'store-damaged',
  tell: (file) =>
    `${file} is damaged. Nothing was changed. Stop every process that uses it, keep a copy of it with its -wal file, and restore a backup ` +
    'or run "sqlite3 FILE .recover".',
}

const FOREIGN: Meaning = {
  code: 'store-foreign',
  tell: (file) => `${file} is not an SQLite database. Nothing was changed. Name another file.`,
}

const DISK_FULL: Meaning = {
  code: 'store-full',
  tell: (file) =>
    `The disk (or the size limit) of ${file} is full. Nothing was changed. Free some room; Millrace goes on by itself.`,
}

const LOCKED_OUT: Meaning = {
  code: 'store-busy',
  tell: (file) => `${file} stayed locked by another process. Look for a transaction that is left open, and try again.`,
}

const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [BUSY, LOCKED_OUT],
  [LOCKED, LOCKED_OUT],
  [READ_ONLY, UNWRITABLE],
  [INPUT_OUTPUT, UNREACHABLE],
  [DAMAGE, DAMAGED],
  [FULL, DISK_FULL],
  [CANNOT_OPEN, UNWRITABLE],
  [NO_DATABASE, FOREIGN],
])

/** SQLITE_BUSY_SNAPSHOT: a transaction that has read an older state can't write any more, however long it waits. */
const STALE_SNAPSHOT = 517

export function isStaleSnapshot(error: unknown): boolean {
  return (
    error instanceof Error &&
    (('errcode' in error && error.errcode === STALE_SNAPSHOT) ||
      ('code' in error && error.code === 'SQLITE_BUSY_SNAPSHOT'))
  )
}

/** The primary SQLite code of an error; null: not SQLite's. */
function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null
  // The low byte is the primary code, the rest refines it.
  return error.errcode % 256
}

export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  // `node:sqlite` says it by number, better-sqlite3 by name.
  const named = error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY')
  return (code === BUSY || code === LOCKED || named) && !isStaleSnapshot(error)
}

/** A read-only connection can't do it; one that may write could. */
export function isReadOnly(error: unknown): boolean {
  return sqliteCode(error) === READ_ONLY
}

export function isFull(error: unknown): boolean {
  return sqliteCode(error) === FULL || (error instanceof MillraceError && error.code === 'store-full')
}

/** The error as a user of the store should see it. */
export function storeError(error: unknown, file: string): MillraceError {
  if (error instanceof MillraceError) return error
  const meaning = MEANINGS.get(sqliteCode(error) ?? -1)
  if (meaning !== undefined) {
    return new MillraceError(meaning.code, meaning.tell(file), { details: { file }, cause: error })
  }
  const told = error instanceof Error ? error.message : String(error)
  return new MillraceError(
    'internal',
    `SQLite refused a statement of Millrace's own on ${file}: ${told}. Please report this.`,
    {
      details: { file },
      cause: error,
    },
  )
}
