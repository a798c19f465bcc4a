/** Cancels one job, or all that match. */
import type { CancelledMany, CancelOptions, CancelPreview } from '../index.ts'
import type { Command } from './command-line.ts'
import { addFilterOptions, filterOf } from './filter-flags.ts'
import type { FilterFlags } from './filter-flags.ts'
import { readNumber } from './option-readers.ts'
import { printable } from './printable.ts'
import type { Screen } from './screen.ts'
import { withMill } from './with-mill.ts'

interface CancelFlags extends FilterFlags {
  readonly actor?: string
  readonly reason?: string
  readonly dryRun?: boolean
  readonly limit?: number
}

const EXAMPLES = `
Examples:
  millrace cancel 0199d1c8-… --actor ann --reason 'wrong region'
  millrace cancel --type map.export --tenant acme --dry-run
  millrace cancel --state queued,scheduled --label course=c-12`

export function addCancelCommand(program: Command): void {
  const command = program
    .command('cancel')
    .summary('cancel a job, or all that match')
    .description(
      'Cancels a job, or all that match and are not over. One that runs is told to stop; a completed or failed one is a conflict (exit code 4).',
    )
    .argument('[id]', 'its id; without one, all jobs that match the options')
    .option('--actor <name>', 'who cancels; default system')
    .option('--reason <text>', 'why')
  addFilterOptions(command)
    .option('--dry-run', 'only count those that match')
    .option('--limit <number>', 'at most this many of those that match, the newest first', readNumber)
    .addHelpText('after', EXAMPLES)
    .action(async (id: string | undefined, flags: CancelFlags) => {
      if (id === undefined) await cancelMatching(command, flags)
      else await cancelOne(command, id, flags)
    })
}

function reasonsOf({ actor, reason }: CancelFlags): CancelOptions {
  return { ...(actor === undefined ? {} : { actor }), ...(reason === undefined ? {} : { reason }) }
}

async function cancelOne(command: Command, id: string, flags: CancelFlags): Promise<void> {
  const { actor: _actor, reason: _reason, ...others } = flags
  const [other] = Object.keys(others)
  if (other !== undefined)
    command.error(`error: an id names one job, so there is nothing for --${dashed(other)} to say`)
  await withMill(command, { creates: false }, async ({ mill, screen }) => {
    const answer = await mill.cancel(id, reasonsOf(flags))
    if (screen.json) screen.answer(answer)
    else if (answer.state === 'running') screen.print(`Job ${answer.jobId} runs, and is told to stop.`)
    else screen.print(`Job ${answer.jobId} is cancelled, by ${printable(answer.cancelledBy)}.`)
  })
}

function dashed(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

async function cancelMatching(command: Command, flags: CancelFlags): Promise<void> {
  const filter = filterOf(flags)
  if (Object.keys(filter).length === 0) command.error('error: name a job, or say which jobs: --type, --state, …')
  const limit = flags.limit === undefined ? {} : { limit: flags.limit }
  await withMill(command, { creates: false }, async ({ mill, screen }) => {
    const answer = await mill.cancelMany(filter, { ...reasonsOf(flags), ...limit, preview: flags.dryRun === true })
    if (screen.json) screen.answer(answer)
    else screen.print(answer.preview ? previewLine(answer) : doneLine(screen, answer))
  })
}

function previewLine({ waiting, running }: CancelPreview): string {
  return `${waiting} waiting and ${running} running match. Nothing was changed.`
}

function doneLine(screen: Screen, answer: CancelledMany): string {
  const { cancelled, stopping, alreadyStopping, alreadyFinal, skipped, more } = answer
  if (more) screen.note('More match: cancel again, or with a higher --limit.')
  const rest = [
    [alreadyStopping, 'had been told before'],
    [alreadyFinal, 'had ended by then'],
    [skipped, 'had begun to run, or were deleted'],
  ] as const
  const told = rest.flatMap(([count, what]) => (count === 0 ? [] : [`; ${count} ${what}`]))
  return `${cancelled} cancelled, ${stopping} told to stop${told.join('')}.`
}
