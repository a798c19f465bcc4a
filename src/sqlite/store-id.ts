import type { Database } from './database.ts'

const STORE_ID = "SELECT content FROM millrace_meta WHERE name = 'store'"

/** What tells this store from every other, wherever its file is. A copy of the file has the same. */
export function readStoreId(db: Database): string {
  return String(db.get(STORE_ID)?.['content'])
}
