/** A store on PostgreSQL whose statements are written down as they go to the server, with their values. */
import pg from 'pg'

import { openPostgresStore } from '../../src/postgres/open.ts'
import { benchOf } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { openLasting } from '../support/open-store.ts'
import { newSchemaName } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'

/** Which connection it goes to, and so under which settings it is planned. */
export type Purpose = 'write' | 'read' | 'count'

export interface Statement {
  readonly text: string
  /** As PostgreSQL reads them. */
  readonly values: readonly (string | null)[]
  readonly purpose: Purpose
}

export interface RecordedStore {
  readonly bench: Bench
  readonly schema: string
  /** Every text once, with the values it had last. */
  readonly statements: ReadonlyMap<string, Statement>
}

/** Its schema goes when it is closed. */
export async function openRecordedStore(): Promise<RecordedStore> {
  const schema = newSchemaName()
  const pool = new pg.Pool({ connectionString: await postgresUrl() })
  const statements = new Map<string, Statement>()
  pool.on('connect', (connection) => {
    record(connection, (statement) => statements.set(statement.text, statement))
  })
  const opened = await openLasting(
    (surroundings) => openPostgresStore({ pool, schema, ...surroundings }),
    async () => {
      await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
      await pool.end()
    },
  )
  return { bench: benchOf(opened), schema, statements }
}

const BEGINNINGS: readonly (readonly [begins: RegExp, purpose: Purpose])[] = [
  [/^BEGIN ISOLATION LEVEL READ COMMITTED/, 'write'],
  [/^BEGIN .*READ ONLY; SET LOCAL enable_seqscan = on/, 'count'],
  [/^BEGIN .*READ ONLY/, 'read'],
]
const CHANGES = /INSERT|UPDATE|DELETE/
/** Nothing that is planned. */
const UNPLANNED = /^(?:BEGIN|COMMIT|ROLLBACK|LISTEN|SET|CREATE|DROP|--|SELECT pg_notify|SELECT pg_advisory)/

function record(connection: pg.PoolClient, note: (statement: Statement) => void): void {
  const query = connection.query.bind(connection) as (...given: readonly unknown[]) => unknown
  let transaction: Purpose | null = null
  const recording = (...given: readonly [string | pg.QueryConfig, ...unknown[]]): unknown => {
    const [asked] = given
    const { text, values = [] } = typeof asked === 'string' ? { text: asked } : asked
    transaction = BEGINNINGS.find(([begins]) => begins.test(text))?.[1] ?? transaction
    if (text === 'COMMIT' || text === 'ROLLBACK') transaction = null
    const purpose = transaction ?? (CHANGES.test(text) ? 'write' : 'read')
    if (!UNPLANNED.test(text)) note({ text, values: values.map(asText), purpose })
    return query(...given)
  }
  Object.assign(connection, { query: recording })
}

function asText(value: unknown): string | null {
  if (typeof value === 'string' || value === null || value === undefined) return value ?? null
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return `${value}`
  throw new TypeError('the store hands its driver texts, numbers and booleans')
}
