/** What a person does to a job that is over, or that waits: retry, run-now. */
import type { Command } from './command-line.ts'
import { withMill } from './with-mill.ts'

export function addActCommands(program: Command): void {
  addRetry(program)
  addRunNow(program)
}

interface RetryFlags {
  readonly fromStart?: boolean
  readonly from?: string
  readonly actor?: string
}

function addRetry(program: Command): void {
  program
    .command('retry')
    .summary('start a job that is over once more')
    .description('Starts a failed, cancelled or completed job once more, at the first phase that is not done.')
    .argument('<id>', 'its id')
    .option('--from-start', 'start afresh, whatever is done already')
    .option('--from <phase>', 'start at this phase, which must have been reached')
    .option('--actor <name>', 'who retries it; default system')
    .addHelpText('after', '\nExamples:\n  millrace retry 0199d1c8-…\n  millrace retry 0199d1c8-… --from render')
    .action(async (id: string, flags: RetryFlags, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const answer = await mill.retry(id, flags)
        if (screen.json) screen.answer(answer)
        else screen.print(`Job ${answer.jobId} is queued and starts at the phase ${answer.phase}.`)
      })
    })
}

function addRunNow(program: Command): void {
  program
    .command('run-now')
    .summary('do not wait for the time of a scheduled or retrying job')
    .description('Queues a scheduled or retrying job without waiting for its time.')
    .argument('<id>', 'its id')
    .option('--actor <name>', 'who lets it run; default system')
    .action(async (id: string, flags: { readonly actor?: string }, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const answer = await mill.runNow(id, flags)
        if (screen.json) screen.answer(answer)
        else screen.print(`Job ${answer.jobId} is ${answer.state}.`)
      })
    })
}
