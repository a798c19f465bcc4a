import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'

/** One numbered file of a store's schema. */
export interface MigrationFile {
  readonly version: number
  readonly name: string
  readonly sql: string
  /** By which a released file is known to be the one that was applied. */
  readonly checksum: string
}

/** Those of a folder, in their order. */
export function readMigrationFiles(folder: URL): readonly MigrationFile[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .toSorted()
    .map((name) => {
      const sql = readFileSync(new URL(name, folder), 'utf8')
      const checksum = createHash('sha256').update(sql).digest('hex')
      return { version: Number.parseInt(name, 10), name: name.replace('.sql', ''), sql, checksum }
    })
}
