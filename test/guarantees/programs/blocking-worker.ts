/** A worker whose handlers block the event loop of their process: nothing else of JavaScript runs in it meanwhile. */
import { defineJob, handle, openMillrace } from '../../../src/index.ts'
import type { WorkOptions } from '../../../src/index.ts'
import { handedOver, tellParent } from '../../support/parent-process.ts'
import { nextTurn } from '../../support/wait-for-event.ts'

interface Facts {
  readonly url: string
  readonly blockMs: number
  readonly options: WorkOptions
}

const { url, blockMs, options } = handedOver() as Facts
const compute = defineJob('sums.compute', { service: 'mathematics' })
const mill = await openMillrace(url)
await mill.work(
  [
    handle(compute, async ({ input }) => {
      tellParent('started')
      // What was told must have left before nothing can.
      await nextTurn()
      if (input === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs)
      return process.pid
    }),
  ],
  options,
)
tellParent('ready')
