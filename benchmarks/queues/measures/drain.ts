import { nowMs, watchLoop } from '../clock.ts'
import { checkCounts, checkOnce, fill, fillElsewhere } from './fill.ts'
import { againstMillrace, entriesOf, JOBS_PER_SECOND } from './measure.ts'
import type { Measure } from './measure.ts'

export const drain: Measure = {
  name: 'drain',
  title: 'Drain, one process',
  about:
    'Waiting jobs that do nothing are worked off by one process, from the start of its worker until the last one is completed in the store.',
  entries: entriesOf(['millrace', 'raw', 'plainjob', 'bullmq']),
  base: againstMillrace,
  figures: [JOBS_PER_SECOND],
  count: { full: 100_000, quick: 20_000, tiny: 200 },
  parts: { fill },
  async run(bench) {
    await fillElsewhere(bench)
    const queue = await bench.open()
    const seen = new Uint8Array(bench.count)
    const loopDelayP99Ms = watchLoop()
    const startedAt = nowMs()
    const working = await queue.work(({ index }) => (seen[index] = (seen[index] ?? 0) + 1))
    const seconds = ((await working.drained(bench.count)) - startedAt) / 1_000
    const figures = { jobsPerSecond: bench.count / seconds, loopDelayP99Ms: loopDelayP99Ms() }
    await working.stop()
    checkOnce(seen)
    await checkCounts(queue, { waiting: 0, completed: bench.count })
    await queue.close()
    const bytes = (await bench.contender.bytes(bench.place)) - bench.place.emptyBytes
    return { ...figures, bytesPerJob: bytes / bench.count }
  },
}
