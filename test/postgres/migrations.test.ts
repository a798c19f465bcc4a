import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import pg from 'pg'

import { COMPLETE_ONLY_PHASE } from '../../src/core/plans.ts'
import { migrationScript, readMigrations } from '../../src/postgres/migrate.ts'
import { openPostgresStore } from '../../src/postgres/open.ts'
import type { PostgresOptions } from '../../src/postgres/open.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import type { Store } from '../../src/store/store.ts'
import { benchOf } from '../support/contract-bench.ts'
import { newSchemaName } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { scaled } from '../support/scale.ts'
import { newUser } from './own-server.ts'
import { schemaText } from './schema-text.ts'

const SNAPSHOT = join(import.meta.dirname, 'schema.snapshot.sql')
const runtime = systemRuntime()
const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }

interface Place {
  readonly schema: string
  readonly client: pg.Client
  /** Opened stores are closed when the test ends. */
  readonly open: (options?: Partial<PostgresOptions>) => Promise<Store>
  /** The schema as text, and what its history says. */
  readonly look: () => Promise<readonly unknown[]>
}

/** A name that no schema has yet. */
async function newPlace(context: TestContext): Promise<Place> {
  const url = await postgresUrl()
  const schema = newSchemaName()
  const client = new pg.Client({ connectionString: url, options: '-c client_min_messages=warning' })
  await client.connect()
  const stores: Store[] = []
  context.after(async () => {
    for (const store of stores) await store.close()
    await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
    await client.end()
  })
  const open = async (options: Partial<PostgresOptions> = {}): Promise<Store> => {
    const store = await openPostgresStore({ url, schema, runtime, logger, artifactFolder: tmpdir(), ...options })
    stores.push(store)
    return store
  }
  const look = async (): Promise<readonly unknown[]> => {
    const text = await schemaText(client, schema)
    if (!text.includes('CREATE TABLE millrace.migrations')) return [text]
    const { rows } = await client.query<object>(`SELECT * FROM "${schema}".migrations`)
    return [text, rows]
  }
  return { schema, client, open, look }
}

/** Adds a job, runs it and completes it. */
async function assertWorks(store: Store): Promise<void> {
  const bench = benchOf({ store, runtime, advance: () => undefined, close: () => Promise.resolve() })
  const { claim } = await bench.running({ type: `map.${runtime.uuid()}` })
  await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
  assert.equal((await bench.details(claim.jobId)).state, 'completed')
}

test('the schema is the one of the snapshot, so that a review sees what a migration does', async (context) => {
  const { schema, client, open } = await newPlace(context)
  await open()
  const text = await schemaText(client, schema)
  if (process.env['MILLRACE_UPDATE_SNAPSHOTS'] !== undefined) writeFileSync(SNAPSHOT, text)
  const message = 'run the test with MILLRACE_UPDATE_SNAPSHOTS=1, and read the difference before you commit it'
  assert.equal(text, readFileSync(SNAPSHOT, 'utf8'), message)
})

test('migrations are numbered from 1 without a gap, and say from which schema on code works with them', () => {
  const migrations = readMigrations()
  assert.deepEqual(
    migrations.map(({ version }) => version),
    migrations.map((_, index) => index + 1),
  )
  for (const { name, sql, version, worksWith } of migrations) {
    assert.match(name, /^\d{4}_[a-z]+_[a-z_]+$/)
    assert.match(sql, /^-- works with: \d+\n/)
    assert.ok(worksWith <= version, name)
  }
})

test('five stores that open a fresh schema at once make it once, and all of them work', async (context) => {
  for (let round = 0; round < scaled(3); round += 1) {
    const { open, client, schema } = await newPlace(context)
    const stores = await Promise.all(Array.from({ length: 5 }, () => open()))
    await Promise.all(stores.map(assertWorks))
    const { rows } = await client.query(`SELECT version FROM "${schema}".migrations ORDER BY version`)
    assert.deepEqual(
      rows,
      readMigrations().map(({ version }) => ({ version })),
    )
  }
})

test('the script for a person makes what a store makes, and a store finds it done', async (context) => {
  const [byHand, byItself] = [await newPlace(context), await newPlace(context)]
  await byHand.client.query(migrationScript(readMigrations(), byHand.schema))
  await byItself.open()
  const text = await schemaText(byHand.client, byHand.schema)
  assert.equal(text, await schemaText(byItself.client, byItself.schema))
  await assertWorks(await byHand.open({ migrate: false }))
})

test('a user who may make no schema uses one that was made for him, and is told so where there is none', async (context) => {
  const { open, schema } = await newPlace(context)
  const { url, drop } = await newUser(schema)
  context.after(drop)
  await assertWorks(await open({ url }))
  await assert.rejects(open({ url, schema: `${schema}_2` }), {
    code: 'store-unwritable',
    message: /permission denied for database/,
  })
})

test('a store that was told not to migrate refuses a schema that lacks something, and makes nothing', async (context) => {
  const { open, client, schema } = await newPlace(context)
  await assert.rejects(open({ migrate: false }), {
    code: 'store-outdated',
    message: /0001_create_core.*millrace migrate/,
  })
  const { rows } = await client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema])
  assert.deepEqual(rows, [])
  await open()
  await assertWorks(await open({ migrate: false }))
})

describe('a schema that a newer version has migrated', () => {
  const migrateOn = (schema: string, worksWith: number): string =>
    `ALTER TABLE "${schema}".jobs ADD COLUMN colour text DEFAULT 'red'; ` +
    `INSERT INTO "${schema}".migrations (version, name, checksum, works_with) VALUES (9999, '9999_add_colour', 'x', ${worksWith})`

  test('is refused where that says that older code does not work with it, and nothing is changed', async (context) => {
    const { open, client, schema, look } = await newPlace(context)
    await open()
    await client.query(migrateOn(schema, 9999))
    const before = await look()
    await assert.rejects(open(), { code: 'store-newer', message: /9999_add_colour.*Nothing was changed/ })
    assert.deepEqual(await look(), before)
  })

  test('is shared by both versions where that says that they get on', async (context) => {
    const { open, client, schema } = await newPlace(context)
    const running = await open()
    await assertWorks(running)
    await client.query(migrateOn(schema, readMigrations().length))
    await assertWorks(running)
    await assertWorks(await open())
    const { rows } = await client.query(`SELECT count(*)::integer AS jobs FROM "${schema}".jobs WHERE colour = 'red'`)
    assert.deepEqual(rows, [{ jobs: 3 }])
  })
})

const FOREIGN: Readonly<Record<string, (schema: string) => string>> = {
  'another history': (schema) => `UPDATE "${schema}".migrations SET checksum = 'x'`,
  "another application's table jobs": (schema) =>
    `DROP SCHEMA "${schema}" CASCADE; CREATE SCHEMA "${schema}"; CREATE TABLE "${schema}".jobs (x integer)`,
  "another application's view events": (schema) =>
    `DROP SCHEMA "${schema}" CASCADE; CREATE SCHEMA "${schema}"; CREATE VIEW "${schema}".events AS SELECT 1 AS x`,
  "another tool's table migrations": (schema) =>
    `DROP SCHEMA "${schema}" CASCADE; CREATE SCHEMA "${schema}"; CREATE TABLE "${schema}".migrations (version integer, name text)`,
}

for (const [what, sql] of Object.entries(FOREIGN)) {
  test(`${what} is refused, and nothing is changed`, async (context) => {
    const { open, client, schema, look } = await newPlace(context)
    const store = await open()
    await store.close()
    await client.query(sql(schema))
    const before = await look()
    await assert.rejects(open(), { code: 'store-foreign', message: /Nothing was changed/ })
    assert.deepEqual(await look(), before)
  })
}
