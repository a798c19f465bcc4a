/** Working on jobs: work, start. */
import { FINAL_STATES, InvalidInputError, systemRuntime } from '../index.ts'
import type { Logger, Millrace, Worker } from '../index.ts'
import type { Command } from './command-line.ts'
import { EXIT } from './exit-codes.ts'
import { followJob } from './follow-job.ts'
import type { Outlet } from './follow-job.ts'
import { importJobModule } from './job-module.ts'
import type { ExampleJob, JobModule } from './job-module.ts'
import { formatLogger } from './log-format.ts'
import type { LogFormat } from './log-format.ts'
import { formatSpan } from './moments.ts'
import { readDuration, readNumber } from './option-readers.ts'
import { findExample, readVersion } from './package-files.ts'
import { printable } from './printable.ts'
import { openScreen } from './screen.ts'
import type { Screen } from './screen.ts'
import { stopSignal } from './stop-signal.ts'
import { openAt, readGlobals } from './with-mill.ts'

interface WorkFlags {
  readonly concurrency?: number
  readonly drain?: ReturnType<typeof readDuration>
}

const WORK_EXAMPLES = `
Examples:
  millrace work ./handlers.js
  millrace work ./handlers.ts --concurrency 4 --drain 1m --log-format json`

const START_EXAMPLES = `
Examples:
  millrace start ./handlers.js
  npm start                          (in a copy of Millrace itself: makes a map)`

export function addWorkerCommands(program: Command): void {
  program
    .command('start')
    .summary('work on the jobs of a module, in ./data/millrace.db')
    .description(
      'Starts a worker with the handlers that a module exports. Where the module exports exampleJobs too, they are enqueued, unless they ' +
        'are there, and shown phase by phase. Ctrl-C stops: running jobs may end; once more ends at once.',
    )
    .argument('[module]', 'the module; in a copy of Millrace itself its example, otherwise it must be named')
    .option('--concurrency <number>', 'how many jobs run at a time; default 10', readNumber)
    .option('--drain <duration>', 'how long running jobs may take to end; default 30s', readDuration)
    .addHelpText('after', START_EXAMPLES)
    .action(async (module: string | undefined, flags: WorkFlags, command: Command) => {
      await workOn(module ?? exampleModule(), flags, { command, isStart: true })
    })
  program
    .command('work')
    .summary('work on the jobs of a module')
    .description(
      'Works on jobs with the handlers that a module exports, until Ctrl-C or SIGTERM: then running jobs may end, and what is unfinished ' +
        'goes back into the queue. A second one ends at once.',
    )
    .argument('<module>', 'the module; every export that is a handler, or a list of handlers, counts')
    .option('--concurrency <number>', 'how many jobs run at a time; default 10', readNumber)
    .option('--drain <duration>', 'how long running jobs may take to end; default 30s', readDuration)
    .addHelpText('after', WORK_EXAMPLES)
    .action(async (module: string, flags: WorkFlags, command: Command) => {
      await workOn(module, flags, { command, isStart: false })
    })
}

function exampleModule(): string {
  const example = findExample()
  if (example !== null) return example
  throw new InvalidInputError({
    path: 'module',
    expected: 'the module with your handlers, as in millrace start ./handlers.js',
  })
}

interface Invocation {
  readonly command: Command
  readonly isStart: boolean
}

async function workOn(path: string, flags: WorkFlags, { command, isStart }: Invocation): Promise<void> {
  const globals = readGlobals(command)
  const { logFormat } = globals
  const screen = openScreen(globals)
  const outlet: Outlet = { print: screen.print, following: false }
  const module = await importJobModule(path)
  const logger = loggerOf(screen, outlet, logFormat ?? (isStart || screen.isTerminal ? 'pretty' : 'json'))
  const quieter = logFormat === null ? withoutInfoWhileFollowing(logger, outlet) : logger
  const mill = await openAt(globals, { creates: true, logger: quieter, thread: true })
  const stopping = stopSignal(screen)
  try {
    const worker = await Promise.race([stopping, mill.work(module.handlers, optionsOf(flags))])
    if (typeof worker === 'string') return
    if (!isStart) {
      logger.info('WORKER_START', { store: mill.description, types: typesOf(module), kept: retentionOf(mill) })
    }
    if (isStart) await Promise.race([stopping, showExamples(mill, screen, { module, outlet })])
    await Promise.race([stopping, stoppedByItself(worker)])
    process.exitCode = worker.state === 'running' ? EXIT.ok : EXIT.failure
  } finally {
    await mill.close()
  }
}

function optionsOf({ concurrency, drain }: WorkFlags): WorkFlags {
  return { ...(concurrency === undefined ? {} : { concurrency }), ...(drain === undefined ? {} : { drain }) }
}

function loggerOf(screen: Screen, outlet: Outlet, format: LogFormat): Logger {
  return formatLogger({
    format,
    runtime: systemRuntime(),
    write: (line) => outlet.print(line),
    paint: screen.paint,
  })
}

/** The lines of the job that is followed say the same, and better. */
function withoutInfoWhileFollowing(logger: Logger, outlet: Outlet): Logger {
  return {
    ...logger,
    info: (message, fields) => {
      if (!outlet.following) logger.info(message, fields)
    },
  }
}

const LOOK_MS = 1_000

/** A worker with too many handlers that do not heed their signal takes no more jobs and stops. */
function stoppedByItself(worker: Worker): Promise<void> {
  const runtime = systemRuntime()
  const { promise, resolve } = Promise.withResolvers<void>()
  const look = (): void => {
    if (worker.state === 'stopped') resolve()
    else runtime.after(LOOK_MS, look, { idle: true })
  }
  look()
  return promise
}

function typesOf({ handlers }: JobModule): string {
  return handlers.map(({ definition }) => definition.name).join(', ')
}

/** How long jobs that are over are kept, unless their type says otherwise. */
function retentionOf({ cleanup }: Millrace): string {
  const rules = FINAL_STATES.map((state) => {
    const { ageMs, count } = cleanup.retention[state]
    const most = count === null ? '' : `, ${count} of a type`
    return `${state} ${ageMs === null ? 'for good' : formatSpan(ageMs)}${most}`
  })
  return rules.join('; ')
}

interface Examples {
  readonly module: JobModule
  readonly outlet: Outlet
}

async function showExamples(mill: Millrace, screen: Screen, { module, outlet }: Examples): Promise<void> {
  screen.print(`Millrace ${readVersion()} on ${mill.description}, working on ${printable(typesOf(module))}`)
  screen.print(`Jobs that are over are kept: ${retentionOf(mill)}.`)
  outlet.following = screen.isTerminal
  for (const example of module.exampleJobs) await showExample(mill, screen, { example, outlet })
  outlet.following = false
  screen.print('The worker waits for jobs. Ctrl-C stops it.')
}

async function showExample(
  mill: Millrace,
  screen: Screen,
  { example, outlet }: { readonly example: ExampleJob; readonly outlet: Outlet },
): Promise<void> {
  const { definition, input, key } = example
  const { outcome, job, state } = await mill.enqueue(definition, input, { key })
  if (state === 'deleted') return
  screen.print(`\n${printable(definition.name)} ${job.id}${outcome === 'created' ? '' : ' (was there already)'}`)
  await followJob(mill, screen, await mill.get(job.id), outlet)
  const done = await mill.get(job.id)
  if (done.state !== 'completed') screen.print(`The job is ${done.state}. To see why: millrace show ${job.id}`)
  for (const { id, name } of await mill.artifacts(job.id)) {
    const { path } = await mill.openArtifact(id)
    const where = path === null ? `millrace download ${id}` : printable(path)
    screen.print(`${printable(name)}: ${screen.paint('bold', where)}\n`)
  }
}
