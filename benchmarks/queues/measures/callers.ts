import { nowMs, watchLoop } from '../clock.ts'
import type { Queue } from '../contenders/contender.ts'
import { thousands } from '../report-text.ts'
import { checkCounts, inputsFrom } from './fill.ts'
import { partOfCallers } from './job-by-job.ts'
import { againstFirst, entriesOf, JOBS_PER_SECOND, WHO_ENQUEUES } from './measure.ts'
import type { Measure } from './measure.ts'

const CALLERS = 100
const BY_HUNDREDS = 'one transaction for all hundred'

export const callers: Measure = {
  name: 'callers',
  title: 'Enqueue, 100 callers',
  about: (count) =>
    `A hundred callers of one process enqueue ${thousands(count)} jobs in all, each waiting for its own before the next. The bare tables have no callers: ` +
    'there it is what a commit for every hundred allows.',
  entries: [...entriesOf(WHO_ENQUEUES), { contender: 'raw', settings: 'best', variant: BY_HUNDREDS }],
  base: (entry) => ({ ...againstFirst(entry), variant: null }),
  figures: [JOBS_PER_SECOND],
  count: { full: 50_000, quick: 10_000, tiny: 200 },
  share: partOfCallers,
  async run(bench) {
    const queue = await bench.open()
    const loopDelayP99Ms = watchLoop()
    const startedAt = nowMs()
    if (bench.variant === BY_HUNDREDS) await enqueueByHundreds(queue, bench.count)
    else await enqueueByCallers(queue, 0, bench.count)
    const seconds = (nowMs() - startedAt) / 1_000
    const figures = { jobsPerSecond: bench.count / seconds, loopDelayP99Ms: loopDelayP99Ms() }
    await checkCounts(queue, { waiting: bench.count, completed: 0 })
    await queue.close()
    return figures
  },
}

export async function enqueueByCallers(queue: Queue, first: number, count: number): Promise<void> {
  let next = first
  const caller = async (): Promise<void> => {
    while (next < first + count) {
      const index = next
      next += 1
      await queue.enqueue({ index })
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
}

async function enqueueByHundreds(queue: Queue, count: number): Promise<void> {
  for (let first = 0; first < count; first += CALLERS) {
    await queue.enqueueMany(inputsFrom(first, Math.min(CALLERS, count - first)))
  }
}
