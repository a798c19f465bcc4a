/** Cancels the jobs that its parent names, one after another. */
import { hearParent, openParentsMill, tellParent } from '../../support/parent-process.ts'

interface Order {
  readonly id: string
  readonly actor: string
  readonly reason: string
}

const mill = await openParentsMill()
tellParent('ready')
for (let nth = 1; ; nth += 1) {
  const { id, actor, reason } = await hearParent<Order>('cancel', nth)
  tellParent('cancelled', await mill.cancel(id, { actor, reason }))
}
