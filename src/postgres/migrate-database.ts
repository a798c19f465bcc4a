/** Migrations by hand: looked at, written out, or applied, without opening a store. */
import type { Runtime } from '../runtime/runtime.ts'
import { Database } from './database.ts'
import { openPool } from './driver.ts'
import type { PgPool } from './driver.ts'
import { storeError } from './failures.ts'
import { DEFAULT_SCHEMA, checkSchema, describeUrl } from './location.ts'
import { migrate, migrationScript, missingMigrations } from './migrate.ts'

export interface MigratePostgresOptions {
  readonly url: string
  readonly schema?: string
  readonly runtime: Runtime
}

export interface PostgresMigration {
  readonly where: string
  readonly missing: readonly string[]
  /** The whole of it, in one transaction, for psql. Empty where nothing is missing. */
  readonly script: string
}

const PATIENCE_MS = 0
/** A migration may have a long table to go through. */
const ANSWER_WITHIN_MS = 60 * 60_000

/** @param apply whether to apply what is missing, or only to tell */
export async function migratePostgres(
  { url, schema = DEFAULT_SCHEMA, runtime }: MigratePostgresOptions,
  { apply }: { readonly apply: boolean },
): Promise<PostgresMigration> {
  const where = describeUrl(url)
  const facts = { schema: checkSchema(schema), where }
  const pool = await openPool({ url, answerWithinMs: ANSWER_WITHIN_MS, most: 1 })
  try {
    const db = databaseOn(pool, facts, runtime)
    const missing = await missingMigrations(db.rows, facts)
    const script = migrationScript(missing, schema)
    const applied = apply ? await db.script((run, several) => migrate({ run, script: several }, facts)) : missing
    return { where: `${where} (schema ${schema})`, missing: applied.map(({ name }) => name), script }
  } catch (error) {
    throw storeError(error, where)
  } finally {
    await pool.end()
  }
}

function databaseOn(
  pool: PgPool,
  facts: { readonly schema: string; readonly where: string },
  runtime: Runtime,
): Database {
  return new Database({
    ...facts,
    pool,
    runtime,
    clock: null,
    prepared: false,
    synchronousCommit: null,
    statementTimeoutMs: ANSWER_WITHIN_MS,
    patienceMs: PATIENCE_MS,
  })
}
