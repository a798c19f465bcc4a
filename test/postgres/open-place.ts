/** A store on a virtual clock, and a connection beside it that looks at its tables. */
import type { TestContext } from 'node:test'

import pg from 'pg'

import { openPostgresStore } from '../../src/postgres/open.ts'
import { benchOf } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { openLasting } from '../support/open-store.ts'
import { newSchemaName } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'

export interface Place {
  readonly bench: Bench
  /** A statement on another connection, with the schema's name for `millrace`. */
  readonly sql: (text: string, ...values: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>
}

export async function openPlace(context: TestContext): Promise<Place> {
  const [url, schema] = [await postgresUrl(), newSchemaName()]
  const client = new pg.Client({ connectionString: url, options: '-c client_min_messages=warning' })
  await client.connect()
  const opened = await openLasting(
    (surroundings) => openPostgresStore({ url, schema, ...surroundings }),
    async () => void (await client.query(`DROP SCHEMA "${schema}" CASCADE`)),
  )
  context.after(async () => {
    await opened.close()
    await client.end()
  })
  const sql = async (text: string, ...values: readonly unknown[]): Promise<readonly Record<string, unknown>[]> =>
    (await client.query<Record<string, unknown>>(text.replaceAll('millrace.', `"${schema}".`), [...values])).rows
  return { bench: benchOf(opened), sql }
}
