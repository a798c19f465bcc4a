import { postgresDatabase } from './postgres-database.ts'
import { sqliteDatabase } from './sqlite-database.ts'
import type { TestDatabase } from './test-database.ts'

/** A database for one test, of the kind that MILLRACE_TEST_STORE names: `sqlite`, which is the default, or `postgres`. */
export async function newTestDatabase(folder: string): Promise<TestDatabase> {
  const kind = process.env['MILLRACE_TEST_STORE'] ?? 'sqlite'
  if (kind === 'sqlite') return sqliteDatabase(folder)
  if (kind === 'postgres') return postgresDatabase()
  throw new Error(`MILLRACE_TEST_STORE is "${kind}": set it to sqlite or postgres`)
}
