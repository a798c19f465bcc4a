/** The door of the SQLite store. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InvalidInputError } from '../core/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { findThreadFile } from '../runtime/package-files.ts'
import { loopPulse } from '../runtime/loop-pulse.ts'
import type { Pulse } from '../runtime/pulse.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Store } from '../store/store.ts'
import { ArtifactFolder } from '../store/artifact-folder.ts'
import type { Durability } from './driver.ts'
import { clockOf } from './host.ts'
import type { HostOptions } from './host.ts'
import { FILES } from './files.ts'
import { InlineLink } from './inline-link.ts'
import type { LinkEvents, Links } from './link.ts'
import { IN_MEMORY, checkFile, fileOfUrl, realFile } from './location.ts'
import { missingMigrations } from './migrate.ts'
import { SqliteStore } from './sqlite-store.ts'
import type { ArtifactPlace } from './sqlite-store.ts'
import { ThreadLink } from './thread-link.ts'

export interface SqliteOptions {
  /** `sqlite:./jobs.db` or `sqlite::memory:`. */
  readonly url: string
  readonly runtime: Runtime
  readonly logger: Logger
  /** False: everything runs on the calling thread, slower and blocking it. Default true; a database in memory has no threads. */
  readonly thread?: boolean
  /** Where the thread's file is, if it is not found by itself. */
  readonly threadFile?: string | URL
  /** `normal` may lose the last commits when the machine (not the process) dies. Default `full`: it doesn't. */
  readonly durability?: Durability
  /** Where artifacts go. Default: the database's path with `-artifacts` behind it. */
  readonly artifactFolder?: string
  /** The database may not grow beyond this many bytes. Default: as the disk allows. */
  readonly maxBytes?: number
  /** A virtual clock: eight bytes, a BigInt64 of epoch milliseconds. */
  readonly clock?: SharedArrayBuffer
}

const LEAST_BYTES = 1024 * 1024

/** Opens the store, making or migrating its tables. Errors: url-invalid, store-unwritable, store-foreign, store-newer, store-damaged, artifacts-foreign, … */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const file = realFile(fileOfUrl(options.url))
  checkFile(file)
  checkMaxBytes(options.maxBytes)
  // With a virtual clock no time passes while the loop stands still.
  const pulse = options.clock === undefined ? loopPulse(options.logger) : null
  const artifacts = artifactPlace(file, options.artifactFolder)
  const store = new SqliteStore({
    file,
    logger: options.logger,
    runtime: options.runtime,
    clock: clockOf(options.clock ?? null),
    durability: options.durability ?? 'full',
    artifacts,
    pulse,
  })
  await store.connect((writer, reader) => openLinks(file, { ...options, pulse }, writer, reader))
  try {
    const isLasting = file !== IN_MEMORY
    await artifacts.folder.belongTo(isLasting ? { storeId: await store.storeId(), store: `sqlite:${file}` } : null)
  } catch (error) {
    await store.close()
    throw error
  }
  return store
}

export interface SqliteMigration {
  readonly name: string
  readonly sql: string
}

/** What opening the store at the URL would change of its tables. */
export function planSqliteMigration(url: string): {
  readonly where: string
  readonly missing: readonly SqliteMigration[]
} {
  const file = realFile(fileOfUrl(url))
  checkFile(file)
  return { where: `sqlite:${file}`, missing: missingMigrations(file) }
}

function checkMaxBytes(maxBytes: number | undefined): void {
  if (maxBytes === undefined || (Number.isSafeInteger(maxBytes) && maxBytes >= LEAST_BYTES)) return
  throw new InvalidInputError({
    path: 'maxBytes',
    expected: `a whole number of bytes, at least ${LEAST_BYTES}`,
    received: String(maxBytes),
  })
}

function artifactPlace(file: string, given: string | undefined): ArtifactPlace {
  if (given !== undefined) return { folder: new ArtifactFolder(given), temporary: false }
  if (file !== IN_MEMORY) return { folder: new ArtifactFolder(`${file}-artifacts`), temporary: false }
  return { folder: new ArtifactFolder(mkdtempSync(join(tmpdir(), 'millrace-artifacts-'))), temporary: true }
}

async function openLinks(
  file: string,
  options: SqliteOptions & { readonly pulse: Pulse | null },
  writerEvents: LinkEvents,
  readerEvents: LinkEvents,
): Promise<Links> {
  const host: Omit<HostOptions, 'patienceMs'> = {
    role: 'writer',
    file,
    durability: options.durability ?? 'full',
    maxBytes: options.maxBytes ?? null,
    clock: options.clock ?? null,
    pulse: null,
  }
  if (file === IN_MEMORY || options.thread === false) {
    const link = new InlineLink(host, writerEvents)
    return { writer: link, reader: link }
  }
  const threadFile = findThreadFile(FILES, options.threadFile)
  const pulse = options.pulse?.memory ?? null
  const writer = await ThreadLink.open(threadFile, { ...host, pulse }, writerEvents)
  try {
    const reader = await ThreadLink.open(threadFile, { ...host, role: 'reader' }, readerEvents)
    return { writer, reader }
  } catch (error) {
    await writer.close(AbortSignal.abort())
    throw error
  }
}
