/** SQLite stores under test: real files with a thread, files without one, and databases in memory, each on a virtual clock. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Logger } from '../../src/runtime/logger.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { openSqliteStore } from '../../src/sqlite/open.ts'
import { MODEL_EPOCH } from './model-state.ts'
import { countedIds } from './store-under-test.ts'
import type { StoreUnderTest } from './store-under-test.ts'

// Each store starts threads of its own, and each thread would compile the sources anew: that would be most of the time of a test.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'node-compile-cache')

/** What is logged is a fault here: no contract test is about a broken store. */
const LOGGER: Logger = {
  info: () => undefined,
  warn: refuse,
  error: refuse,
}

function refuse(message: string): never {
  throw new Error(`the store logged: ${message}`)
}

/** A database in memory, which has no thread. */
export async function openSqliteInMemory(): Promise<StoreUnderTest> {
  return openUrl('sqlite::memory:', false, clockAt(MODEL_EPOCH), countedIds())
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
  const clock = clockAt(MODEL_EPOCH)
  const ids = countedIds()
  const openOne = (): Promise<StoreUnderTest> => openUrl(`sqlite:${join(folder, 'jobs.db')}`, thread, clock, ids)
  const openFirst = async (): Promise<StoreUnderTest> => {
    const opened = await openOne()
    return {
      ...opened,
      another: openOne,
      async close() {
        await opened.close()
        await rm(folder, { recursive: true, force: true })
      },
      async reopen() {
        await opened.close()
        return openFirst()
      },
    }
  }
  return openFirst()
}

function clockAt(at: number): SharedArrayBuffer {
  const clock = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)
  new BigInt64Array(clock)[0] = BigInt(at)
  return clock
}

async function openUrl(
  url: string,
  thread: boolean,
  clock: SharedArrayBuffer,
  ids: StoreUnderTest['runtime'],
): Promise<StoreUnderTest> {
  const store = await openSqliteStore({ url, runtime: systemRuntime(), logger: LOGGER, thread, clock })
  const now = new BigInt64Array(clock)
  return {
    store,
    runtime: ids,
    advance(ms) {
      Atomics.add(now, 0, BigInt(ms))
    },
    close: () => store.close(),
  }
}
