import type { JobState } from '../index.ts'
import type { Style } from './screen.ts'

/** The colour of each state, the same in every command. */
export const STATE_STYLES: Readonly<Record<JobState, Style>> = {
  scheduled: 'cyan',
  queued: 'cyan',
  running: 'blue',
  retrying: 'yellow',
  completed: 'green',
  failed: 'red',
  cancelled: 'dim',
}
