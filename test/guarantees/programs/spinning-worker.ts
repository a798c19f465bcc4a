/** A worker whose handler computes without a pause and asks, again and again, whether it has been cancelled. */
import { defineJob, handle } from '../../../src/index.ts'
import { openParentsMill, tellParent } from '../../support/parent-process.ts'
import { nextTurn } from '../../support/wait-for-event.ts'

const compute = defineJob('sums.compute', { service: 'mathematics' })
const mill = await openParentsMill()

await mill.work([
  handle(compute, async ({ input, checkCancellation }) => {
    if (input !== 'spin') return process.pid
    tellParent('started')
    // What was told must have left before nothing can.
    await nextTurn()
    for (let turn = 0; turn < Number.MAX_SAFE_INTEGER; turn += 1) checkCancellation()
    return null
  }),
])
tellParent('ready')
