/**
 * The queue benchmark: Millrace beside the bare tables and other queues.
 *
 *     npm run bench                                    everything
 *     npm run bench -- --quick --json results.json     all of it in less than three minutes, roughly
 *     npm run bench -- --only drain --contenders millrace,raw
 *
 * Every run has a process, a store and a folder of its own. All contenders take turns in one benchmark, every other round backwards, so
 * that a slow moment of the machine meets them all alike. Progress goes to the standard error, the tables to the standard output.
 */
import { writeFileSync } from 'node:fs'
import { CommanderError } from 'commander'
import { CONTENDERS, findContender } from './contenders/find-contender.ts'
import type { ContenderName } from './contenders/find-contender.ts'
import { summarize } from './figures.ts'
import { readMachine } from './machine.ts'
import { MEASURES } from './measures/find-measure.ts'
import type { Entry, Measure } from './measures/measure.ts'
import { exitCodeOf, readOptions } from './options.ts'
import type { BenchOptions } from './options.ts'
import { reportOf } from './report.ts'
import { RESULTS_VERSION } from './results.ts'
import type { ContenderFacts, Results, Run, Skipped } from './results.ts'
import { startRun, stopRuns } from './start-run.ts'

async function bench(options: BenchOptions): Promise<void> {
  const measures = MEASURES.filter(({ name }) => options.only.includes(name))
  const skipped = await findSkipped(options.contenders)
  for (const { label, reason } of skipped) say(`${label} skipped: ${reason}`)
  const absent = new Set(skipped.map(({ contender }) => contender))
  const present = new Set(options.contenders.filter((name) => !absent.has(name)))
  const machine = readMachine()
  const runs: Run[] = []
  for (const measure of measures) {
    const entries = measure.entries.filter(({ contender }) => present.has(familyOf(contender)))
    for (let round = 0; round < options.rounds; round++) {
      const order = round % 2 === 0 ? entries : entries.toReversed()
      for (const entry of order) runs.push(await runEntry(measure, entry, round, options))
    }
  }
  const results: Results = {
    version: RESULTS_VERSION,
    date: new Date().toISOString(),
    machine,
    rounds: options.rounds,
    quick: options.size !== 'full',
    contenders: await factsOf(runs),
    skipped: skipped.map(({ contender, reason }) => ({ contender, reason })),
    runs,
    figures: measures.flatMap((measure) => summarize(measure, runs)),
  }
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`)
  console.log(reportOf(results, measures))
}

async function runEntry(measure: Measure, entry: Entry, round: number, { size, rounds }: BenchOptions): Promise<Run> {
  const startedAt = performance.now()
  const figures = await startRun({ ...entry, measure, count: measure.count[size] })
  const told = measure.figures.map(({ key, label, digits }) => `${(figures[key] ?? 0).toFixed(digits)} ${label}`)
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  const name = [entry.contender, entry.settings, entry.variant].filter((word) => word !== null).join(' ')
  say(`${measure.name} ${round + 1}/${rounds}  ${name.padEnd(20)}  ${told.join(', ')}  (${seconds} s)`)
  return { ...entry, measure: measure.name, round, count: measure.count[size], figures }
}

async function findSkipped(wanted: readonly string[]): Promise<(Skipped & { readonly label: string })[]> {
  const found: (Skipped & { readonly label: string })[] = []
  for (const name of CONTENDERS) {
    if (!wanted.includes(name)) continue
    const contender = await findContender(name, 'best')
    const reason = await contender.unavailable()
    if (reason !== null) found.push({ contender: name, label: contender.label, reason })
  }
  return found
}

async function factsOf(runs: readonly Run[]): Promise<ContenderFacts[]> {
  const keys = new Map(runs.map(({ contender, settings }) => [`${contender} ${settings}`, { contender, settings }]))
  return Promise.all(
    [...keys.values()].map(async ({ contender, settings }) => {
      const { name, label, durability } = await findContender(contender, settings)
      return { name, settings, label, durability }
    }),
  )
}

/** A variant runs whenever the contender does that it varies. */
function familyOf(name: ContenderName): string {
  return CONTENDERS.find((known) => name === known || name.startsWith(`${known}-`)) ?? name
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stopRuns().finally(() => process.exit(130)))
}

try {
  await bench(readOptions(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = exitCodeOf(error)
} finally {
  await stopRuns()
}
