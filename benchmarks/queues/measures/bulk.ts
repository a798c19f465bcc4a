import { nowMs, watchLoop } from '../clock.ts'
import { GROUPS } from '../contenders/find-contender.ts'
import { thousands } from '../report-text.ts'
import { checkCounts, inputsFrom } from './fill.ts'
import { againstFirst, entriesOf, JOBS_PER_SECOND } from './measure.ts'
import type { Measure } from './measure.ts'

const BULK = 1_000

export const bulk: Measure = {
  name: 'bulk',
  title: 'Enqueue, in bulks of 1,000',
  about: (count) =>
    `One caller enqueues ${thousands(count)} jobs by the thousand, waiting for each bulk before the next.`,
  entries: entriesOf(['millrace', 'raw', 'plainjob', 'plainjob-full', 'bullmq', 'bullmq-always', ...GROUPS.PostgreSQL]),
  base: againstFirst,
  figures: [JOBS_PER_SECOND],
  count: { full: 100_000, quick: 30_000, tiny: 2_000 },
  async run(bench) {
    const queue = await bench.open()
    const bulks = Array.from({ length: Math.ceil(bench.count / BULK) }, (_, at) => inputsFrom(at * BULK, BULK))
    const loopDelayP99Ms = watchLoop()
    const startedAt = nowMs()
    for (const inputs of bulks) await queue.enqueueMany(inputs)
    const seconds = (nowMs() - startedAt) / 1_000
    const figures = { jobsPerSecond: bench.count / seconds, loopDelayP99Ms: loopDelayP99Ms() }
    await checkCounts(queue, { waiting: bench.count, completed: 0 })
    await queue.close()
    return figures
  },
}
