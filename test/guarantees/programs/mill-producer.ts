/** Enqueues without end, and writes down the id of each job once its enqueue has been acknowledged. */
import { appendFileSync } from 'node:fs'

import { openMillrace } from '../../../src/index.ts'
import { handedOver, hearParent, tellParent } from '../../support/parent-process.ts'
import { grain, sack } from './mill-jobs.ts'

interface Facts {
  readonly url: string
  readonly acknowledged: string
  /** How many for each order of the parent. */
  readonly batch: number
}

const { url, acknowledged, batch } = handedOver() as Facts
const mill = await openMillrace(url)
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
