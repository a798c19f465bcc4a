/** Stopping a process in the middle of whatever it does, as a swapped-out machine or a debugger does, without stopping the test with it. */
import type { Millrace } from '../../src/index.ts'
import { settlesWithin } from '../../src/runtime/pause.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import type { ChildProgram } from './child-program.ts'

/** Far longer than a write takes that nobody holds up. */
const PROBE_MS = 1_000

/**
 * SIGSTOP, at a moment when the process does not hold the database's one write lock: whoever is stopped with that in hand stops everybody,
 * and no lease can help.
 */
export async function freeze(child: ChildProgram, mill: Millrace): Promise<void> {
  for (;;) {
    child.signal('SIGSTOP')
    const write = mill.maintenance.runOnce()
    if (await settlesWithin(systemRuntime(), PROBE_MS, write)) return
    child.signal('SIGCONT')
    await write
  }
}

/** SIGSTOP until the process's session has been ended by others, and its jobs with it. Somebody has to sweep meanwhile. */
export async function freezeUntilLost(child: ChildProgram, mill: Millrace): Promise<void> {
  await freeze(child, mill)
  for (;;) {
    const sessions = await mill.workers()
    if (sessions.every(({ pid, state }) => pid !== child.pid || state === 'ended')) return
    await mill.maintenance.runOnce()
  }
}
