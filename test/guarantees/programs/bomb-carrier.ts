/** A worker that carries ten parcels at a time, and dies of the one that is a bomb. */
import { handle } from '../../../src/index.ts'
import { openParentsMill } from '../../support/parent-process.ts'
import { take } from '../../support/wait-for-event.ts'
import { parcel } from './parcel-jobs.ts'

const FUSE_MS = 60
/** Whatever begins beside the bomb is under way when it goes off. */
const CARRY_MS = 150

const mill = await openParentsMill()
await mill.work(
  [
    handle(parcel, async ({ input }) => {
      await take(input === 'bomb' ? FUSE_MS : CARRY_MS)
      if (input === 'bomb') process.kill(process.pid, 'SIGKILL')
      return process.pid
    }),
  ],
  { concurrency: 10 },
)
