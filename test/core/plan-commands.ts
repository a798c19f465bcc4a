import type { Plan } from '../../src/core/plan.ts'
import type { JobCommand } from '../../src/core/states.ts'

/** Which command of the state machine each plan carries out, by the plan's name. */
const COMMANDS: Readonly<Record<string, JobCommand>> = {
  claim: 'claim',
  promote: 'promote',
  checkpoint: 'checkpoint',
  progress: 'annotate',
  'progress-told': 'annotate',
  log: 'annotate',
  artifact: 'annotate',
  extend: 'annotate',
  'adopt-phases': 'annotate',
  complete: 'complete',
  'complete-only-phase': 'complete',
  'fail-retry': 'fail',
  'fail-final': 'fail',
  release: 'release',
  'end-of-grace': 'end-of-grace',
  cancel: 'cancel',
  'cancel-waiting': 'cancel',
  'time-out-retry': 'time-out',
  'time-out-final': 'time-out',
  reap: 'reap',
  'reap-suspect': 'reap',
  'reap-strike': 'reap',
  'reap-poison': 'reap',
  'reap-stuck': 'reap',
  retry: 'retry',
  'run-now': 'run-now',
  'force-fail': 'force-fail',
  'force-reset': 'force-reset',
}

export function commandOf({ name }: Plan): JobCommand {
  const command = COMMANDS[name]
  if (command === undefined) throw new Error(`plan "${name}" carries out no command that is known here: name it`)
  return command
}
