/** What an operator does to a job whatever it is doing, and what was done so. */
import type { AuditEntry } from '../index.ts'
import type { Command } from './command-line.ts'
import { formatAge } from './moments.ts'
import { readNumber } from './option-readers.ts'
import { printable } from './printable.ts'
import type { Screen } from './screen.ts'
import { tableLines } from './table.ts'
import { withMill } from './with-mill.ts'

export function addForceCommands(program: Command): void {
  addForceFail(program)
  addForceReset(program)
  addAudit(program)
}

interface ForceFlags {
  readonly reason: string
  readonly actor?: string
}

const KEPT = 'It is written down in the audit. A worker that has the job can write nothing more.'

function addForceFail(program: Command): void {
  program
    .command('force-fail')
    .summary('end a job as failed, whatever it is doing')
    .description(`Ends a job that is not over as failed, whatever it is doing. ${KEPT}`)
    .argument('<id>', 'its id')
    .requiredOption('--reason <text>', 'why')
    .option('--actor <name>', 'who does it; default system')
    .addHelpText('after', "\nExample:\n  millrace force-fail 0199d1c8-… --reason 'the file is gone' --actor olga")
    .action(async (id: string, flags: ForceFlags, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const answer = await mill.forceFail(id, flags)
        if (screen.json) screen.answer(answer)
        else screen.print(`Job ${answer.jobId} is ${answer.state}.`)
      })
    })
}

interface ResetFlags extends ForceFlags {
  readonly keepPhases?: boolean
}

function addForceReset(program: Command): void {
  program
    .command('force-reset')
    .summary('put a job back into the queue, whatever it is doing')
    .description(`Puts any job but a completed one back into the queue, whatever it is doing. ${KEPT}`)
    .argument('<id>', 'its id')
    .requiredOption('--reason <text>', 'why')
    .option('--actor <name>', 'who does it; default system')
    .option('--keep-phases', 'go on at the first phase that is not done')
    .addHelpText('after', "\nExample:\n  millrace force-reset 0199d1c8-… --reason 'the disk was full' --keep-phases")
    .action(async (id: string, flags: ResetFlags, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const answer = await mill.forceReset(id, flags)
        if (screen.json) screen.answer(answer)
        else screen.print(`Job ${answer.jobId} is ${answer.state} and starts at the phase ${answer.phase}.`)
      })
    })
}

interface AuditFlags {
  readonly job?: string
  readonly limit?: number
  readonly after?: string
}

function addAudit(program: Command): void {
  program
    .command('audit')
    .summary('list what was done by force')
    .description('Lists what was done by force, by whom and why, newest first.')
    .option('--job <id>', 'to this job')
    .option('--limit <number>', 'at most this many: 1 to 500, default 50', readNumber)
    .option('--after <cursor>', 'the page after this one: the cursor that the page before ended with')
    .action(async (flags: AuditFlags, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const page = await mill.audit(flags)
        if (screen.json) screen.answer(page)
        else printEntries(screen, page.entries)
        if (!screen.json && page.next !== null) screen.note(`More: add --after ${page.next}`)
      })
    })
}

function printEntries(screen: Screen, entries: readonly AuditEntry[]): void {
  if (entries.length === 0) {
    screen.print('Nothing was done by force.')
    return
  }
  const now = screen.now()
  const columns = [{ title: 'WHEN' }, { title: 'ACT' }, { title: 'JOB' }, { title: 'WHO' }, { title: 'WHY' }]
  const rows = entries.map(({ at, act, jobId, actor, role, reason }) => [
    formatAge(at, now),
    act,
    jobId,
    printable(`${actor} (${role})`),
    printable(reason ?? ''),
  ])
  const paintTitle = (title: string): string => screen.paint('dim', title)
  for (const line of tableLines({ columns, rows, width: screen.width, paintTitle })) screen.print(line)
}
