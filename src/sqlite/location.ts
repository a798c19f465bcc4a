/** From a URL to a file that Millrace may use, or a clear word why not. Nothing is opened here, and nothing changed. */
import {
  constants,
  accessSync,
  closeSync,
  existsSync,
  openSync,
  readSync,
  realpathSync,
  statSync,
  statfsSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { MillraceError } from '../core/errors.ts'

export const IN_MEMORY = ':memory:'

const PREFIX = 'sqlite:'

/** `sqlite:./jobs.db`, `sqlite:/var/lib/app/jobs.db`, `sqlite:///var/lib/app/jobs.db`, `sqlite::memory:`. */
export function fileOfUrl(url: string): string {
  const rest = url.startsWith(PREFIX) ? url.slice(PREFIX.length) : ''
  if (rest === IN_MEMORY) return IN_MEMORY
  const path = rest.startsWith('//') ? rest.slice(2) : rest
  if (path === '' || path.includes('\0') || path.includes('?')) {
    throw new MillraceError(
      'url-invalid',
      `The store's URL ${JSON.stringify(url)} is not understood. Write "sqlite:./jobs.db", or "sqlite::memory:" for a store that is gone at exit.`,
      { details: { url } },
    )
  }
  return resolve(path)
}

/** Without symbolic links: SQLite puts the `-wal` file beside the real one, and so must everything of ours. */
export function realFile(file: string): string {
  if (file === IN_MEMORY) return file
  try {
    return existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(file)), basename(file))
  } catch {
    return file
  }
}

/** Refuses a file that can't be a database of Millrace's, before SQLite touches it. */
export function checkFile(file: string): void {
  if (file === IN_MEMORY) return
  checkFolder(file)
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isFile()) throw unwritable(file, 'it is not a file')
  if (!isWritable(file)) throw unwritable(file, 'it may not be written')
  if (found.size > 0) checkHeader(file)
}

function checkFolder(file: string): void {
  const folder = dirname(file)
  const found = statSync(folder, { throwIfNoEntry: false })
  if (found === undefined) throw unwritable(file, `its folder ${folder} is not there; make it first`)
  if (!found.isDirectory()) throw unwritable(file, `${folder} is not a folder`)
  if (!isWritable(folder))
    throw unwritable(file, `its folder ${folder} may not be written, and SQLite needs to put its -wal file there`)
  refuseNetworkFileSystem(file, folder)
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

function unwritable(file: string, why: string): MillraceError {
  return new MillraceError('store-unwritable', `${file} can't be used: ${why}.`, { details: { file } })
}

/** Linux's magic numbers of file systems whose locks SQLite can't trust: NFS, SMB, CIFS, SMB2, 9p, AFS, Ceph. */
const NETWORK_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x01021997, 0x5346414f, 0x00c36400,
])

/** Whether a file system of this type lies on another machine. */
export function isNetworkFileSystem(platform: NodeJS.Platform, type: number): boolean {
  return platform === 'linux' && NETWORK_FILE_SYSTEMS.has(type)
}

function refuseNetworkFileSystem(file: string, folder: string): void {
  if (!isNetworkFileSystem(process.platform, statfsSync(folder).type)) return
  throw new MillraceError(
    'network-file-system',
    `${file} lies on a network file system, where SQLite's locks do not hold and files get damaged. Use a local disk.`,
    { details: { file } },
  )
}

/** The first bytes of every SQLite database; SQLite's file format, section 1.2. */
const HEADER = 'SQLite format 3\0'

function checkHeader(file: string): void {
  const descriptor = openSync(file, 'r')
  try {
    const header = Buffer.alloc(HEADER.length)
    readSync(descriptor, header, 0, HEADER.length, 0)
    if (header.toString('latin1') === HEADER) return
  } finally {
    closeSync(descriptor)
  }
  throw new MillraceError(
    'store-foreign',
    `${file} is not an SQLite database. Nothing was changed. Name another file.`,
    { details: { file } },
  )
}
