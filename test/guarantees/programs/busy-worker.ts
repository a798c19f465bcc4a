/** A worker whose handler never gives the event loop a turn: it computes, and checks now and then whether it should stop. */
import { defineJob, handle, openMillrace } from '../../../src/index.ts'
import { handedOver, tellParent } from '../../support/parent-process.ts'

const { url } = handedOver() as { readonly url: string }
const compute = defineJob('sums.compute', { service: 'mathematics' })
const mill = await openMillrace(url)
await mill.work([
  handle(compute, ({ jobId, checkCancellation }) => {
    tellParent('started', jobId)
    for (;;) checkCancellation()
  }),
])
tellParent('ready')
