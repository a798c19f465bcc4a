/**
 * The queue benchmark: Millrace beside the bare tables and other queues.
 *
 *     npm run bench                                    everything
 *     npm run bench -- --quick --json results.json     in under three minutes, roughly
 *     npm run bench -- --only drain --contenders millrace,raw
 *
 * Every run has a process, a store and a folder of its own. All contenders take turns in one benchmark, every other round backwards, so
 * that a slow moment of the machine meets them all alike. Those on PostgreSQL share one server, with a database for each run. Progress goes to the standard error, the tables to the standard output.
 */
import { writeFileSync } from 'node:fs'
import { CommanderError } from 'commander'
import { familyOf, findContender, groupOf } from './contenders/find-contender.ts'
import type { ContenderName } from './contenders/find-contender.ts'
import { postgresServer } from './contenders/postgres-server.ts'
import { summarize } from './figures.ts'
import { readMachine } from './machine.ts'
import { MEASURES } from './measures/find-measure.ts'
import { countFor } from './measures/measure.ts'
import type { Entry, Measure } from './measures/measure.ts'
import { exitCodeOf, readOptions } from './options.ts'
import type { BenchOptions } from './options.ts'
import { reportOf } from './report.ts'
import { RESULTS_VERSION } from './results.ts'
import type { ContenderFacts, Results, Run, Skipped } from './results.ts'
import { startRun, stopRuns } from './start-run.ts'
import { VIEWS } from './views.ts'

/** By a signal: everything is being ended. */
let stopped = false

async function bench(options: BenchOptions): Promise<void> {
  const needed = new Set(
    options.only.flatMap((name) => [name, ...(VIEWS.find((view) => view.name === name)?.from ?? [])]),
  )
  const measures = MEASURES.filter(({ name }) => needed.has(name))
  const wanted = measures.map((measure) => ({
    measure,
    entries: measure.entries.filter(
      ({ contender, settings }) =>
        options.contenders.includes(familyOf(contender)) && options.settings.includes(settings),
    ),
  }))
  const names = new Set(wanted.flatMap(({ entries }) => entries.map(({ contender }) => contender)))
  const skipped = await findAbsent(names)
  for (const { contender, label, reason } of skipped) {
    names.delete(contender)
    say(`${label} skipped: ${reason}`)
  }
  const onPostgres = [...names].some((name) => groupOf(name) === 'PostgreSQL')
  const machine = readMachine(onPostgres ? (await postgresServer()).version : null)
  const runs: Run[] = []
  for (const { measure, entries } of wanted) {
    const present = entries.filter(({ contender }) => names.has(contender))
    for (let round = 0; round < options.rounds; round++) {
      const order = round % 2 === 0 ? present : present.toReversed()
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
  const views = VIEWS.filter(({ name }) => options.only.includes(name))
  console.log(reportOf(results, { measures, views }))
}

async function runEntry(measure: Measure, entry: Entry, round: number, { size, rounds }: BenchOptions): Promise<Run> {
  const startedAt = performance.now()
  const count = countFor(measure, entry, size)
  const figures = await startRun({ ...entry, measure, count })
  const told = measure.figures.map(({ key, label, digits }) => `${figures[key]?.toFixed(digits) ?? 'no'} ${label}`)
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  const name = [entry.contender, entry.settings, entry.variant].filter((word) => word !== null).join(' ')
  say(`${measure.name} ${round + 1}/${rounds}  ${name.padEnd(20)}  ${[...told, `${seconds} s in all`].join(', ')}`)
  return { ...entry, measure: measure.name, round, count, figures }
}

interface Absent extends Skipped {
  readonly contender: ContenderName
  readonly label: string
}

async function findAbsent(names: ReadonlySet<ContenderName>): Promise<Absent[]> {
  const found: Absent[] = []
  for (const contender of names) {
    const known = await findContender(contender, 'best')
    const reason = await known.unavailable()
    if (reason !== null) found.push({ contender, label: known.label, reason })
  }
  return found
}

async function factsOf(runs: readonly Run[]): Promise<ContenderFacts[]> {
  const keys = new Map(runs.map(({ contender, settings }) => [`${contender} ${settings}`, { contender, settings }]))
  return Promise.all(
    [...keys.values()].map(async ({ contender, settings }) => {
      const { name, label, durable, durability } = await findContender(contender, settings)
      return { name, settings, label, group: groupOf(contender), durable, durability }
    }),
  )
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** As a shell tells of a process that a signal has ended. */
const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143 } as const

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // A shell may send it to npm and to this process, and npm hands it on: the second one changes nothing.
  process.on(signal, () => {
    if (stopped) return
    stopped = true
    void stopRuns().finally(() => process.exit(SIGNAL_EXIT[signal]))
  })
}

try {
  await bench(readOptions(process.argv.slice(2)))
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = exitCodeOf(error)
  // A run that was stopped has failed, which is no news.
  else if (!stopped) throw error
} finally {
  await stopRuns()
}
