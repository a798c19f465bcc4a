import { MillraceError } from '../core/errors.ts'

/**
 * SQLite up to 3.51.2 can damage a WAL file that several connections use. Node 22.22.3 and 24.15 carry the mended one; 23 never got it.
 * The command line has the same rule once more, in words that an older Node can read.
 *
 * @param version as in `process.versions.node`
 * @throws MillraceError `node-too-old`, naming the Node to install
 */
export function checkNodeVersion(version: string): void {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  if (major > 24 || (major === 24 && minor >= 15)) return
  if (major === 22 && (minor > 22 || (minor === 22 && patch >= 3))) return
  throw new MillraceError(
    'node-too-old',
    `Millrace needs Node 24.15 or newer, or 22.22.3 and later of 22, and this is ${version}: install Node 24 from https://nodejs.org.`,
    { details: { version } },
  )
}
