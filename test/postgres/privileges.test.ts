/** A user with the rights that the documentation names, and no more, can do what it says. */
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import pg from 'pg'

import { COMPLETE_ONLY_PHASE, FAIL_RETRY } from '../../src/core/plans.ts'
import { migrationScript, readMigrations } from '../../src/postgres/migrate.ts'
import { openPostgresStore } from '../../src/postgres/open.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { attemptError, benchOf, planCall } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { newSchemaName } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { newUser } from './own-server.ts'

const runtime = systemRuntime()
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined }
const TABLES = 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA millrace TO shop_worker'
const SEQUENCES = 'GRANT USAGE ON ALL SEQUENCES IN SCHEMA millrace TO shop_worker'

/** Works on tables that somebody else has made. */
async function openAs(context: TestContext, ...grants: readonly string[]): Promise<Bench> {
  const [schema, admin, user] = [newSchemaName(), new pg.Client(await postgresUrl()), await newUser()]
  await admin.connect()
  await admin.query(migrationScript(readMigrations(), schema))
  for (const grant of ['GRANT USAGE ON SCHEMA millrace TO shop_worker', ...grants]) {
    await admin.query(grant.replace('millrace', `"${schema}"`).replace('shop_worker', new URL(user.url).username))
  }
  const options = { url: user.url, schema, migrate: false, artifactFolder: tmpdir() }
  const store = await openPostgresStore({ ...options, runtime, logger: SILENT })
  context.after(async () => {
    await store.close()
    await user.drop()
    await admin.query(`DROP SCHEMA "${schema}" CASCADE`)
    await admin.end()
  })
  return benchOf({ store, runtime, advance: () => undefined, close: () => store.close() })
}

test('who may use the schema, its tables and its sequences may work and enqueue', async (context) => {
  const bench = await openAs(context, TABLES, SEQUENCES)
  const jobs = Array.from({ length: 10 }, () => bench.job())
  await bench.store.jobs.enqueue(jobs)
  await bench.add({ key: 'k', labels: { a: 'b' } })
  const claimed = await bench.claim(await bench.session(), 11)
  assert.equal(claimed.length, 11)
  const [failed, ...others] = claimed
  assert.ok(failed !== undefined)
  await bench.must(FAIL_RETRY, failed.claim, { delayMs: 0 }, { error: attemptError() })
  const calls = others.map(({ claim }) =>
    bench.store.claims.apply(planCall(COMPLETE_ONLY_PHASE, claim, { output: '1' })),
  )
  assert.ok((await Promise.all(calls)).every(({ applied }) => applied))
  const ended = await Promise.all(others.map(async ({ claim }) => bench.details(claim.jobId)))
  await bench.store.retention.purge(ended.map(({ id, finishedAt }) => ({ id, finishedAt: finishedAt ?? 0 })))
  assert.ok((await bench.store.events.latest()) > 30)
})

test('who may use the schema and its tables may enqueue', async (context) => {
  const bench = await openAs(context, TABLES)
  await bench.store.jobs.enqueue([bench.job(), bench.job()])
  await bench.add({ key: 'k' })
  await assert.rejects(async () => bench.claim(await bench.session()), { code: 'store-unwritable' })
})
