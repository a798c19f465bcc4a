/** A worker that reads books, and tells its parent of each phase that it begins. Told to hold, it stays in the middle of the second one. */
import type { WorkOptions } from '../../../src/index.ts'
import { handedOver, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { bookHandler } from './book-jobs.ts'

interface Facts {
  readonly hold: boolean
  readonly options: WorkOptions
}

const { hold, options } = handedOver() as Facts
const mill = await openParentsMill()
const handler = bookHandler({
  onEnter: (facts) => tellParent('entered', facts),
  inTheMiddle: () => (hold ? new Promise<never>(() => undefined) : Promise.resolve()),
})
await mill.work([handler], options)
