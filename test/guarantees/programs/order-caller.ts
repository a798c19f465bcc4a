/** Places orders: all callers at once with the key that the parent names, or one order or batch after another until it is killed. */
import { handedOver, hearParent, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { order } from './order-jobs.ts'
import type { Answer } from './order-jobs.ts'

interface Facts {
  readonly task: 'race' | 'singles' | 'batches'
  readonly count: number
}

const { task, count } = handedOver() as Facts
const mill = await openParentsMill()
tellParent('ready')

async function place(key: string): Promise<Answer> {
  const { outcome, job } = await mill.enqueue(order, { key }, { key })
  return { key, outcome, id: job.id }
}

if (task === 'race') {
  for (let round = 1; ; round += 1) {
    const key = await hearParent<string>('race', round)
    tellParent('answers', await Promise.all(Array.from({ length: count }, () => place(key))))
  }
}
if (task === 'singles') {
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < count) {
      next += 1
      tellParent('placed', await place(`order-${next}`))
    }
  }
  await Promise.all(Array.from({ length: 10 }, () => caller()))
}
if (task === 'batches') {
  for (let batch = 0; ; batch += 1) {
    const items = Array.from({ length: count }, () => ({ definition: order, labels: { batch: `b${batch}` } }))
    tellParent('begun', batch)
    await mill.enqueueMany(items)
    tellParent('placed', batch)
  }
}
