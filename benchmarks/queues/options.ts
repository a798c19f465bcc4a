/** The command line: what to measure, with whom, how often. */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { CommanderError } from 'commander'
import type { Settings } from './contenders/contender.ts'
import { CONTENDERS, GROUPS } from './contenders/find-contender.ts'
import { MEASURES } from './measures/find-measure.ts'
import type { Size } from './measures/measure.ts'
import { VIEWS } from './views.ts'

export interface BenchOptions {
  readonly only: readonly string[]
  readonly contenders: readonly string[]
  readonly settings: readonly string[]
  readonly rounds: number
  readonly size: Size
  /** Where the results go as JSON; null: nowhere. */
  readonly json: string | null
}

interface Parsed {
  readonly quick?: true
  readonly tiny?: true
  readonly json?: string
  readonly rounds?: number
  readonly only?: readonly string[]
  readonly contenders?: readonly string[]
  readonly settings?: readonly string[]
}

const ROUNDS: Readonly<Record<Size, number>> = { full: 3, quick: 1, tiny: 1 }
const MAX_ROUNDS = 99
const SETTINGS: readonly Settings[] = ['best', 'defaults']

/**
 * @throws CommanderError, with the exit code: 0 after the help, 2 for an option that is wrong; what there is to say has been printed
 */
export function readOptions(args: readonly string[]): BenchOptions {
  const measures = [...MEASURES, ...VIEWS].map(({ name }) => name)
  const command = new Command('npm run bench --')
    .description(
      'Measures Millrace beside other queues, and prints tables. Without options: everything, at full length.',
    )
    .option(
      '--quick',
      'small counts and one round, without the queues on PostgreSQL unless they are named: under three minutes',
    )
    .option('--rounds <n>', 'how often everything runs; the tables show medians', readRounds)
    .option('--only <measure,...>', `these measures: ${measures.join(', ')}`, (list) => readList(list, measures))
    .option('--contenders <name,...>', `these: ${CONTENDERS.join(', ')}`, (list) => readList(list, CONTENDERS))
    .option('--settings <name,...>', `at these settings: ${SETTINGS.join(', ')}`, (list) => readList(list, SETTINGS))
    .option('--json <file>', 'also writes everything that was measured to that file', readFile)
    .addOption(new Option('--tiny', 'counts that show whether it works').hideHelp())
    .allowExcessArguments(false)
    .exitOverride()
  command.parse([...args], { from: 'user' })
  const { quick, tiny, json = null, rounds, only = measures, settings = SETTINGS, ...named } = command.opts<Parsed>()
  const size = tiny === true ? 'tiny' : sizeOf(quick)
  const contenders = named.contenders ?? (size === 'quick' ? GROUPS['SQLite and Redis'] : CONTENDERS)
  return { only, contenders, settings, rounds: rounds ?? ROUNDS[size], size, json }
}

/** Any wrong option is 2, as with the command `millrace`. */
export function exitCodeOf(error: CommanderError): number {
  return error.exitCode === 0 ? 0 : 2
}

function sizeOf(quick: true | undefined): Size {
  return quick === true ? 'quick' : 'full'
}

/** An hour later would be a bad moment to learn that there is no such folder. */
function readFile(path: string): string {
  if (existsSync(dirname(resolve(path)))) return path
  throw new InvalidArgumentError(`There is no folder ${dirname(resolve(path))}.`)
}

function readRounds(text: string): number {
  const rounds = Number(text)
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= MAX_ROUNDS) return rounds
  throw new InvalidArgumentError(`It is a whole number from 1 to ${MAX_ROUNDS}.`)
}

function readList(list: string, known: readonly string[]): string[] {
  const names = list.split(',')
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return names
  throw new InvalidArgumentError(`There is no "${unknown}", only ${known.join(', ')}.`)
}
