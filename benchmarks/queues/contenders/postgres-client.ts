/** Connections of the benchmark's own to a PostgreSQL database, beside those of the queue under test. */
import type { Client } from 'pg'

/** On a connection that is closed afterwards. */
export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await connect(url)
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** How much the database takes up on the disk, dead rows and all. */
export async function databaseBytes(url: string): Promise<number> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes')
    return Number(rows[0]?.bytes)
  })
}

/** Dead rows gone, statistics taken, everything in the files: as a store is that has had its jobs for a while. */
export async function settleDatabase(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('VACUUM ANALYZE')
    await checkpoint(client)
  })
}

const NOT_ALLOWED = '42501'

/** So that one run does not pay for what another has written. On a given server it may not be ours to ask for. */
export async function checkpoint(client: Client): Promise<void> {
  try {
    await client.query('CHECKPOINT')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === NOT_ALLOWED)) throw error
  }
}

export interface HeldSnapshot {
  release(): Promise<void>
}

/** A transaction that has looked once and stays open: no row that dies from now on can be cleaned away. */
export async function holdSnapshot(url: string): Promise<HeldSnapshot> {
  const client = await connect(url)
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  await client.query('SELECT count(*) FROM pg_class')
  return {
    async release() {
      await client.query('COMMIT')
      await client.end()
    },
  }
}

/** What a statement has counted as `jobs`. */
export async function databaseJobs(url: string, statement: string, values: readonly unknown[]): Promise<number> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ jobs: string }>(statement, [...values])
    return Number(rows[0]?.jobs)
  })
}

/** The driver is loaded by whoever connects, so that it takes no part in the runs of others. */
async function connect(url: string): Promise<Client> {
  const { Client } = await import('pg')
  const client = new Client({ connectionString: url })
  await client.connect()
  return client
}
