/**
 * Finding what is no module of the program: the file of the store's thread, and the migrations. Both are beside this file, or, from inside
 * a bundle, in the installed package.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MillraceError } from '../core/errors.ts'

export function findThreadFile(given: string | URL | undefined): URL {
  if (given !== undefined) return checked(given instanceof URL ? given : pathToFileURL(given))
  return besideThisFile() ?? inInstalledPackage() ?? missing(null)
}

const FIRST_MIGRATION = '0001_create_core.sql'

/** The folder of the migrations. */
export function findMigrations(): URL {
  return migrationsBeside(thisFile()) ?? migrationsBeside(inInstalledPackage()?.href) ?? missing(null)
}

function migrationsBeside(file: string | undefined): URL | null {
  if (file === undefined) return null
  const folder = new URL('./migrations/', file)
  return existsSync(new URL(FIRST_MIGRATION, folder)) ? folder : null
}

/** A bundler that makes CommonJS leaves no `import.meta.url`. */
function thisFile(): string | undefined {
  return import.meta.url
}

function besideThisFile(): URL | null {
  const here = thisFile()
  if (here === undefined) return null
  const file = new URL(here.endsWith('.ts') ? './thread.ts' : './thread.js', here)
  // A bundle may lie next to a thread.js of somebody else's: ours is in a folder of its own.
  return here.includes('/sqlite/') && existsSync(file) ? file : null
}

/** From the program's own folder, or the one it was started in. */
function inInstalledPackage(): URL | null {
  const starts = [process.argv[1], join(process.cwd(), 'package.json')].filter((start) => start !== undefined)
  for (const start of starts) {
    try {
      return pathToFileURL(createRequire(start).resolve('millrace/sqlite-thread'))
    } catch {
      // Not from here.
    }
  }
  return null
}

function checked(file: URL): URL {
  return existsSync(file) ? file : missing(file)
}

function missing(file: URL | null): never {
  const where =
    file === null ? 'neither beside the code nor as the installed package "millrace"' : `not at ${file.pathname}`
  throw new MillraceError(
    'thread-missing',
    `The files of the store (its thread's, and the migrations) were not found (${where}). With a bundler, keep "millrace" out of the bundle (esbuild: --external:millrace), ` +
      'or pass openMillrace the option threadFile: the path of a copy of "millrace/sqlite-thread" and what it imports.',
    { details: { file: file === null ? null : file.pathname } },
  )
}
