/** Schemas for tests on a PostgreSQL server, each with a name that no other test has. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'

import pg from 'pg'

import type { MillraceOptions } from '../../src/index.ts'
import { openPostgresStore } from '../../src/postgres/open.ts'
import { postgresUrl } from './postgres-server.ts'
import type { OwnConnection, TestDatabase } from './test-database.ts'

/** Far longer than any transaction of a store that has been closed: whoever still holds a lock has left it behind. */
const LOCK_TIMEOUT = '10s'

export function newSchemaName(): string {
  return `millrace_test_${randomUUID().replaceAll('-', '')}`
}

/** Fails if a transaction on it has been left open. */
async function dropSchema(url: string, ...schemas: readonly string[]): Promise<void> {
  const own = await connectTo(url)
  try {
    await own.run(`SET lock_timeout = '${LOCK_TIMEOUT}'`)
    for (const schema of schemas) await own.run(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
  } finally {
    await own.close()
  }
}

export interface PostgresPlace {
  /** The server. Default: that of the run. */
  readonly server?: string
  /** Besides the schema. */
  readonly options?: MillraceOptions
  /** How Millrace gets there, if not straight. */
  readonly route?: (server: string) => string
}

/** A schema of Millrace's, and one of the application's on whose search path Millrace's is not. */
export async function postgresDatabase(place: PostgresPlace = {}): Promise<TestDatabase> {
  const { server = await postgresUrl(), route = (straight) => straight } = place
  const url = route(server)
  const schema = newSchemaName()
  const applications = `${schema}_app`
  const options = { ...place.options, schema }
  return {
    url,
    options,
    flags: ['--schema', schema],
    table: (name) => `"${schema}".${name}`,
    openStore: ({ runtime, logger, clock }) =>
      openPostgresStore({
        url,
        schema,
        runtime,
        logger,
        ...(clock === undefined ? {} : { clock }),
      }),
    async connect() {
      const own = await connectTo(server)
      await own.run(`CREATE SCHEMA IF NOT EXISTS "${applications}"; SET search_path TO "${applications}"`)
      return own
    },
    assertSound: () => assertLogIsWhole(server, schema),
    drop: () => dropSchema(server, schema, applications),
  }
}

async function connectTo(url: string): Promise<OwnConnection> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return {
    connection: client,
    run: async (sql) => void (await client.query(sql)),
    rows: async (sql) => {
      const { rows } = await client.query<Record<string, unknown>>(sql)
      return rows
    },
    close: () => client.end(),
  }
}

/**
 * The server looks after its files. The log is the store's own: a commit says how many events it has, and its place follows the one before.
 * Where jobs were deleted there may be fewer, and gaps.
 */
async function assertLogIsWhole(url: string, schema: string): Promise<void> {
  const own = await connectTo(url)
  try {
    const miscounted = await own.rows(
      `SELECT n FROM (
         SELECT c.n, c.events, count(e.commit) + cardinality(array_remove(coalesce(c.jobs, '{}'), NULL)) AS told,
           bool_or(c.jobs[e.idx + 1] IS NOT NULL) OR c.listed <> cardinality(array_remove(coalesce(c.jobs, '{}'), NULL))
             OR c.living <> (SELECT count(*) FROM unnest(c.jobs) AS u (job) JOIN "${schema}".jobs AS j ON j.id = u.job) AS miscounted
         FROM "${schema}".commits AS c LEFT JOIN "${schema}".events AS e ON e.commit = c.n GROUP BY c.n
       ) AS c WHERE told > events OR told = 0 OR miscounted OR (told < events AND NOT EXISTS (SELECT FROM "${schema}".deleted_jobs))`,
    )
    assert.deepEqual(miscounted, [])
    const misplaced = await own.rows(
      `SELECT * FROM (
         SELECT n, first, lag(first + events, 1, 1::bigint) OVER (ORDER BY first) AS expected
         FROM "${schema}".commits WHERE first IS NOT NULL
       ) AS placed WHERE first < expected OR (first > expected AND NOT EXISTS (SELECT FROM "${schema}".deleted_jobs))`,
    )
    assert.deepEqual(misplaced, [])
  } finally {
    await own.close()
  }
}
