/** Works and enqueues on a file on which its parent does the same, and tells what it had to warn of. */
import { handle } from '../../../src/index.ts'
import { hearParent, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { sharedNow } from '../../support/wait-for-event.ts'
import { enqueueMany, greet } from './crowd-jobs.ts'

const complaints: unknown[] = []
const complain = (message: string, fields?: unknown): unknown => complaints.push({ message, fields })
const logger = { info: () => undefined, warn: complain, error: complain }
const mill = await openParentsMill({ logger })
await mill.work([
  handle(greet, () => {
    const at = sharedNow()
    return { pid: process.pid, at }
  }),
])
tellParent('ready')
const count = await hearParent<number>('enqueue')
const ids = await enqueueMany(mill, count)
tellParent('enqueued', ids)
await hearParent('report')
tellParent('complaints', complaints)
