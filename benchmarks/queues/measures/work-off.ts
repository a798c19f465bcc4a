import { nowMs, watchLoop } from '../clock.ts'
import type { Load } from '../contenders/contender.ts'
import { checkCounts, checkOnce, fillElsewhere } from './fill.ts'
import type { Figures, MainBench } from './measure.ts'

/** Fills the store in another process, then drains it in this one. */
export async function workOff(bench: MainBench, load: Load): Promise<Figures> {
  await fillElsewhere(bench)
  const queue = await bench.open(load)
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
}
