/** The schema: numbered files, applied in order and once, each remembered by its checksum. */
import { statSync } from 'node:fs'
import { MillraceError } from '../core/errors.ts'
import { findMigrations } from '../runtime/package-files.ts'
import { isReadOnly, openConnection } from './driver.ts'
import type { Connection } from './driver.ts'
import { FILES } from './files.ts'
import { beginWrite, rollBack, whenFree } from './locks.ts'
import { readMigrationFiles } from '../store/migration-files.ts'
import type { MigrationFile } from '../store/migration-files.ts'

export function readMigrations(): readonly MigrationFile[] {
  return readMigrationFiles(findMigrations(FILES))
}

/** Refuses a file that isn't ours to use before anything in it is changed, the mode of its journal included. */
export function inspectSchema(file: string): void {
  const size = file === ':memory:' ? 0 : (statSync(file, { throwIfNoEntry: false })?.size ?? 0)
  if (size === 0) return
  try {
    whenFree(file, () => {
      const connection = openConnection({ file, readOnly: true, durability: 'full', maxBytes: null })
      try {
        isCurrent(connection, readMigrations(), file)
      } finally {
        connection.close()
      }
    })
  } catch (error) {
    // A journal that a crashed process has left is rolled back by the first connection that may write, and then this is asked again.
    if (!isReadOnly(error)) throw error
  }
}

/** Those that the file still lacks, in order. Throws where it isn't ours to use. Nothing is changed, and no file is made. */
export function missingMigrations(file: string): readonly MigrationFile[] {
  const migrations = readMigrations()
  const size = file === ':memory:' ? 0 : (statSync(file, { throwIfNoEntry: false })?.size ?? 0)
  if (size === 0) return migrations
  return whenFree(file, () => {
    const connection = openConnection({ file, readOnly: true, durability: 'full', maxBytes: null })
    try {
      if (isCurrent(connection, migrations, file)) return []
      const done = new Set(appliedMigrations(connection)?.map(({ version }) => version))
      return migrations.filter(({ version }) => !done.has(version))
    } finally {
      connection.close()
    }
  })
}

export interface MigrateOptions {
  readonly file: string
  readonly clock: () => number
}

/** Brings the database to this version's schema. Several processes may do so at once: one of them does, the others find it done. */
export function migrate(connection: Connection, { file, clock }: MigrateOptions): void {
  const migrations = readMigrations()
  if (isCurrent(connection, migrations, file)) return
  beginWrite(connection, file)
  try {
    if (!isCurrent(connection, migrations, file)) apply(connection, migrations, clock())
    connection.exec('COMMIT')
  } catch (error) {
    rollBack(connection)
    throw error
  }
}

const HAS_MIGRATIONS = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'millrace_migrations'"
const OWN_TABLES = "SELECT name FROM sqlite_schema WHERE name GLOB 'millrace_*' LIMIT 1"
const CREATE_MIGRATIONS =
  'CREATE TABLE millrace_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT'

const APPLIED = 'SELECT version, name, checksum FROM millrace_migrations ORDER BY version'
const OWN_COLUMNS =
  "SELECT count(*) AS columns FROM pragma_table_info('millrace_migrations') WHERE name IN ('version', 'name', 'checksum', 'applied_at')"

function isCurrent(connection: Connection, migrations: readonly MigrationFile[], file: string): boolean {
  const applied = appliedMigrations(connection)
  if (applied === null) {
    refuseForeignTables(connection, file)
    return false
  }
  for (const { version, name, checksum } of applied) {
    const known = migrations.find((migration) => migration.version === version)
    if (known === undefined) throw newer(file, version, name)
    if (known.checksum !== checksum) throw foreign(file, `its migration ${name} is not the one this version knows`)
  }
  return applied.length === migrations.length
}

interface AppliedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

function appliedMigrations(connection: Connection): readonly AppliedMigration[] | null {
  if (connection.prepare(HAS_MIGRATIONS).get() === undefined || !hasOwnColumns(connection)) return null
  return connection
    .prepare(APPLIED)
    .all()
    .map((row) => ({ version: Number(row['version']), name: String(row['name']), checksum: String(row['checksum']) }))
}

/** A table of that name may be somebody else's. */
function hasOwnColumns(connection: Connection): boolean {
  return connection.prepare(OWN_COLUMNS).get()?.['columns'] === 4
}

function refuseForeignTables(connection: Connection, file: string): void {
  const table = connection.prepare(OWN_TABLES).get()
  if (table !== undefined) throw foreign(file, `it has a table ${String(table['name'])} that Millrace did not make`)
}

function apply(connection: Connection, migrations: readonly MigrationFile[], now: number): void {
  if (appliedMigrations(connection) === null) connection.exec(CREATE_MIGRATIONS)
  const done = new Set(appliedMigrations(connection)?.map(({ version }) => version))
  const insert = connection.prepare(
    'INSERT INTO millrace_migrations (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)',
  )
  for (const { version, name, sql, checksum } of migrations) {
    if (done.has(version)) continue
    connection.exec(sql)
    insert.run(version, name, checksum, now)
  }
}

function newer(file: string, version: number, name: string): MillraceError {
  return new MillraceError(
    'store-newer',
    `${file} was made by a newer Millrace (it has migration ${version}, ${name}). Nothing was changed. Update this Millrace.`,
    { details: { file, version } },
  )
}

function foreign(file: string, why: string): MillraceError {
  return new MillraceError('store-foreign', `${file} can't be used: ${why}. Nothing was changed. Name another file.`, {
    details: { file },
  })
}
