/** A job is added inside a transaction of whatever driver or query builder the application has: with pg itself, and through three lines for others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'

import { defineJob } from '../../src/index.ts'
import type { Millrace, PostgresConnection } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'

const order = defineJob('order.ship', { service: 'shop' })

/** Runs the body in a transaction of its own, which it rolls back where the body throws. */
type Transact = (body: (connection: PostgresConnection) => Promise<void>) => Promise<void>

const DRIVERS: Readonly<Record<string, (context: TestContext) => Promise<Transact>>> = {
  pg: async (context) => {
    const client = new pg.Client(await postgresUrl())
    await client.connect()
    context.after(() => client.end())
    return async (body) => {
      await client.query('BEGIN')
      try {
        await body({ query: async (text, values) => client.query(text, [...values]) })
        await client.query('COMMIT')
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      }
    }
  },
  'postgres.js': async (context) => {
    const sql = postgres(await postgresUrl(), { max: 1 })
    context.after(() => sql.end())
    return async (body) => {
      await sql.begin(async (transaction) => {
        await body({
          query: async (text, values) => ({ rows: await transaction.unsafe(text, [...values] as never[]) }),
        })
      })
    }
  },
  Kysely: async (context) => {
    const pool = new pg.Pool({ connectionString: await postgresUrl(), max: 1 })
    const db = new Kysely<object>({ dialect: new PostgresDialect({ pool }) })
    context.after(() => db.destroy())
    return async (body) =>
      db.transaction().execute(async (transaction) => {
        await body({
          query: async (text, values) => {
            const { rows } = await transaction.executeQuery(CompiledQuery.raw(text, [...values]))
            return { rows: rows as readonly object[] }
          },
        })
      })
  },
}

async function openMill(context: TestContext): Promise<Millrace> {
  const opened = await openTestMill(context, {}, (folder) => postgresDatabase(folder))
  return opened.mill
}

for (const [name, open] of Object.entries(DRIVERS)) {
  test(`with ${name} a job comes with the transaction that it was added in, key, labels and all`, async (context) => {
    const mill = await openMill(context)
    const transact = await open(context)
    const ids: string[] = []
    await transact(async (connection) => {
      const first = await mill.enqueueIn(connection, order, { n: 1 })
      const second = await mill.enqueueIn(
        connection,
        order,
        { n: 2 },
        { key: 'order-2', tenant: 'acme', labels: { a: '"b",\\' } },
      )
      const later = await mill.enqueueIn(connection, order, { n: 3 }, { delay: '1h' })
      ids.push(first.job.id, second.job.id, later.job.id)
      assert.deepEqual([first.state, second.state, later.state], ['queued', 'queued', 'scheduled'])
      assert.equal((await mill.counts()).queued, 0, 'nobody sees it before the commit')
    })
    const jobs = await Promise.all(ids.map((id) => mill.get(id)))
    assert.deepEqual(
      jobs.map(({ input, state }) => [input, state]),
      [
        [{ n: 1 }, 'queued'],
        [{ n: 2 }, 'queued'],
        [{ n: 3 }, 'scheduled'],
      ],
    )
    assert.deepEqual(jobs[1]?.labels, { a: '"b",\\' })
    const again = await mill.enqueue(order, { n: 2 }, { key: 'order-2', tenant: 'acme' })
    assert.deepEqual([again.outcome, again.job.id], ['duplicate', ids[1]])
  })

  test(`with ${name} a job goes with the transaction that is rolled back`, async (context) => {
    const mill = await openMill(context)
    const transact = await open(context)
    const rolledBack = transact(async (connection) => {
      await mill.enqueueIn(connection, order, { n: 1 }, { key: 'order-1' })
      throw new Error('the card was refused')
    })
    await assert.rejects(rolledBack, /the card was refused/)
    assert.equal((await mill.counts()).queued, 0)
    assert.equal((await mill.enqueue(order, { n: 5 }, { key: 'order-1' })).outcome, 'created')
  })
}
