/** SQLite stores under test: real files with a thread, files without one, and databases in memory, each on a virtual clock. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { openSqliteStore } from '../../src/sqlite/open.ts'
import { openFleeting, openLasting } from './open-store.ts'
import type { StoreUnderTest } from './store-under-test.ts'

// Each store starts threads of its own, and each thread would compile the sources anew: that would be most of the time of a test.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'node-compile-cache')

/** A database in memory, which has no thread. */
export async function openSqliteInMemory(): Promise<StoreUnderTest> {
  return openFleeting((surroundings) => openSqliteStore({ url: 'sqlite::memory:', thread: false, ...surroundings }))
}

/** A file in a folder of its own, with the store's own thread; the folder goes with the store. */
export async function openSqliteFile(): Promise<StoreUnderTest> {
  return openFile(true)
}

/** The same on the caller's thread. */
export async function openSqliteFileInline(): Promise<StoreUnderTest> {
  return openFile(false)
}

async function openFile(thread: boolean): Promise<StoreUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-store-'))
  const url = `sqlite:${join(folder, 'jobs.db')}`
  return openLasting(
    (surroundings) => openSqliteStore({ url, thread, ...surroundings }),
    () => rm(folder, { recursive: true, force: true }),
  )
}
