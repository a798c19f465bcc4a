/** Enqueues without end, and writes down the id of each job once its enqueue has been acknowledged. */
import { appendFileSync } from 'node:fs'

import { handedOver, hearParent, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { grain, sack } from './mill-jobs.ts'

interface Facts {
  readonly acknowledged: string
  /** How many for each order of the parent. */
  readonly batch: number
}

const { acknowledged, batch } = handedOver() as Facts
const mill = await openParentsMill()
tellParent('ready')
for (let order = 1; ; order += 1) {
  await hearParent('produce', order)
  const enqueued = Array.from({ length: batch }, async (_none, n) => {
    const input = { flaky: n % 5 === 0, slow: n % 7 === 0 }
    const { job } = await mill.enqueue(n % 3 === 0 ? sack : grain, input)
    appendFileSync(acknowledged, `${job.id}\n`)
  })
  await Promise.all(enqueued)
}
