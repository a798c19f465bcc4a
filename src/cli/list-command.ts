import type { JobList, ListedJob, ListOptions } from '../index.ts'
import type { Command } from './command-line.ts'
import { addFilterOptions, filterOf } from './filter-flags.ts'
import type { FilterFlags } from './filter-flags.ts'
import { formatSpan } from './moments.ts'
import { readNumber } from './option-readers.ts'
import { printable } from './printable.ts'
import type { Screen } from './screen.ts'
import { STATE_STYLES } from './state-style.ts'
import { tableLines } from './table.ts'
import type { Column } from './table.ts'
import { withMill } from './with-mill.ts'

interface ListFlags extends FilterFlags {
  readonly limit?: number
  readonly after?: string
}

const EXAMPLES = `
Examples:
  millrace list
  millrace list --state failed,cancelled --type map.export
  millrace list --tenant acme --label course=c-12 --limit 200
  millrace list --state running --json`

export function addListCommand(program: Command): void {
  const command = program
    .command('list')
    .summary('list jobs, newest first')
    .description('Lists jobs, newest first, a page at a time.')
  addFilterOptions(command)
    .option('--limit <number>', 'at most this many: 1 to 500, default 50', readNumber)
    .option('--after <cursor>', 'the page after this one: the cursor that the page before ended with')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: ListFlags) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const page = await mill.list(optionsOf(flags))
        if (screen.json) screen.answer(page)
        else printPage(screen, page, screen.now())
      })
    })
}

function optionsOf({ limit, after, ...filter }: ListFlags): ListOptions {
  return {
    ...filterOf(filter),
    ...(limit === undefined ? {} : { limit }),
    ...(after === undefined ? {} : { after }),
  }
}

/** A narrower terminal has no room for tenants and owners beside ids and types. */
const WIDE = 100

function printPage(screen: Screen, { jobs, next }: JobList, now: number): void {
  if (jobs.length === 0) {
    screen.print('No jobs.')
    return
  }
  const paintState: Column['paint'] = (cell, row) => screen.paint(STATE_STYLES[jobs[row]?.state ?? 'queued'], cell)
  const showsWhose = screen.width >= WIDE && jobs.some((job) => whose(job) !== '')
  const columns: readonly Column[] = [
    { title: 'ID' },
    { title: 'STATE', paint: paintState },
    { title: '%', align: 'right' },
    { title: 'TRY', align: 'right' },
    { title: 'AGE', align: 'right' },
    { title: 'TYPE' },
    ...(showsWhose ? [{ title: 'WHOSE' }] : []),
  ]
  const rows = jobs.map((job) => [
    job.id,
    job.state,
    `${Math.floor(job.progress)}`,
    `${job.attempt}`,
    formatSpan(now - job.createdAt).split(' ')[0] ?? '',
    printable(job.type),
    whose(job),
  ])
  const paintTitle = (title: string): string => screen.paint('dim', title)
  for (const line of tableLines({ columns, rows, width: screen.width, paintTitle })) screen.print(line)
  if (next !== null) screen.note(`More: add --after ${next}`)
}

function whose({ tenant, owner }: ListedJob): string {
  return printable([tenant, owner ?? ''].filter((part) => part !== '').join(' / '))
}
