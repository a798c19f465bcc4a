/**
 * The schema: numbered files, applied in order and once, each remembered by its checksum. Several processes may start at once: one of them
 * applies, under a lock, and the others find it done.
 *
 * During a deploy two neighbouring versions share the database. Each migration says, in its first line, from which schema on a version's
 * code works with it; so the older code goes on where the newer schema allows it, and is refused where it doesn't.
 */
import { MillraceError } from '../core/errors.ts'
import { findMigrations } from '../runtime/package-files.ts'
import { FILES } from './files.ts'
import { inSchema } from './location.ts'
import type { RunRows } from './driver.ts'
import { readMigrationFiles } from '../store/migration-files.ts'
import type { MigrationFile } from '../store/migration-files.ts'

export interface Migration extends MigrationFile {
  /** The oldest schema whose code works on this one. */
  readonly worksWith: number
}

const WORKS_WITH = /^-- works with: (\d+)$/m

export function readMigrations(): readonly Migration[] {
  return readMigrationFiles(findMigrations(FILES)).map((file) => ({
    ...file,
    worksWith: Number(WORKS_WITH.exec(file.sql)?.[1] ?? file.version),
  }))
}

export interface SchemaFacts {
  readonly schema: string
  /** Names the database in messages. */
  readonly where: string
}

// One look, of one moment. Not by to_regclass, which after a wait for the lock may still not know of what was made meanwhile.
const OWN_TABLES =
  "SELECT c.relname AS name FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace WHERE s.nspname = $1 AND c.relkind IN ('r', 'v') " +
  "AND c.relname IN ('jobs', 'events', 'sessions', 'types', 'migrations') ORDER BY c.relname"
const APPLIED = 'SELECT version, name, checksum, works_with FROM millrace.migrations ORDER BY version'
const OWN_COLUMNS =
  "SELECT count(*) AS columns FROM information_schema.columns WHERE table_schema = $1 AND table_name = 'migrations' " +
  "AND column_name IN ('version', 'name', 'checksum', 'works_with', 'applied_at')"

/** Those that the database still lacks, in order. Throws where it is not ours, or too new. Nothing is changed. */
export async function missingMigrations(run: RunRows, facts: SchemaFacts): Promise<readonly Migration[]> {
  const migrations = readMigrations()
  const applied = await appliedMigrations(run, facts)
  const latest = migrations.at(-1)?.version ?? 0
  for (const { version, name, checksum, worksWith } of applied) {
    const known = migrations.find((migration) => migration.version === version)
    if (known !== undefined && known.checksum !== checksum) {
      throw foreign(facts, `its migration ${name} is not the one this version knows`)
    }
    if (known === undefined && worksWith > latest) throw newer(facts, version, name)
  }
  const done = new Set(applied.map(({ version }) => version))
  return migrations.filter(({ version }) => !done.has(version))
}

type AppliedMigration = Omit<Migration, 'sql'>

async function appliedMigrations(run: RunRows, facts: SchemaFacts): Promise<readonly AppliedMigration[]> {
  const { schema } = facts
  const tables = (await run(OWN_TABLES, schema)).map(({ name }) => String(name))
  if (!tables.includes('migrations')) {
    const [table] = tables
    if (table !== undefined) throw foreign(facts, `it has a table ${table} that Millrace did not make`)
    return []
  }
  const [columns] = await run(OWN_COLUMNS, schema)
  if (Number(columns?.['columns']) !== 5) throw foreign(facts, 'it has a table migrations that Millrace did not make')
  return (await run(APPLIED)).map((row) => ({
    version: Number(row['version']),
    name: String(row['name']),
    checksum: String(row['checksum']),
    worksWith: Number(row['works_with']),
  }))
}

// The same number in every version, and another for each schema.
const LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('millrace migrations ' || $1, 0))"
const SCHEMA_THERE = 'SELECT 1 FROM pg_namespace WHERE nspname = $1'
const CREATE_SCHEMA = 'CREATE SCHEMA IF NOT EXISTS millrace'
const CREATE_MIGRATIONS =
  'CREATE TABLE IF NOT EXISTS millrace.migrations (version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, ' +
  'works_with integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())'
const INSERT = 'INSERT INTO millrace.migrations (version, name, checksum, works_with) VALUES ($1, $2, $3, $4)'

/** Runs several statements in one text. */
type RunScript = (sql: string) => Promise<unknown>

export interface Migrating {
  readonly run: RunRows
  readonly script: RunScript
}

/** Brings the schema to this version's, inside a transaction of the caller's; answers what was applied. */
export async function migrate({ run, script }: Migrating, facts: SchemaFacts): Promise<readonly Migration[]> {
  const { schema } = facts
  await run(LOCK, schema)
  const missing = await missingMigrations(run, facts)
  if (missing.length === 0) return missing
  // Who may not create schemas may still use one that was created for the purpose.
  if ((await run(SCHEMA_THERE, schema)).length === 0) await script(schemaName(CREATE_SCHEMA, schema))
  await script(inSchema(CREATE_MIGRATIONS, schema))
  for (const { version, name, sql, checksum, worksWith } of missing) {
    await script(inSchema(sql, schema))
    await run(INSERT, version, name, checksum, worksWith)
  }
  return missing
}

function schemaName(sql: string, schema: string): string {
  return sql.replace('millrace', `"${schema}"`)
}

/** All that `migrate` would run, as a script for a person to read and to run with psql. */
export function migrationScript(missing: readonly Migration[], schema: string): string {
  if (missing.length === 0) return ''
  const steps = missing.flatMap(({ version, name, sql, checksum, worksWith }) => [
    `-- ${name}`,
    inSchema(sql, schema).trimEnd(),
    inSchema(
      `INSERT INTO millrace.migrations (version, name, checksum, works_with) VALUES (${version}, '${name}', '${checksum}', ${worksWith});`,
      schema,
    ),
  ])
  const head = [schemaName(CREATE_SCHEMA, schema), inSchema(CREATE_MIGRATIONS, schema)].map((sql) => `${sql};`)
  return `${['BEGIN;', ...head, ...steps, 'COMMIT;'].join('\n')}\n`
}

export function outdated({ where, schema }: SchemaFacts, missing: readonly Migration[]): MillraceError {
  const names = missing.map(({ name }) => name).join(', ')
  return new MillraceError(
    'store-outdated',
    `${where} (schema ${schema}) lacks the migrations ${names}, and this Millrace was told not to apply them. Run: millrace migrate`,
    { details: { store: where, schema, missing: missing.map(({ name }) => name) } },
  )
}

function newer({ where, schema }: SchemaFacts, version: number, name: string): MillraceError {
  return new MillraceError(
    'store-newer',
    `${where} (schema ${schema}) was migrated by a newer Millrace (it has migration ${version}, ${name}), with which this one can't work. Nothing was changed. Update this Millrace.`,
    { details: { store: where, schema, version } },
  )
}

function foreign({ where, schema }: SchemaFacts, why: string): MillraceError {
  return new MillraceError(
    'store-foreign',
    `${where} (schema ${schema}) can't be used: ${why}. Nothing was changed. Name another schema.`,
    { details: { store: where, schema } },
  )
}
