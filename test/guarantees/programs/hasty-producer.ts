/** Enqueues many jobs, and ends without waiting for them: at once when the first answers have come, or by running off its end. */
import { appendFileSync } from 'node:fs'

import { handedOver, openParentsMill } from '../../support/parent-process.ts'
import { greet } from './crowd-jobs.ts'

interface Facts {
  readonly count: number
  /** Where the ids go. */
  readonly answered: string
  /** Calls `process.exit` after so many answers; null: never. */
  readonly exitAfter: number | null
}

const { count, answered, exitAfter } = handedOver() as Facts
const mill = await openParentsMill()
let answers = 0
for (let n = 0; n < count; n += 1) void enqueue(n)

async function enqueue(n: number): Promise<void> {
  const { job } = await mill.enqueue(greet, n)
  // Written before anything else can happen: whoever reads it may rely on the job.
  appendFileSync(answered, `${job.id}\n`)
  answers += 1
  if (answers === exitAfter) process.exit(0)
}
