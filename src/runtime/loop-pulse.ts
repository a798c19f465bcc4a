import { formatDuration } from '../core/duration.ts'
import type { Logger } from './logger.ts'
import { Pulse } from './pulse.ts'
import { systemRuntime } from './system-runtime.ts'

/** The pulse of this thread's event loop, which says it in the log when the loop goes on after it stood still. */
export function loopPulse(logger: Logger): Pulse {
  return new Pulse({
    runtime: systemRuntime(),
    onReturn: (stoodStillMs) => {
      logger.warn(
        `The event loop of this process stood still for ${formatDuration(stoodStillMs)}: a handler blocked it, or the process was stopped.`,
        { blockedMs: stoodStillMs, pid: process.pid },
      )
    },
  })
}
