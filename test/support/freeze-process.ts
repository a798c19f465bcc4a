/** Stopping a process in the middle of whatever it does, as a swapped-out machine or a debugger does, without stopping the test with it. */
import type { Millrace } from '../../src/index.ts'
import { settlesWithin } from '../../src/runtime/pause.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import type { ChildProgram } from './child-program.ts'

/** Far longer than a write takes that nobody holds up. */
const PROBE_MS = 300

/**
 * SIGSTOP, at a moment when the process does not hold the database's one write lock: whoever is stopped with that in hand stops everybody,
 * and no lease can help.
 */
export async function freeze(child: ChildProgram, mill: Millrace): Promise<void> {
  for (;;) {
    child.signal('SIGSTOP')
    const writes = writeAnew(mill)
    if (await settlesWithin(systemRuntime(), PROBE_MS, writes)) return
    child.signal('SIGCONT')
    await writes
  }
}

/** A pass that was under way already may have done its writing before: only the one after it has begun since. */
async function writeAnew(mill: Millrace): Promise<void> {
  await mill.maintenance.runOnce()
  await mill.maintenance.runOnce()
}

/** Stopped until its session has been ended by others, and its jobs with it. */
export async function freezeUntilLost(child: ChildProgram, mill: Millrace): Promise<void> {
  await freeze(child, mill)
  for (;;) {
    const sessions = await mill.workers()
    if (sessions.every(({ pid, state }) => pid !== child.pid || state === 'ended')) return
    await mill.maintenance.runOnce()
  }
}
