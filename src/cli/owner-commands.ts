/** Who works on which type, and how that goes: owners, owners transfer, red-flags. */
import type { RedFlag, TransferOptions, TypeOwner } from '../index.ts'
import type { Command } from './command-line.ts'
import { formatAge } from './moments.ts'
import { printable } from './printable.ts'
import type { Screen } from './screen.ts'
import { tableLines } from './table.ts'
import { withMill } from './with-mill.ts'

export function addOwnerCommands(program: Command): void {
  const owners = program
    .command('owners')
    .summary('list types and the services that own them')
    .description('Lists every type, the one service that works on it, and how many of its workers live.')
    .action(async (_flags: object, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const listed = await mill.owners()
        if (screen.json) screen.answer({ owners: listed })
        else printOwners(screen, listed)
      })
    })
  addTransfer(owners)
  program
    .command('red-flags')
    .summary('list signs that something is wrong')
    .description(
      'Lists red flags: jobs that nobody takes, a second service, jobs that end too fast or without their output, outcomes that depend on who runs them, entities that stay unfinished.',
    )
    .action(async (_flags: object, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const redFlags = await mill.redFlags()
        if (screen.json) screen.answer({ redFlags })
        else if (redFlags.length === 0) screen.print('No red flags.')
        else printRedFlags(screen, redFlags)
      })
    })
}

function addTransfer(owners: Command): void {
  owners
    .command('transfer')
    .summary('hand a type over to another service')
    .description(
      'Hands a type over. Its owner starts no more of its jobs, in no process; what it runs goes on. Workers that the new owner starts from now on take them.',
    )
    .argument('<type>', 'its name')
    .requiredOption('--from <service>', 'its present owner')
    .requiredOption('--to <service>', 'its new owner')
    .option('--actor <name>', 'who hands it over; default system')
    .option('--reason <text>', 'why')
    .addHelpText('after', '\nExample:\n  millrace owners transfer map.export --from web --to maps --actor ann')
    .action(async (type: string, flags: TransferOptions, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const owner = await mill.transferOwner(type, flags)
        if (screen.json) screen.answer(owner)
        else screen.print(`The type ${type} belongs to ${flags.to} now. Start its workers, or start them anew.`)
      })
    })
}

export function printRedFlags(screen: Screen, redFlags: readonly RedFlag[]): void {
  for (const { code, message, action } of redFlags) {
    screen.print(`${screen.paint('red', code)}  ${printable(message)}`)
    screen.print(`${' '.repeat(code.length)}  ${screen.paint('dim', printable(action))}`)
  }
}

function printOwners(screen: Screen, owners: readonly TypeOwner[]): void {
  if (owners.length === 0) {
    screen.print('No types.')
    return
  }
  const now = screen.now()
  const paintLack = (lacks: (owner: TypeOwner) => boolean) => (cell: string, row: number) => {
    const owner = owners[row]
    return owner !== undefined && lacks(owner) ? screen.paint('yellow', cell) : cell
  }
  const columns = [
    { title: 'TYPE' },
    { title: 'SERVICE', paint: paintLack(({ service }) => service === null) },
    { title: 'WORKERS', align: 'right', paint: paintLack(({ liveWorkers }) => liveWorkers === 0) },
    { title: 'EPOCH', align: 'right' },
    { title: 'SINCE' },
    { title: 'QUEUE' },
    { title: 'HANDED OVER' },
  ] as const
  const rows = owners.map(({ type, service, liveWorkers, epoch, since, queue, transfer }) => [
    printable(type),
    service === null ? 'nobody' : printable(service),
    `${liveWorkers}`,
    `${epoch}`,
    since === null ? '' : formatAge(since, now),
    printable(queue),
    transfer === null ? '' : printable(`from ${transfer.from} by ${transfer.by}`),
  ])
  const paintTitle = (title: string): string => screen.paint('dim', title)
  for (const line of tableLines({ columns, rows, width: screen.width, paintTitle })) screen.print(line)
}
