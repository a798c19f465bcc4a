/**
 * Runs the tests, suite by suite, and prints the seconds of each beside its budget.
 *
 *     npm test                           every suite that needs no build
 *     npm test -- core sqlite            these suites
 *     npm test -- test/core/plan.test.ts these files
 *     npm test -- core --name cancel     tests whose name matches
 *     npm test -- --verbose              one line for every test
 *     npm run test:all                   builds, then runs the packed suites too
 *     npm run test:long                  the same tests with counts ten times larger
 */
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'

import { POSTGRES_VARIABLE, startPostgres } from '../test/support/postgres-server.ts'
import { scaled } from '../test/support/scale.ts'
import { findGaps, gatedFiles } from './coverage-gate.ts'
import { addTally, formatTally, runFiles, type Tally } from './run-files.ts'
import { inOrder, readSuites, type Suite } from './suites.ts'

const root = join(import.meta.dirname, '..')
/** A file that takes longer hangs: it is ended and counted as failed. */
const hangMs = 600_000
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    all: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    name: { type: 'string', multiple: true, default: [] },
  },
})

async function main(): Promise<void> {
  if (options.long) process.env['MILLRACE_TEST_SCALE'] ??= '10'
  const startedAt = performance.now()
  const sum: Tally = { passed: 0, failed: 0, skipped: 0 }
  const suites = inOrder(chooseSuites(readSuites(root)))
  const server = suites.some(({ postgres }) => postgres !== 'none') ? await startPostgres() : null
  try {
    for (const suite of suites) addTally(sum, await runSuite(suite, server?.url ?? ''))
  } finally {
    await server?.stop()
  }
  console.log(`\n${secondsSince(startedAt).toFixed(1)} s`)
  if (sum.passed + sum.failed === 0) console.log('no test ran')
  if (sum.failed > 0 || sum.passed === 0) process.exitCode = 1
  console.log(formatTally(sum))
}

function chooseSuites(suites: readonly Suite[]): Suite[] {
  if (positionals.length === 0) return suites.filter(({ mode }) => mode !== 'tsc' && (mode !== 'packed' || options.all))
  const known = new Set(suites.flatMap(({ name, files }) => [name, ...files]))
  const files = positionals.map((word) =>
    known.has(word) ? word : relative(root, resolve(word)).replaceAll('\\', '/'),
  )
  const unknown = files.find((word) => !known.has(word))
  if (unknown !== undefined) throw new Error(`"${unknown}" is neither a suite nor a test file of one`)
  return suites
    .map((suite) =>
      files.includes(suite.name) ? suite : { ...suite, files: suite.files.filter((file) => files.includes(file)) },
    )
    .filter((suite) => files.includes(suite.name) || suite.files.length > 0)
}

async function runSuite(suite: Suite, postgresUrl: string): Promise<Tally> {
  const { name, folder, mode, files, budgetSeconds } = suite
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 }
  if (files.length === 0) {
    console.log(`✖ test/${folder} holds no test file: write one, or remove its row from CONTRIBUTING.md`)
    return { ...tally, failed: 1 }
  }
  const startedAt = performance.now()
  const gated = name === 'core' && options.name.length === 0 && !positionals.some((word) => word.endsWith('.ts'))
  const { tally: counted, coverage } = await runFiles({
    root,
    files,
    concurrency: mode === 'together' ? 2 : 1,
    timeoutMs: scaled(hangMs),
    names: options.name,
    env: environmentOf(suite, postgresUrl),
    verbose: options.verbose,
    ...(gated ? { coverage: gatedFiles } : {}),
  })
  addTally(tally, counted)
  if (gated) addTally(tally, passGate(coverage === undefined ? ['nothing was measured'] : findGaps(root, coverage)))
  printSuite(name, tally, secondsSince(startedAt), budgetSeconds)
  return tally
}

function environmentOf({ postgres }: Suite, postgresUrl: string): NodeJS.ProcessEnv {
  if (postgres === 'none') return process.env
  const handed = { ...process.env, [POSTGRES_VARIABLE]: postgresUrl }
  return postgres === 'instead' ? { ...handed, MILLRACE_TEST_STORE: 'postgres' } : handed
}

/** The gate counts as one test, so that the last line says no less than the exit code. */
function passGate(gaps: readonly string[]): Tally {
  if (gaps.length === 0) return { passed: 1, failed: 0, skipped: 0 }
  console.log(`\n✖ the tests of src/core leave gaps\n    ${gaps.join('\n    ')}`)
  return { passed: 0, failed: 1, skipped: 0 }
}

function printSuite(name: string, tally: Tally, seconds: number, budget: number): void {
  const timing = `${seconds.toFixed(1)} s of ${budget} s${seconds > budget ? ', over its budget' : ''}`
  console.log(`${name.padEnd(21)}${formatTally(tally).padEnd(40)}${timing}`)
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000
}

await main()
