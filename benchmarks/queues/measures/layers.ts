import { nowMs } from '../clock.ts'
import { thousands } from '../report-text.ts'
import { checkCounts, checkOnce, inputsFrom } from './fill.ts'
import type { Figure, Figures, MainBench, Measure } from './measure.ts'
import { RAW_LAYERS } from '../contenders/raw-layers.ts'
import type { RawName } from '../contenders/raw-layers.ts'

const BULK = 1_000

const FIGURES: readonly Figure[] = [
  { key: 'drainedPerSecond', label: 'drained, jobs/s', digits: 0, compared: true },
  { key: 'enqueuedPerSecond', label: 'in bulks, jobs/s', digits: 0, compared: true },
]

export const layers: Measure = {
  name: 'layers',
  title: 'What each layer of the floor costs',
  about: (count) =>
    `The bare tables, and what is gained by leaving out the events, the fence, or the flush of each commit; ${thousands(count)} jobs.`,
  entries: Object.keys(RAW_LAYERS).map((name) => ({ contender: name as RawName, settings: 'best', variant: null })),
  base: () => ({ contender: 'raw', settings: 'best', variant: null }),
  figures: FIGURES,
  count: { full: 100_000, quick: 30_000, tiny: 1_000 },
  run: enqueueAndDrain,
}

async function enqueueAndDrain(bench: MainBench): Promise<Figures> {
  const queue = await bench.open()
  const bulks = Array.from({ length: Math.ceil(bench.count / BULK) }, (_, at) => inputsFrom(at * BULK, BULK))
  const enqueuingAt = nowMs()
  for (const inputs of bulks) await queue.enqueueMany(inputs)
  const startedAt = nowMs()
  const seen = new Uint8Array(bench.count)
  const working = await queue.work(({ index }) => (seen[index] = (seen[index] ?? 0) + 1))
  const drainedAt = await working.drained(bench.count)
  checkOnce(seen)
  await checkCounts(queue, { waiting: 0, completed: bench.count })
  await queue.close()
  return {
    enqueuedPerSecond: (bench.count * 1_000) / (startedAt - enqueuingAt),
    drainedPerSecond: (bench.count * 1_000) / (drainedAt - startedAt),
  }
}
