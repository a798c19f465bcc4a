import { nowMs } from '../clock.ts'
import type { Channel } from '../channel.ts'
import { POSTGRES_QUEUES } from '../contenders/find-contender.ts'
import { thousands } from '../report-text.ts'
import { checkCounts, checkOnce, fillElsewhere, fillWith } from './fill.ts'
import { partOfDrain } from './job-by-job.ts'
import { againstFirst, entriesOf, JOBS_PER_SECOND } from './measure.ts'
import type { Bench, Figures, MainBench, Measure } from './measure.ts'

/** The bare tables are not here: one connection of theirs knows nothing of another's. */
export const drainTwo: Measure = {
  name: 'drain-two',
  title: 'Drain, two processes',
  about: (count) =>
    `${thousands(count)} jobs, by two processes that are up already and are told to start their workers at the same moment. The share is that of the one that did less.`,
  entries: entriesOf(['millrace', 'plainjob', 'bullmq', ...POSTGRES_QUEUES]),
  base: againstFirst,
  figures: [JOBS_PER_SECOND, { key: 'smallerShare', label: 'smaller share', digits: 2, compared: false }],
  count: { full: 100_000, quick: 20_000, tiny: 200 },
  share: partOfDrain,
  parts: { fill: fillWith('plain'), worker },
  run: drainByTwo,
}

async function worker(bench: Bench, channel: Channel): Promise<void> {
  const queue = await bench.open()
  const seen = new Uint8Array(bench.count)
  channel.tell('ready')
  await channel.hear('go')
  const working = await queue.work(({ index }) => (seen[index] = (seen[index] ?? 0) + 1))
  const drainedAt = await working.drained(null)
  channel.tell('drained', drainedAt)
  await channel.hear('stop')
  await working.stop()
  await queue.close()
  // Not before: what the other one had taken and gave back has been run by this one since. One byte for each job, base64.
  channel.tell('seen', Buffer.from(seen).toString('base64'))
}

async function drainByTwo(bench: MainBench): Promise<Figures> {
  await fillElsewhere(bench)
  const parts = [bench.part('worker'), bench.part('worker')]
  for (const part of parts) await part.hear('ready')
  const startedAt = nowMs()
  for (const part of parts) part.tell('go')
  const drained = await Promise.all(parts.map((part) => part.hear<number>('drained')))
  for (const part of parts) part.tell('stop')
  const told = await Promise.all(parts.map((part) => part.hear<string>('seen')))
  await Promise.all(parts.map((part) => part.ended()))
  const queue = await bench.open()
  await checkCounts(queue, { waiting: 0, completed: bench.count })
  await queue.close()
  const seen = told.map((each) => Buffer.from(each, 'base64'))
  checkOnce(
    Uint8Array.from({ length: bench.count }, (_, index) => seen.reduce((sum, own) => sum + (own[index] ?? 0), 0)),
  )
  const shares = seen.map((own) => own.reduce((sum, times) => sum + times, 0) / bench.count)
  const seconds = (Math.max(...drained) - startedAt) / 1_000
  return { jobsPerSecond: bench.count / seconds, smallerShare: Math.min(...shares) }
}
