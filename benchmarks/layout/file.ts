import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** A database file of its own in a temporary directory, durable on every commit. */
export interface BenchFile {
  readonly db: DatabaseSync
  transaction<T>(work: () => T): T
  remove(): void
}

export function openFile(pragmas: readonly string[] = []): BenchFile {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-layout-'))
  const db = new DatabaseSync(join(directory, 'jobs.db'))
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', ...pragmas]) db.exec(`PRAGMA ${pragma}`)
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  return {
    db,
    transaction(work) {
      begin.run()
      const result = work()
      commit.run()
      return result
    },
    remove() {
      db.close()
      rmSync(directory, { recursive: true })
    },
  }
}

/** The number that a query names `n`. */
export function countRows(db: DatabaseSync, query: string): number {
  return Number(db.prepare(query).get()?.['n'])
}
