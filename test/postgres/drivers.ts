/** What an application may have its transactions with, each adapted as the documentation tells. */
import type { TestContext } from 'node:test'

import { CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'

import type { PostgresConnection } from '../../src/index.ts'
import { postgresUrl } from '../support/postgres-server.ts'

type Body = (connection: PostgresConnection) => Promise<void>

export interface Driver {
  /** Runs the body in a transaction, which is rolled back where the body throws. */
  readonly transact: (body: Body) => Promise<void>
  /** Runs it on a connection on which nothing has begun. */
  readonly borrow: (body: Body) => Promise<void>
}

export const DRIVERS: Readonly<Record<string, (context: TestContext) => Promise<Driver>>> = {
  pg: openPg,
  'postgres.js': openPostgresJs,
  Kysely: openKysely,
}

async function openPg(context: TestContext): Promise<Driver> {
  const client = new pg.Client(await postgresUrl())
  await client.connect()
  context.after(() => client.end())
  const connection: PostgresConnection = { query: (text, values) => client.query(text, [...values]) }
  return {
    borrow: (body) => body(connection),
    async transact(body) {
      await client.query('BEGIN')
      try {
        await body(connection)
        await client.query('COMMIT')
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      }
    },
  }
}

async function openPostgresJs(context: TestContext): Promise<Driver> {
  const client = postgres(await postgresUrl(), { max: 1 })
  context.after(() => client.end())
  const adapt = (sql: Pick<typeof client, 'unsafe'>): PostgresConnection => ({
    query: (text, values) => sql.unsafe(text, values as never[]).then((rows) => ({ rows })),
  })
  return {
    async borrow(body) {
      const reserved = await client.reserve()
      await body(adapt(reserved))
      reserved.release()
    },
    async transact(body) {
      await client.begin((sql) => body(adapt(sql)))
    },
  }
}

async function openKysely(context: TestContext): Promise<Driver> {
  const pool = new pg.Pool({ connectionString: await postgresUrl(), max: 1 })
  const db = new Kysely<object>({ dialect: new PostgresDialect({ pool }) })
  context.after(() => db.destroy())
  const adapt = (own: Pick<typeof db, 'executeQuery'>): PostgresConnection => ({
    query: async (text, values) => ({
      rows: (await own.executeQuery<object>(CompiledQuery.raw(text, [...values]))).rows,
    }),
  })
  return {
    borrow: (body) => db.connection().execute((own) => body(adapt(own))),
    transact: (body) => db.transaction().execute((own) => body(adapt(own))),
  }
}
