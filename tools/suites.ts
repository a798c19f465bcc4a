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

/**
 * - `none`: no test of it asks for a server
 * - `beside`: tests that ask for a server are handed the one of the run
 * - `instead`: the folder's tests once more, on PostgreSQL in place of SQLite
 */
type PostgresUse = 'none' | 'beside' | 'instead'

/** How the table says it. */
const postgresUses: Readonly<Record<string, PostgresUse>> = { '–': 'none', beside: 'beside', instead: 'instead' }

export interface Suite {
  /** Its folder's; `<folder>-postgres` if it runs on PostgreSQL instead. */
  readonly name: string
  readonly folder: string
  readonly mode: SuiteMode
  readonly postgres: PostgresUse
  /** What the suite may take on the machine named in CONTRIBUTING.md. */
  readonly budgetSeconds: number
  /** Test files, from the root of the project. */
  readonly files: readonly string[]
}

const row =
  /^\| `test\/(?<folder>[a-z-]+)` *\|.*\| (?<mode>together|alone|packed|tsc) *\| (?<postgres>–|beside|instead) *\| *(?<budget>\d+) *\|$/gm

/**
 * Reads the table and the folders it names.
 *
 * @throws {Error} if a folder has no row, or a suite two.
 */
export function readSuites(root: string): Suite[] {
  const table = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')
  const suites = [...table.matchAll(row)].map(({ groups = {} }) => suiteOf(root, groups))
  const names = suites.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`the suite ${twice} has two rows in CONTRIBUTING.md`)
  const folders = new Set(suites.map(({ folder }) => folder))
  const homeless = globSync('test/**/*.test.ts', { cwd: root }).find(
    (file) => !folders.has(file.split(/[\\/]/)[1] ?? ''),
  )
  if (homeless !== undefined) throw new Error(`${homeless} is in no suite: give its folder a row in CONTRIBUTING.md`)
  return suites
}

function suiteOf(root: string, { folder = '', budget, ...cells }: Readonly<Record<string, string>>): Suite {
  const mode = modes.find((known) => known === cells['mode']) ?? 'together'
  const postgres = postgresUses[cells['postgres'] ?? ''] ?? 'none'
  const files = globSync(`test/${folder}/**/*.test.ts`, { cwd: root, exclude: ['**/node_modules/**'] }).toSorted()
  const name = postgres === 'instead' ? `${folder}-postgres` : folder
  return { name, folder, mode, postgres, budgetSeconds: Number(budget), files }
}

/** Suites in the order in which they run: those that must be alone come last. */
export function inOrder(suites: readonly Suite[]): Suite[] {
  return suites.toSorted((a, b) => modes.indexOf(a.mode) - modes.indexOf(b.mode))
}
