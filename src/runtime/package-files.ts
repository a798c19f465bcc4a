/**
 * Finding what is no module of the program: the file that a thread of a store's runs, and the store's migrations. Both are in the room of the
 * store, or, from inside a bundle, in the installed package.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MillraceError } from '../core/errors.ts'

/** Where the file of a thread is looked for. */
export interface ThreadFiles {
  /** The folder that it is in. */
  readonly room: 'sqlite' | 'postgres' | 'isolation'
  /** `import.meta.url` of a file of that folder; a bundler that makes CommonJS leaves none. */
  readonly here: string | undefined
  /** What the package exports the thread's file as. */
  readonly exported: string
  /** What is not found, for people, and the option that says where it is. */
  readonly what: string
  readonly option: string
}

/** Where a store's files are looked for. */
export interface StoreFiles extends ThreadFiles {
  /** Whether a folder `migrations` beside a bundle is this store's. */
  readonly besideBundle: boolean
}

export function findThreadFile(files: ThreadFiles, given?: string | URL): URL {
  if (given !== undefined) return checked(files, given instanceof URL ? given : pathToFileURL(given))
  return besideHere(files) ?? inInstalledPackage(files) ?? missing(files, null)
}

const FIRST_MIGRATION = '0001_create_core.sql'

/** The folder of the migrations. */
export function findMigrations(files: StoreFiles): URL {
  return (
    migrationsBeside(besideHere(files)?.href ?? (files.besideBundle ? files.here : undefined)) ??
    migrationsBeside(inInstalledPackage(files)?.href) ??
    missing(files, null)
  )
}

function migrationsBeside(file: string | undefined): URL | null {
  if (file === undefined) return null
  const folder = new URL('./migrations/', file)
  return existsSync(new URL(FIRST_MIGRATION, folder)) ? folder : null
}

function besideHere({ here, room }: ThreadFiles): URL | null {
  if (here === undefined) return null
  const file = new URL(here.endsWith('.ts') ? './thread.ts' : './thread.js', here)
  // A bundle may lie next to a thread.js of somebody else's: ours is in a folder of its own.
  return here.includes(`/${room}/`) && existsSync(file) ? file : null
}

/** From the program's own folder, or the one it was started in. */
function inInstalledPackage({ exported }: ThreadFiles): URL | null {
  const starts = [process.argv[1], join(process.cwd(), 'package.json')].filter((start) => start !== undefined)
  for (const start of starts) {
    try {
      return pathToFileURL(createRequire(start).resolve(exported))
    } catch {
      // Not from here.
    }
  }
  return null
}

function checked(files: ThreadFiles, file: URL): URL {
  return existsSync(file) ? file : missing(files, file)
}

function missing({ exported, what, option }: ThreadFiles, file: URL | null): never {
  const where =
    file === null ? 'neither beside the code nor as the installed package "millrace"' : `not at ${file.pathname}`
  throw new MillraceError(
    'thread-missing',
    `${what} not found (${where}). With a bundler, keep "millrace" out of the bundle (esbuild: --external:millrace), ` +
      `or pass ${option}: the path of a copy of "${exported}" and what it imports.`,
    { details: { file: file === null ? null : file.pathname } },
  )
}
