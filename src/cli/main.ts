import { MillraceError } from '../index.ts'
import { addActCommands } from './act-commands.ts'
import { addCancelCommand } from './cancel-command.ts'
import { Command, CommanderError, Option } from './command-line.ts'
import { addCheckCommands } from './check-commands.ts'
import { addDownloadCommand } from './download-command.ts'
import { addEnqueueCommand } from './enqueue-command.ts'
import { EXIT, EXIT_HELP, exitCodeOf } from './exit-codes.ts'
import { addForceCommands } from './force-commands.ts'
import { addListCommand } from './list-command.ts'
import { LOG_FORMATS } from './log-format.ts'
import { addMigrateCommand } from './migrate-command.ts'
import { addOwnerCommands } from './owner-commands.ts'
import { addOverviewCommands } from './overview-commands.ts'
import { readVersion } from './package-files.ts'
import { addQueueCommands } from './queue-commands.ts'
import { addShowCommand } from './show-command.ts'
import { DEFAULT_URL } from './with-mill.ts'
import { addUpkeepCommands } from './upkeep-commands.ts'
import { addWorkerCommands } from './worker-commands.ts'

/** Carries out a command line. The exit code is left in `process.exitCode`. */
export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', endQuietly)
  try {
    await commandLine().parseAsync(argv)
  } catch (error) {
    process.exitCode = report(error, argv.includes('--json'))
  }
}

const EXAMPLES = `
Examples:
  millrace start ./jobs.js
  millrace enqueue mail.send --input '{"to":"ann@example.org"}'
  millrace list --state failed
  millrace show 0199d1c8-5b7e-7c31-9f60-2f1f5f0d9c11
  millrace explain 0199d1c8-5b7e-7c31-9f60-2f1f5f0d9c11`

function commandLine(): Command {
  const program = new Command('millrace')
  program
    .description(
      'A durable job queue in one SQLite file, or in PostgreSQL: look at its jobs, act on them, work on them.',
    )
    .version(readVersion())
    .addOption(new Option('--db <url>', 'the store').env('MILLRACE_URL').default(DEFAULT_URL, DEFAULT_URL))
    .addOption(new Option('--schema <name>', 'the schema of its tables, in PostgreSQL').env('MILLRACE_SCHEMA'))
    .option('--json', 'answer with one JSON document')
    .addOption(new Option('--log-format <format>', 'how workers log').choices(LOG_FORMATS))
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}`)
    .showHelpAfterError('(millrace --help, or --help after a command, tells more)')
    .exitOverride()
  addWorkerCommands(program)
  addEnqueueCommand(program)
  addListCommand(program)
  addShowCommand(program)
  addDownloadCommand(program)
  addCancelCommand(program)
  addActCommands(program)
  addForceCommands(program)
  addQueueCommands(program)
  addOverviewCommands(program)
  addOwnerCommands(program)
  addCheckCommands(program)
  addUpkeepCommands(program)
  addMigrateCommand(program)
  return program
}

/** What went wrong, in one line where it was foreseen, on standard error; commander has said its own already. */
function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (!(error instanceof MillraceError)) console.error(error)
  else if (json)
    console.error(JSON.stringify({ error: { code: error.code, message: error.message, details: error.details } }))
  else console.error(`millrace: ${error.message} (${error.code})`)
  return exitCodeOf(error)
}

/** Whoever read the output has gone, as `head` does. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
}
