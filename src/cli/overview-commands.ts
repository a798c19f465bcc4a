/** What is going on: explain, stats, workers. */
import { JOB_STATES } from '../index.ts'
import type { Explanation, Queue, StateCounts, WorkerSession } from '../index.ts'
import type { Command } from './command-line.ts'
import { bar, formatAge, formatSpan } from './moments.ts'
import { printable } from './printable.ts'
import type { Screen } from './screen.ts'
import { STATE_STYLES } from './state-style.ts'
import { tableLines } from './table.ts'
import { withMill } from './with-mill.ts'

export function addOverviewCommands(program: Command): void {
  program
    .command('explain')
    .summary('say why a job is not running')
    .description('Says why a job is not running, or who runs it: every reason, the heaviest first, and what to do.')
    .argument('<id>', 'its id')
    .action(async (id: string, _flags: object, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const explanation = await mill.explain(id)
        if (screen.json) screen.answer(explanation)
        else printExplanation(screen, explanation)
      })
    })
  program
    .command('stats')
    .summary('count jobs, queues and workers')
    .description('Counts jobs by state, and names paused queues and live workers.')
    .option('--type <name>', 'count jobs of this type alone')
    .option('--tenant <tenant>', 'count jobs of this tenant alone')
    .action(async (flags: { readonly type?: string; readonly tenant?: string }, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const counts = await mill.counts(flags)
        const [queues, workers] = await Promise.all([mill.queues(), mill.workers()])
        if (screen.json) screen.answer({ counts, queues, workers })
        else printStats(screen, { counts, queues, workers })
      })
    })
  program
    .command('workers')
    .summary('list workers')
    .description('Lists the sessions of workers: those that live, those that died, those that ended.')
    .action(async (_flags: object, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const workers = await mill.workers()
        if (screen.json) screen.answer({ workers })
        else printWorkers(screen, workers)
      })
    })
}

function printExplanation(screen: Screen, { summary, reasons }: Explanation): void {
  screen.print(screen.paint('bold', printable(summary)))
  for (const { code, message, action } of reasons) {
    screen.print(`\n  ${screen.paint('yellow', code)}  ${printable(message)}`)
    if (action !== undefined) screen.print(`  ${' '.repeat(code.length)}  ${screen.paint('dim', printable(action))}`)
  }
}

interface Stats {
  readonly counts: StateCounts
  readonly queues: readonly Queue[]
  readonly workers: readonly WorkerSession[]
}

const BAR_CELLS = 30

function printStats(screen: Screen, { counts, queues, workers }: Stats): void {
  const total = JOB_STATES.reduce((sum, state) => sum + counts[state], 0)
  const digits = Math.max(5, `${total}`.length)
  for (const state of JOB_STATES) {
    const share = total === 0 ? 0 : (counts[state] / total) * 100
    const drawn = screen.paint(STATE_STYLES[state], bar(share, BAR_CELLS))
    screen.print(`${state.padEnd(10)}${`${counts[state]}`.padStart(digits)}  ${drawn}`)
  }
  screen.print(`${'total'.padEnd(10)}${`${total}`.padStart(digits)}`)
  const paused = queues.filter(({ pausedAt }) => pausedAt !== null)
  const live = workers.filter(({ state }) => state !== 'dead' && state !== 'ended')
  const blocked = live.filter(({ state }) => state === 'blocked').length
  const running = live.reduce((sum, worker) => sum + worker.running, 0)
  const slots = live.reduce((sum, worker) => sum + worker.concurrency, 0)
  screen.print(
    `\nworkers   ${live.length} alive${blocked === 0 ? '' : ` (${blocked} blocked)`}, ${running} of ${slots} slots in use`,
  )
  for (const { name, pausedAt, pausedBy } of paused) {
    const since = formatAge(pausedAt ?? 0, screen.now())
    screen.print(screen.paint('yellow', `paused    ${printable(name)}, by ${printable(pausedBy ?? 'system')} ${since}`))
  }
}

function printWorkers(screen: Screen, workers: readonly WorkerSession[]): void {
  if (workers.length === 0) {
    screen.print('No workers.')
    return
  }
  const now = screen.now()
  const styles = { live: 'green', blocked: 'yellow', draining: 'yellow', dead: 'red', ended: 'dim' } as const
  const columns = [
    { title: 'SERVICE' },
    {
      title: 'STATE',
      paint: (cell: string, row: number) => screen.paint(styles[workers[row]?.state ?? 'ended'], cell),
    },
    { title: 'JOBS', align: 'right' },
    { title: 'PID', align: 'right' },
    { title: 'LAST SIGN' },
    { title: 'STARTED' },
    { title: 'HOST' },
  ] as const
  const rows = workers.map((worker) => [
    printable(worker.service),
    worker.blockedSince !== null && worker.state === 'blocked'
      ? `blocked ${formatSpan(now - worker.blockedSince)}`
      : worker.state,
    `${worker.running}/${worker.concurrency}`,
    `${worker.pid}`,
    formatAge(worker.beatAt, now),
    formatAge(worker.startedAt, now),
    printable(worker.host),
  ])
  const paintTitle = (title: string): string => screen.paint('dim', title)
  for (const line of tableLines({ columns, rows, width: screen.width, paintTitle })) screen.print(line)
}
