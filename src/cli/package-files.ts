import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of the package: two up from here, in `src/` as in `dist/`. */
const ROOT = join(import.meta.dirname, '..', '..')

export function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const isNamed = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return isNamed ? String(manifest.version) : 'unknown'
}

/** The example of the project itself; the published package has none. Null: it is not there. */
export function findExample(): string | null {
  const path = join(ROOT, 'examples', 'map-export', 'index.ts')
  return existsSync(path) ? path : null
}
