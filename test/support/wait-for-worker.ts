import type { Millrace, WorkerSession } from '../../src/index.ts'
import { take, within } from './wait-for-event.ts'

const LOOK_MS = 20

/** Looks at the sessions until the newest one of the process is in that state, and answers it. */
export async function waitForWorker(
  mill: Pick<Millrace, 'workers'>,
  { pid }: { readonly pid: number },
  state: WorkerSession['state'],
): Promise<WorkerSession> {
  const look = async (): Promise<WorkerSession> => {
    for (;;) {
      const session = (await mill.workers()).findLast((worker) => worker.pid === pid)
      if (session?.state === state) return session
      await take(LOOK_MS)
    }
  }
  return within(`the worker of process ${pid} being ${state}`, look())
}
