import { nowMs } from '../clock.ts'
import type { Channel } from '../channel.ts'
import type { Queue } from '../contenders/contender.ts'
import { percentile } from '../figures.ts'
import { thousands } from '../report-text.ts'
import { pause, pauses } from './pauses.ts'
import { againstFirst, entriesOf } from './measure.ts'
import type { Bench, Figure, Figures, MainBench, Measure } from './measure.ts'

export const P50_AND_P99: readonly Figure[] = [
  { key: 'p50Ms', label: 'p50, ms', digits: 2, compared: true },
  { key: 'p99Ms', label: 'p99, ms', digits: 2, compared: true },
]

/**
 * Who polls at the defaults, plainjob every second and pg-boss every two, would take minutes to say so. pg-boss polls at its best too, unless
 * it listens. The best settings of graphile-worker are for many jobs, so it is here with its defaults as well.
 */
const shared = {
  entries: [
    ...entriesOf(
      ['millrace', 'plainjob', 'bullmq', 'millrace-postgres', 'graphile-worker', 'pg-boss-notify', 'bullmq-postgres'],
      ['best'],
    ),
    ...entriesOf(['millrace-postgres', 'graphile-worker', 'bullmq-postgres'], ['defaults']),
  ],
  base: againstFirst,
  figures: P50_AND_P99,
  count: { full: 500, quick: 200, tiny: 10 },
} satisfies Partial<Measure>

export const pickupSame: Measure = {
  ...shared,
  name: 'pickup-same',
  title: 'Pickup, in one process',
  about: (count) =>
    `The time from calling enqueue to the start of the handler, with an idle worker in the same process; ${thousands(count)} jobs, one at a time, with irregular pauses.`,
  run: pickUpHere,
}

export const pickupOther: Measure = {
  ...shared,
  name: 'pickup-other',
  title: 'Pickup, by another process',
  about: () => 'The same with the worker in another process.',
  parts: { worker },
  run: pickUpElsewhere,
}

interface Started {
  readonly index: number
  readonly at: number
}

async function pickUpHere(bench: MainBench): Promise<Figures> {
  const queue = await bench.open()
  let told = Promise.withResolvers<Started>()
  const working = await queue.work(({ index }) => told.resolve({ index, at: nowMs() }))
  const figures = await pickUp(queue, bench.count, () => {
    const { promise } = told
    return promise.finally(() => (told = Promise.withResolvers<Started>()))
  })
  await working.stop()
  await queue.close()
  return figures
}

async function worker(bench: Bench, channel: Channel): Promise<void> {
  const queue = await bench.open()
  const working = await queue.work(({ index }) => channel.tell('started', { index, at: nowMs() } satisfies Started))
  channel.tell('ready')
  await channel.hear('stop')
  await working.stop()
  await queue.close()
}

async function pickUpElsewhere(bench: MainBench): Promise<Figures> {
  const queue = await bench.open()
  const part = bench.part('worker')
  await part.hear('ready')
  const figures = await pickUp(queue, bench.count, () => part.hear<Started>('started'))
  part.tell('stop')
  await part.ended()
  await queue.close()
  return figures
}

async function pickUp(queue: Queue, count: number, nextStart: () => Promise<Started>): Promise<Figures> {
  const timings: number[] = []
  for (const [index, ms] of pauses(count).entries()) {
    await pause(ms)
    const calledAt = nowMs()
    const [started] = await Promise.all([nextStart(), queue.enqueue({ index })])
    if (started.index !== index) throw new Error(`job ${started.index} started where job ${index} was enqueued`)
    timings.push(started.at - calledAt)
  }
  return { p50Ms: percentile(timings, 0.5), p99Ms: percentile(timings, 0.99) }
}
