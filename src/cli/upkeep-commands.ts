/** What workers do by time, once and now: cleanup, recover-stuck. */
import { JobManager } from '../index.ts'
import type { CleanupReport } from '../index.ts'
import type { Command } from './command-line.ts'
import { EXIT } from './exit-codes.ts'
import { formatSpan } from './moments.ts'
import { printable } from './printable.ts'
import type { Screen } from './screen.ts'
import { withMill } from './with-mill.ts'

export function addUpkeepCommands(program: Command): void {
  program
    .command('cleanup')
    .summary('delete what has been kept for long enough, now')
    .description(
      'Cleans up now, as workers do every five minutes: takes jobs back from dead workers, deletes jobs and artifacts whose time is over, puts ' +
        'right what can be.',
    )
    .action(async (_flags: object, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const report = await mill.cleanup.forceCleanup()
        if (screen.json) screen.answer(report)
        else printCleanup(screen, report)
        return report.errors.length === 0 ? EXIT.ok : EXIT.failure
      })
    })
  program
    .command('recover-stuck')
    .summary('take back the jobs that nobody works on any more')
    .description(
      'Looks once, as workers do every five seconds, for running jobs that nobody works on any more: those of dead workers, those that took too ' +
        'long, and those that were driven by hand and are stuck. They are queued again, or ended as their type says. A worker that died on ' +
        'this Linux machine is seen at once, any other when its lease is over.',
    )
    .action(async (_flags: object, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const recovered = await new JobManager(mill).detectAndRecoverStuckJobs()
        if (screen.json) screen.answer({ recovered })
        else screen.print(recoveredText(recovered))
      })
    })
}

function recoveredText(recovered: number): string {
  if (recovered === 0) return 'No job is stuck.'
  return recovered === 1
    ? '1 job was stuck, and has been taken back or ended.'
    : `${recovered} jobs were stuck, and have been taken back or ended.`
}

function printCleanup(screen: Screen, report: CleanupReport): void {
  screen.print(`stuck jobs recovered      ${report.stuckJobsRecovered}`)
  screen.print(`expired jobs deleted      ${report.expiredJobsDeleted}`)
  screen.print(`expired locks cleared     ${report.expiredLocksCleared}`)
  screen.print(`validation issues fixed   ${report.validationIssuesFixed}`)
  screen.print(`took                      ${formatSpan(report.totalProcessingTime)}`)
  for (const error of report.errors) screen.print(screen.paint('red', printable(error)))
}
