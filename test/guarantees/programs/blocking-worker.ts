/** A worker that runs two jobs, of which one blocks the event loop of its process: nothing else of JavaScript runs in it meanwhile. */
import { defineJob, handle } from '../../../src/index.ts'
import type { WorkOptions } from '../../../src/index.ts'
import { handedOver, hearParent, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { nextTurn } from '../../support/wait-for-event.ts'

interface Facts {
  readonly blockMs: number
  readonly options: WorkOptions
}

const { blockMs, options } = handedOver() as Facts
const compute = defineJob('sums.compute', { service: 'mathematics' })
const overrun = defineJob('sums.overrun', { service: 'mathematics', timeout: '150ms', cancelGrace: '50ms' })
const mill = await openParentsMill()
const toBlock = hearParent('block')
const bothRun = Promise.withResolvers<void>()
let begun = 0

function block(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs)
}

await mill.work(
  [
    handle(compute, async ({ input }) => {
      begun += 1
      tellParent('started')
      if (begun === 2) bothRun.resolve()
      await bothRun.promise
      await toBlock
      // What was told must have left before nothing can.
      await nextTurn()
      if (input === 'block') block()
      return process.pid
    }),
    handle(overrun, async () => {
      tellParent('overruns')
      await nextTurn()
      block()
      return process.pid
    }),
  ],
  options,
)
tellParent('ready')
