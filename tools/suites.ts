/** The suites of `npm test`, read from the table in CONTRIBUTING.md, which is their only home. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * - `together`: two files at a time
 * - `alone`: one file at a time, after all others, because it measures or kills processes
 * - `packed`: as `alone`, and only once `dist/` is built
 * - `tsc`: compiled by `npm run check`, never run
 */
type SuiteMode = 'together' | 'alone' | 'packed' | 'tsc'

/** The modes in the order in which their suites run. */
const modes: readonly SuiteMode[] = ['tsc', 'together', 'alone', 'packed']

export interface Suite {
  readonly name: string
  readonly mode: SuiteMode
  /** What the suite may take on the machine named in CONTRIBUTING.md. */
  readonly budgetSeconds: number
  /** Test files, from the root of the project. */
  readonly files: readonly string[]
}

const row = /^\| `test\/(?<name>[a-z-]+)` *\|.*\| (?<mode>together|alone|packed|tsc) *\| *(?<budget>\d+) *\|$/gm

/**
 * Reads the table and the folders it names.
 *
 * @throws {Error} if a folder has no row, or a row no test file.
 */
export function readSuites(root: string): Suite[] {
  const table = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')
  const suites = [...table.matchAll(row)].map(({ groups = {} }): Suite => {
    const { name = '', budget } = groups
    const mode = modes.find((known) => known === groups['mode']) ?? 'together'
    const files = globSync(`test/${name}/**/*.test.ts`, { cwd: root, exclude: ['**/node_modules/**'] }).toSorted()
    return { name, mode, budgetSeconds: Number(budget), files }
  })
  const names = new Set(suites.map(({ name }) => name))
  const homeless = globSync('test/**/*.test.ts', { cwd: root }).find((file) => !names.has(file.split(/[\\/]/)[1] ?? ''))
  if (homeless !== undefined) throw new Error(`${homeless} is in no suite: give its folder a row in CONTRIBUTING.md`)
  return suites
}

/** Suites in the order in which they run: those that must be alone come last. */
export function inOrder(suites: readonly Suite[]): Suite[] {
  return suites.toSorted((a, b) => modes.indexOf(a.mode) - modes.indexOf(b.mode))
}
