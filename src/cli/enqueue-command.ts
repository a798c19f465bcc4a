import type { EnqueueOptions, ListedJob, Millrace } from '../index.ts'
import type { Command } from './command-line.ts'
import { EXIT } from './exit-codes.ts'
import type { ExitCode } from './exit-codes.ts'
import { readDuration, readInstant, readJson, readLabel, readNumber } from './option-readers.ts'
import { printable } from './printable.ts'
import type { Screen } from './screen.ts'
import { withMill } from './with-mill.ts'

interface EnqueueFlags extends Omit<EnqueueOptions, 'labels'> {
  readonly input?: unknown
  readonly label?: Readonly<Record<string, string>>
  /** True where no time was given. */
  readonly wait?: ReturnType<typeof readDuration> | true
}

const EXAMPLES = `
Examples:
  millrace enqueue mail.send --input '{"to":"ann@example.org"}'
  millrace enqueue map.export --input @order.json --tenant acme --owner ann --key order-7
  millrace enqueue map.export --input - --label course=c-12 --delay 5m < order.json
  millrace enqueue map.export --input '{"region":"FRA"}' --wait 2m`

export function addEnqueueCommand(program: Command): void {
  program
    .command('enqueue')
    .summary('add a job')
    .description('Adds a job and prints its id. Its input is checked when it is worked on.')
    .argument('<type>', 'the name of its type')
    .option('--input <json>', 'its input: JSON, @file, or - for standard input; default null', readJson)
    .option('--tenant <tenant>', 'the organization it belongs to')
    .option('--owner <user>', 'the user it belongs to')
    .option('--label <name=text>', 'a fact to find it by; may be given more than once', readLabel)
    .option('--priority <number>', 'a lower number goes first; default 0', readNumber)
    .option('--delay <duration>', 'wait this long first, such as 5m', readDuration)
    .option('--run-at <instant>', 'wait until then, such as 2026-01-31T12:00Z', readInstant)
    .option('--key <key>', 'idempotency key: the same once more adds nothing')
    .option('--unique <key>', 'at most one unfinished job has it')
    .option('--queue <name>', 'the queue it waits in')
    .option('--wait [duration]', 'wait until it is over; default 30s', readDuration)
    .addHelpText('after', EXAMPLES)
    .action(async (type: string, flags: EnqueueFlags, command: Command) => {
      await withMill(command, { creates: true }, async ({ mill, screen }) => {
        const { wait, input, ...options } = flags
        const { outcome, job, state } = await mill.enqueue(type, input ?? null, optionsOf(options))
        if (wait === undefined) {
          if (screen.json) screen.answer({ outcome, id: job.id, type, state })
          else screen.print(outcome === 'created' ? job.id : `${job.id}  (was there already, ${state})`)
          return EXIT.ok
        }
        if (!screen.json) screen.note(`${job.id} ${outcome === 'created' ? 'added' : 'was there already'}; waiting …`)
        return waitFor(mill, screen, { id: job.id, wait })
      })
    })
}

function optionsOf({ label, ...flags }: Omit<EnqueueFlags, 'input' | 'wait'>): EnqueueOptions {
  const { tenant, owner, priority, delay, runAt, key, unique, queue } = flags
  return {
    ...(tenant === undefined ? {} : { tenant }),
    ...(owner === undefined ? {} : { owner }),
    ...(label === undefined ? {} : { labels: label }),
    ...(priority === undefined ? {} : { priority }),
    ...(delay === undefined ? {} : { delay }),
    ...(runAt === undefined ? {} : { runAt }),
    ...(key === undefined ? {} : { key }),
    ...(unique === undefined ? {} : { unique }),
    ...(queue === undefined ? {} : { queue }),
  }
}

interface Wait {
  readonly id: string
  readonly wait: ReturnType<typeof readDuration> | true
}

async function waitFor(mill: Millrace, screen: Screen, { id, wait }: Wait): Promise<ExitCode> {
  const job = await mill.waitFor(id, wait === true ? {} : { timeout: wait })
  if (screen.json) screen.answer(job)
  else if (job.state === 'completed') screen.print(JSON.stringify(job.output, null, 2))
  else screen.note(`Job ${id} ${whatBecameOf(job, job.error?.message)}`)
  return job.state === 'completed' ? EXIT.ok : EXIT.failure
}

function whatBecameOf({ state, cancelledBy }: ListedJob, message: string | undefined): string {
  if (state === 'cancelled') return `was cancelled by ${printable(cancelledBy ?? 'system')}.`
  return `failed: ${printable(message ?? 'without an error')}`
}
