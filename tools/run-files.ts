/** Runs test files, each in a process of its own, and counts what happened. */
import { relative, resolve } from 'node:path'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'
import { inspect } from 'node:util'

export interface Tally {
  passed: number
  failed: number
  skipped: number
}

export interface RunFiles {
  readonly root: string
  readonly files: readonly string[]
  /** How many files run at a time. */
  readonly concurrency: number
  /** How long one file may take before it is ended and counted as failed: only for a test that hangs. */
  readonly timeoutMs: number
  /** Only tests whose names match one of these. Empty: all. */
  readonly names: readonly string[]
  /** The environment of each file's process. */
  readonly env: NodeJS.ProcessEnv
  /** Print every test as it ends, instead of failures only. */
  readonly verbose: boolean
  /** Measure the coverage of the files that match this pattern. */
  readonly coverage?: string
}

export interface FilesRun {
  readonly tally: Tally
  readonly coverage?: CoverageSummary
}

type EventData<Type extends TestEvent['type']> = Extract<TestEvent, { type: Type }>['data']

export type CoverageSummary = EventData<'test:coverage'>['summary']

/** Runs the files and resolves when the last has ended. A file without a single test counts as one failure. */
export async function runFiles(params: RunFiles): Promise<FilesRun> {
  const { root, files, concurrency, timeoutMs, names, env, verbose, coverage } = params
  const events = run({
    cwd: root,
    files: files.map((file) => resolve(root, file)),
    concurrency,
    timeout: timeoutMs,
    env,
    execArgv: ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning'],
    ...(names.length === 0 ? {} : { testNamePatterns: [...names] }),
    ...(coverage === undefined ? {} : { coverage: true, coverageIncludeGlobs: [coverage] }),
  })
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 }
  const empty: string[] = []
  const summaries: CoverageSummary[] = []
  events.on('test:pass', ({ name, file, nesting }) => {
    if (nesting === 0 && file !== undefined && resolve(root, name) === resolve(file)) empty.push(relative(root, file))
  })
  events.on('test:coverage', ({ summary }) => summaries.push(summary))
  events.on('test:summary', ({ file, counts }) => {
    if (file === undefined) addCounts(tally, counts)
  })
  if (verbose) events.compose(spec).pipe(process.stdout, { end: false })
  else {
    events.on('test:stderr', ({ message }) => process.stderr.write(message))
    events.on('test:fail', (failure) => printFailure(root, failure))
    events.resume()
  }
  await finished(events)
  refuseEmpty(tally, empty, names.length > 0)
  return { tally, ...(summaries[0] === undefined ? {} : { coverage: summaries[0] }) }
}

/** Adds one tally to another, in place. */
export function addTally(sum: Tally, { passed, failed, skipped }: Tally): void {
  sum.passed += passed
  sum.failed += failed
  sum.skipped += skipped
}

export function formatTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

function addCounts(sum: Tally, counts: EventData<'test:summary'>['counts']): void {
  const { tests, passed } = counts
  const skipped = counts.skipped + counts.todo
  addTally(sum, { passed, failed: tests - passed - skipped, skipped })
}

/** A file that holds no test is reported by Node as one test that passed. */
function refuseEmpty(tally: Tally, empty: readonly string[], filtered: boolean): void {
  tally.passed -= empty.length
  if (filtered) return
  tally.failed += empty.length
  for (const file of empty) console.log(`\n✖ ${file} holds no test`)
}

function printFailure(root: string, { name, file, line, details }: EventData<'test:fail'>): void {
  const { error } = details
  if ('failureType' in error && error.failureType === 'subtestsFailed') return
  const place = file === undefined ? '' : ` (${relative(root, file)}:${line ?? 1})`
  console.log(`\n✖ ${name}${place}\n${inspect(error.cause ?? error).replaceAll(/^/gm, '    ')}`)
}
