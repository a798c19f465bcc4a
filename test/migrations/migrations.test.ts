import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { openConnection } from '../../src/sqlite/driver.ts'
import type { OwnConnection } from '../../src/sqlite/driver.ts'
import { migrate, readMigrations } from '../../src/sqlite/migrate.ts'

const SNAPSHOT = join(import.meta.dirname, 'schema.snapshot.sql')
const NOW = 1_767_225_600_000

function openEmpty(): OwnConnection {
  return openConnection({ file: ':memory:', readOnly: false, durability: 'full', maxBytes: null })
}

function migrateIt(connection: OwnConnection): void {
  migrate(connection, { file: ':memory:', clock: () => NOW })
}

function schemaOf(connection: OwnConnection): string {
  const rows = connection
    .prepare(
      "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*' ORDER BY type = 'view', tbl_name, type = 'index', name",
    )
    .all()
  return rows.map(({ sql }) => `${String(sql)};\n`).join('\n')
}

test('the schema is the one of the snapshot, so that a review sees what a migration does', () => {
  const connection = openEmpty()
  migrateIt(connection)
  const schema = schemaOf(connection)
  if (process.env['MILLRACE_UPDATE_SNAPSHOTS'] !== undefined) writeFileSync(SNAPSHOT, schema)
  const message = 'run the test with MILLRACE_UPDATE_SNAPSHOTS=1, and read the difference before you commit it'
  assert.equal(schema, readFileSync(SNAPSHOT, 'utf8'), message)
})

test('migrations are numbered from 1 without a gap, and named by a verb and what it acts on', () => {
  const migrations = readMigrations()
  assert.deepEqual(
    migrations.map(({ version }) => version),
    migrations.map((_, index) => index + 1),
  )
  for (const { name } of migrations) assert.match(name, /^\d{4}_[a-z]+_[a-z_]+$/)
})

test('a database is migrated once: the second time changes nothing', () => {
  const connection = openEmpty()
  migrateIt(connection)
  const applied = (): unknown => connection.prepare('SELECT * FROM millrace_migrations').all()
  const before = [schemaOf(connection), applied()]
  migrateIt(connection)
  assert.deepEqual([schemaOf(connection), applied()], before)
  assert.equal(readMigrations().length, connection.prepare('SELECT * FROM millrace_migrations').all().length)
})

test('a database that lacks the latest migrations gets those alone', () => {
  const connection = openEmpty()
  migrateIt(connection)
  const [latest] = readMigrations().slice(-1)
  assert.ok(latest !== undefined)
  const { changes } = connection.prepare('DELETE FROM millrace_migrations WHERE version = ?').run(latest.version)
  assert.equal(changes, 1)
  assert.throws(() => migrateIt(connection), /already exists/, 'the latest one is carried out again')
  assert.equal(connection.isTransaction, false)
})

test('a migration that fails leaves nothing behind', () => {
  const connection = openEmpty()
  connection.exec('CREATE TABLE other (x); CREATE INDEX jobs_of_mine ON other (x)')
  const before = schemaOf(connection)
  connection.exec('PRAGMA query_only = ON')
  assert.throws(() => migrateIt(connection))
  connection.exec('PRAGMA query_only = OFF')
  assert.equal(schemaOf(connection), before)
})

const REFUSALS = {
  'store-newer': "INSERT INTO millrace_migrations VALUES (9999, '9999_add_wings', 'x', 0)",
  'store-foreign': "UPDATE millrace_migrations SET checksum = 'x'",
} as const

for (const [code, sql] of Object.entries(REFUSALS)) {
  test(`another history is refused with ${code}`, () => {
    const connection = openEmpty()
    migrateIt(connection)
    connection.exec(sql)
    assert.throws(() => migrateIt(connection), { code, message: /Nothing was changed/ })
  })
}

test("another application's tables under our names are refused", () => {
  for (const sql of ['CREATE TABLE millrace_jobs (x)', 'CREATE TABLE millrace_migrations (version, name)']) {
    const connection = openEmpty()
    connection.exec(sql)
    assert.throws(() => migrateIt(connection), { code: 'store-foreign', message: /millrace_/ })
  }
})

test('the view for people reads a job as they would', () => {
  const connection = openEmpty()
  migrateIt(connection)
  connection.exec(`
    INSERT INTO millrace_types (n, name, queue, policy) VALUES (1, 'map.export', 'maps', '{}');
    INSERT INTO millrace_queues (n, name) VALUES (1, 'maps');
    INSERT INTO millrace_lanes (n, type, queue) VALUES (1, 1, 1);
    INSERT INTO millrace_jobs (id, type, lane, state, priority, run_at, phase_count, phase_list, created_at, updated_at, input)
      VALUES (x'019b76136800700080000000000000ff', 1, 1, 2, 0, ${NOW}, 1, 1, ${NOW}, ${NOW}, '{}')`)
  assert.partialDeepStrictEqual(
    { ...connection.prepare('SELECT * FROM millrace_job_view').get() },
    {
      id: '019b7613-6800-7000-8000-0000000000ff',
      type: 'map.export',
      queue: 'maps',
      state: 'queued',
      created_at: '2026-01-01 00:00:00',
      input: '{}',
      output: null,
    },
  )
})
