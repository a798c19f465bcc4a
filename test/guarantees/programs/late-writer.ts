/** A worker that is stopped in the middle of a job and goes on to write when somebody else has the job. */
import { handle, MillraceError } from '../../../src/index.ts'
import { handedOver, hearParent, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { nextTurn } from '../../support/wait-for-event.ts'
import { letter, writeLate } from './letter-jobs.ts'
import type { LateWrite } from './letter-jobs.ts'

interface Facts {
  readonly lease: number
}

const { lease } = handedOver() as Facts
const silent = (): void => undefined
const mill = await openParentsMill({ logger: { info: silent, warn: silent, error: silent }, maintenance: false })
let round = 0

/** The others are how the handler ends: they can't throw, and they come without waiting for the signal. */
function isCall(write: LateWrite): boolean {
  return write === 'progress' || write === 'log' || write === 'artifact' || write === 'extend'
}

function codeOf(error: unknown): string {
  return error instanceof MillraceError ? error.code : String(error)
}

const worker = await mill.work(
  [
    handle(letter)
      .phase('draft', async (job) => {
        const { write } = job.input as { readonly write: LateWrite }
        return write === 'completion' ? 'drafted in time' : hold(job, write)
      })
      .phase('send', (job) => hold(job, 'completion')),
  ],
  { lease, concurrency: 1 },
)
tellParent('ready')

async function hold(job: Parameters<typeof writeLate>[0], write: LateWrite): Promise<string> {
  round += 1
  const signalled = new Promise((resolve) => job.signal.addEventListener('abort', resolve, { once: true }))
  tellParent('holding', { fence: job.fence })
  await hearParent('go on', round)
  const first = await writeLate(job, write)
  if (isCall(write)) {
    await signalled
    tellParent('signalled', codeOf(job.signal.reason))
    const second = await writeLate(job, write)
    tellParent('wrote', { first: first === undefined ? null : codeOf(first), second: codeOf(second) })
  }
  void tellTheEnd()
  if (write === 'failure') throw new Error('failed too late')
  return 'too late'
}

/** Tells when nothing of this worker is under way any more: whatever it wrote has been answered. */
async function tellTheEnd(): Promise<void> {
  await nextTurn()
  await worker.idle()
  tellParent('idle')
}
