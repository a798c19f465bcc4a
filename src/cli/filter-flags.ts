/** The options by which a command says which jobs it means. */
import type { JobFilterOptions, JobState } from '../index.ts'
import type { Command } from './command-line.ts'
import { readLabel, readWords } from './option-readers.ts'

export interface FilterFlags {
  readonly state?: readonly string[]
  readonly type?: string
  readonly queue?: string
  readonly tenant?: string
  readonly owner?: string
  readonly label?: Readonly<Record<string, string>>
}

export function addFilterOptions(command: Command): Command {
  return command
    .option('--state <states>', 'in one of these states, such as queued,running', readWords)
    .option('--type <name>', 'of this type')
    .option('--queue <name>', 'of this queue')
    .option('--tenant <tenant>', 'of this tenant')
    .option('--owner <user>', 'of this owner')
    .option('--label <name=text>', 'with this label; may be given more than once', readLabel)
}

export function filterOf({ state, type, queue, tenant, owner, label }: FilterFlags): JobFilterOptions {
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is no state is refused where it is used
    ...(state === undefined ? {} : { state: state as readonly JobState[] }),
    ...(type === undefined ? {} : { type }),
    ...(queue === undefined ? {} : { queue }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(owner === undefined ? {} : { owner }),
    ...(label === undefined ? {} : { labels: label }),
  }
}
