/** PostgreSQL stores under test: each in a schema of its own, which goes with the store, and on a virtual clock. */

import pg from 'pg'

import { migrationScript, readMigrations } from '../../src/postgres/migrate.ts'
import { openPostgresStore } from '../../src/postgres/open.ts'
import { openLasting } from './open-store.ts'
import { newSchemaName } from './postgres-database.ts'
import { postgresUrl } from './postgres-server.ts'
import type { StoreUnderTest } from './store-under-test.ts'

/** Whoever still holds a lock on a schema then has left a transaction open. */
const LOCK_TIMEOUT_MS = 10_000

/** Makes and drops the schemas, on connections that stay open and keep no process alive. */
let schemas: Promise<pg.Pool> | null = null

async function openSchemas(): Promise<pg.Pool> {
  const settings = { synchronous_commit: 'off', lock_timeout: LOCK_TIMEOUT_MS, client_min_messages: 'warning' }
  const options = Object.entries(settings).map(([name, setting]) => `-c ${name}=${setting}`)
  return new pg.Pool({ connectionString: await postgresUrl(), options: options.join(' '), allowExitOnIdle: true })
}

/** Made beforehand, as a person with psql would: a store that finds its tables opens in half the time. */
export async function openPostgres(): Promise<StoreUnderTest> {
  const url = await postgresUrl()
  const pool = await (schemas ??= openSchemas())
  const schema = newSchemaName()
  await pool.query(migrationScript(readMigrations(), schema))
  return openLasting(
    (surroundings) => openPostgresStore({ url, schema, ...surroundings }),
    async () => void (await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)),
  )
}
