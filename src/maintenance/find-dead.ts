import { hostname } from 'node:os'
import { hasEnded } from '../core/process-death.ts'
import type { Processes } from '../runtime/processes.ts'
import type { ProcessSession, SessionStore } from '../store/sessions.ts'

/**
 * Sessions of this machine whose processes have ended, however long their leases still run. Another container, another machine, and one that
 * was started again since are left to their leases: what is seen here under their pids is somebody else.
 */
export async function findDead(sessions: SessionStore, processes: Processes): Promise<readonly ProcessSession[]> {
  if (processes.own === null) return []
  const { bootId, namespaces } = processes.own
  const open = await sessions.ofProcesses({ bootId, namespaces, host: hostname() })
  return open.filter(({ pid, startTick }) => hasEnded(startTick, processes.see(pid)))
}
