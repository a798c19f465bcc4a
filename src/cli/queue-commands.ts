import type { Command } from './command-line.ts'
import { withMill } from './with-mill.ts'

export function addQueueCommands(program: Command): void {
  program
    .command('pause')
    .summary('pause a queue')
    .description('Nothing of the queue is taken until it is resumed; what runs goes on.')
    .argument('<queue>', "its name; a type's own queue is called like the type")
    .option('--actor <name>', 'who pauses it; default system')
    .action(async (queue: string, flags: { readonly actor?: string }, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const changed = await mill.pauseQueue(queue, flags)
        if (screen.json) screen.answer({ queue, paused: true, changed })
        else screen.print(changed ? `The queue ${queue} is paused.` : `The queue ${queue} was paused already.`)
      })
    })
  program
    .command('resume')
    .summary('resume a queue')
    .description('Lets the jobs of a paused queue be taken again.')
    .argument('<queue>', 'its name')
    .option('--actor <name>', 'who resumes it; default system')
    .action(async (queue: string, flags: { readonly actor?: string }, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const changed = await mill.resumeQueue(queue, flags)
        if (screen.json) screen.answer({ queue, paused: false, changed })
        else screen.print(changed ? `The queue ${queue} is resumed.` : `The queue ${queue} was not paused.`)
      })
    })
}
