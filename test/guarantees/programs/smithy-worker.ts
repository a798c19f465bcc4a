/** A worker whose handlers run in threads and processes, with little memory if that is wanted. */
import { handedOver, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { HANDLERS } from './smithy-handlers.ts'

const { smallHeap = false } = handedOver() as { readonly smallHeap?: boolean }
const mill = await openParentsMill()
if (smallHeap) {
  // For processes that are started from now on.
  process.env['NODE_OPTIONS'] = '--max-old-space-size=48'
}
await mill.work(HANDLERS, { concurrency: 1 })
tellParent('ready')
