/** Stopping a process in the middle of whatever it does, as a swapped-out machine or a debugger does, without stopping the test with it. */
import type { Millrace } from '../../src/index.ts'
import { settlesWithin } from '../../src/runtime/pause.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import type { ChildProgram } from './child-program.ts'

/** Far longer than a write takes that nobody holds up. */
const PROBE_MS = 5_000

/**
 * SIGSTOP until the process's session has been ended by others, and its jobs with it; it stays stopped. Where it was stopped with the
 * database's one write lock in its hand it stops everybody, and no lease can help: then it goes on for a moment, and is stopped once more.
 */
export async function freezeUntilLost(child: ChildProgram, mill: Millrace): Promise<void> {
  for (;;) {
    child.signal('SIGSTOP')
    const stuck = await sweepUntilLost(child, mill)
    if (stuck === null) return
    child.signal('SIGCONT')
    await stuck.write
  }
}

interface Stuck {
  /** What waits for the lock. */
  readonly write: Promise<unknown>
}

/** Null: its session has ended. */
async function sweepUntilLost(child: ChildProgram, mill: Millrace): Promise<Stuck | null> {
  for (;;) {
    const sessions = await mill.workers()
    if (sessions.every(({ pid, state }) => pid !== child.pid || state === 'ended')) return null
    const write = mill.maintenance.runOnce()
    if (!(await settlesWithin(systemRuntime(), PROBE_MS, write))) return { write }
  }
}
