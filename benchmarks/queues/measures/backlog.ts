import { nowMs } from '../clock.ts'
import type { Channel } from '../channel.ts'
import type { BacklogKind } from '../contenders/contender.ts'
import { addBacklog } from '../contenders/sqlite-backlog.ts'
import { checkpoint } from '../contenders/sqlite-file.ts'
import { thousands } from '../report-text.ts'
import { enqueueByCallers } from './callers.ts'
import { checkOnce, fillElsewhere, fillQueue } from './fill.ts'
import type { Bench, Entry, Figures, MainBench, Measure } from './measure.ts'

/** The backlog is so many times the jobs that are drained: a million in a full run. */
const TIMES = 20
const ENQUEUED_SHARE = 0.2

const EMPTY = 'an empty store'
const VARIANTS: Readonly<Record<string, BacklogKind | null>> = {
  [EMPTY]: null,
  'finished jobs kept': 'finished',
  'waiting jobs of another type': 'other',
  'waiting jobs of the type, behind': 'behind',
}

/** About Millrace on SQLite alone: how the others fare is theirs to say. */
export const backlog: Measure = {
  name: 'backlog',
  title: 'A store that is not empty',
  about: (count) =>
    `${thousands(count)} jobs are drained, and then others enqueued by 100 callers, while the store holds ${thousands(TIMES * count)} besides. The drain ends when the last handler has run.`,
  entries: Object.keys(VARIANTS).map((variant): Entry => ({ contender: 'millrace', settings: 'best', variant })),
  base: (entry) => ({ ...entry, variant: EMPTY }),
  figures: [
    { key: 'drainedPerSecond', label: 'drained, jobs/s', digits: 0, compared: true },
    { key: 'enqueuedPerSecond', label: 'by callers, jobs/s', digits: 0, compared: true },
  ],
  count: { full: 50_000, quick: 5_000, tiny: 50 },
  parts: { fill },
  run: drainBesideBacklog,
}

async function fill(bench: Bench, channel: Channel): Promise<void> {
  const kind = VARIANTS[bench.variant ?? EMPTY] ?? null
  if (kind !== null) await addBacklog(bench.place, kind, TIMES * bench.count)
  const queue = await bench.open()
  await fillQueue(queue, bench.count)
  await queue.close()
  checkpoint(bench.place)
  channel.tell('filled')
}

async function drainBesideBacklog(bench: MainBench): Promise<Figures> {
  await fillElsewhere(bench)
  const queue = await bench.open()
  const seen = new Uint8Array(bench.count)
  const over = Promise.withResolvers<number>()
  let left = bench.count
  const startedAt = nowMs()
  const working = await queue.work(({ index }) => {
    if (index < 0) return
    seen[index] = (seen[index] ?? 0) + 1
    left -= 1
    if (left === 0) over.resolve(nowMs())
  })
  const drainedPerSecond = (bench.count * 1_000) / ((await over.promise) - startedAt)
  await working.stop()
  const maxRssMb = process.resourceUsage().maxRSS / 1_024
  checkOnce(seen)
  const { completed } = await queue.counts()
  if (completed === null || completed < bench.count)
    throw new Error(`${completed} jobs are completed, of ${bench.count}`)
  const enqueued = Math.ceil(ENQUEUED_SHARE * bench.count)
  const enqueuingAt = nowMs()
  await enqueueByCallers(queue, bench.count, enqueued)
  const enqueuedPerSecond = (enqueued * 1_000) / (nowMs() - enqueuingAt)
  await queue.close()
  return { drainedPerSecond, enqueuedPerSecond, maxRssMb }
}
