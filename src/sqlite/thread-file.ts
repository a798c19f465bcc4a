/** Finding the file of the store's thread: beside this one, or, from inside a bundle, in the installed package. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MillraceError } from '../core/errors.ts'

export function findThreadFile(given: string | URL | undefined): URL {
  if (given !== undefined) return checked(given instanceof URL ? given : pathToFileURL(given))
  return besideThisFile() ?? inInstalledPackage() ?? missing(null)
}

function besideThisFile(): URL | null {
  // A bundler that makes CommonJS leaves no `import.meta.url`.
  const here: string | undefined = import.meta.url
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
    `The file of the store's thread was not found (${where}). With a bundler, keep "millrace" out of the bundle (esbuild: --external:millrace), ` +
      'or pass openMillrace the option threadFile: the path of a copy of "millrace/sqlite-thread" and what it imports.',
    { details: { file: file === null ? null : file.pathname } },
  )
}
