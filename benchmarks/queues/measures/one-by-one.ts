import { nowMs } from '../clock.ts'
import { thousands } from '../report-text.ts'
import { checkCounts } from './fill.ts'
import { againstFirst, entriesOf, JOBS_PER_SECOND, WHO_ENQUEUES } from './measure.ts'
import type { Measure } from './measure.ts'

export const oneByOne: Measure = {
  name: 'one-by-one',
  title: 'Enqueue, one by one',
  about: (count) =>
    `One caller enqueues ${thousands(count)} jobs, waiting for each before the next, after a tenth as many that are not timed: what a single commit takes.`,
  entries: entriesOf([...WHO_ENQUEUES, 'raw', 'raw-postgres']),
  base: againstFirst,
  figures: [JOBS_PER_SECOND],
  count: { full: 5_000, quick: 2_000, tiny: 100 },
  async run(bench) {
    const queue = await bench.open()
    const warmUp = bench.count / 10
    for (let index = 0; index < warmUp; index++) await queue.enqueue({ index })
    const startedAt = nowMs()
    for (let index = 0; index < bench.count; index++) await queue.enqueue({ index })
    const seconds = (nowMs() - startedAt) / 1_000
    await checkCounts(queue, { waiting: bench.count + warmUp, completed: 0 })
    await queue.close()
    return { jobsPerSecond: bench.count / seconds }
  },
}
