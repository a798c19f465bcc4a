/** The rules in `src/core` are small and pure enough that every branch of them is run by their own tests. */
import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join, relative, resolve } from 'node:path'

import type { CoverageSummary } from './run-files.ts'

export const gatedFiles = 'src/core/**/*.ts'

/** Returns one line for each branch or function of the gated files that no test ran, and for each file none loaded. */
export function findGaps(root: string, summary: CoverageSummary): string[] {
  const measured = new Set(summary.files.map(({ path }) => resolve(path)))
  const unloaded = globSync(gatedFiles, { cwd: root }).filter(
    (file) => !measured.has(resolve(root, file)) && holdsCode(join(root, file)),
  )
  return [
    ...unloaded.map((file) => `${file}:1: no test loads this file`),
    ...summary.files.flatMap(({ path, branches, functions }) => [
      ...branches.filter(isMissed).map(({ line }) => `${relative(root, path)}:${line}: no test takes this branch`),
      ...functions.filter(isMissed).map(({ line, name }) => `${relative(root, path)}:${line}: no test calls ${name}`),
    ]),
  ]
}

function isMissed({ count }: { readonly count: number }): boolean {
  return count === 0
}

/** Whether anything is left of the file without its types: a file of types alone is never loaded. */
function holdsCode(path: string): boolean {
  const code = stripTypeScriptTypes(readFileSync(path, 'utf8'))
  return code.replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, '').trim() !== ''
}
