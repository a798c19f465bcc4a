/** A great many jobs in a PostgreSQL database, written by one statement instead of by a million calls. */
import type { Client } from 'pg'
import { settleDatabase, withClient } from './postgres-client.ts'

/** The input of its jobs: no job of a run has that number. */
export const BACKLOG_INPUT = { index: -1 }

export interface RowCopies {
  /** With its schema. It holds the row to copy, and no other that the condition is true for. */
  readonly table: string
  readonly condition: string
  /** Columns that differ from copy to copy, as expressions; `i` is the number of the copy. */
  readonly differing?: Readonly<Record<string, string>>
  /** Columns that the table fills itself. */
  readonly filled?: readonly string[]
  /** How many there are to be in all. */
  readonly count: number
}

/** The row came about as any job does; the others are copies of it. */
export async function copyRow(url: string, copies: RowCopies): Promise<void> {
  await withClient(url, async (client) => {
    const columns = await columnsOf(client, copies)
    const values = columns.map((column) => copies.differing?.[column] ?? `original.${column}`)
    await client.query(
      `INSERT INTO ${copies.table} (${columns.join(', ')})
         SELECT ${values.join(', ')} FROM generate_series(1, ${copies.count - 1}) AS i
         CROSS JOIN (SELECT * FROM ${copies.table} WHERE ${copies.condition}) AS original`,
    )
  })
  await settleDatabase(url)
}

/** Without those that nobody may write. */
async function columnsOf(client: Client, { table, filled = [] }: RowCopies): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT quote_ident(attname) AS name FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''`,
    [table],
  )
  return rows.map(({ name }) => name).filter((name) => !filled.includes(name))
}
