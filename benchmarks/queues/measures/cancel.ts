import { once } from 'node:events'
import { defineJob, handle, openMillrace } from '../built-package.ts'
import type { Handler, Millrace } from '../built-package.ts'
import { nowMs } from '../clock.ts'
import type { Channel } from '../channel.ts'
import { SERVICE } from '../contenders/millrace.ts'
import { percentile } from '../figures.ts'
import { thousands } from '../report-text.ts'
import { pause, pauses } from './pauses.ts'
import { againstFirst, entriesOf } from './measure.ts'
import type { Bench, Figures, MainBench, Measure } from './measure.ts'
import { P50_AND_P99 } from './pickup.ts'

/** The other queues cannot cancel a job that runs. */
const shared = {
  entries: entriesOf(['millrace'], ['best']),
  base: againstFirst,
  figures: P50_AND_P99,
  count: { full: 200, quick: 100, tiny: 5 },
} satisfies Partial<Measure>

export const cancelSame: Measure = {
  ...shared,
  name: 'cancel-same',
  title: 'Cancel, in one process',
  about: (count) =>
    `The time from cancelling a running job, whose handler heeds its signal, until \`waitFor\` says that it is over; ${thousands(count)} jobs, one at a time.`,
  run: cancelHere,
}

export const cancelOther: Measure = {
  ...shared,
  name: 'cancel-other',
  title: 'Cancel, from another process',
  about: () => 'The same with the worker in another process.',
  parts: { worker },
  run: cancelElsewhere,
}

const definition = defineJob('bench.patient', { service: SERVICE })

function patientHandler(onStart: () => void): Handler {
  return handle(definition, async ({ signal }) => {
    onStart()
    if (!signal.aborted) await once(signal, 'abort')
    signal.throwIfAborted()
  })
}

async function cancelHere(bench: MainBench): Promise<Figures> {
  const mill = await openMillrace(`sqlite:${bench.place.address}`)
  let told = Promise.withResolvers<void>()
  await mill.work([patientHandler(() => told.resolve())])
  const figures = await cancelAll(mill, bench.count, () => {
    const { promise } = told
    return promise.finally(() => (told = Promise.withResolvers<void>()))
  })
  await mill.close()
  return figures
}

async function worker(bench: Bench, channel: Channel): Promise<void> {
  const mill = await openMillrace(`sqlite:${bench.place.address}`)
  await mill.work([patientHandler(() => channel.tell('started'))])
  channel.tell('ready')
  await channel.hear('stop')
  await mill.close()
}

async function cancelElsewhere(bench: MainBench): Promise<Figures> {
  const part = bench.part('worker')
  await part.hear('ready')
  const mill = await openMillrace(`sqlite:${bench.place.address}`)
  const figures = await cancelAll(mill, bench.count, () => part.hear('started'))
  part.tell('stop')
  await part.ended()
  await mill.close()
  return figures
}

async function cancelAll(mill: Millrace, count: number, nextStart: () => Promise<unknown>): Promise<Figures> {
  const timings: number[] = []
  for (const ms of pauses(count)) {
    const [{ job }] = await Promise.all([mill.enqueue(definition), nextStart()])
    await pause(ms)
    const calledAt = nowMs()
    await mill.cancel(job)
    const { state } = await mill.waitFor(job)
    timings.push(nowMs() - calledAt)
    if (state !== 'cancelled') throw new Error(`a job that was cancelled is ${state}`)
  }
  return { p50Ms: percentile(timings, 0.5), p99Ms: percentile(timings, 0.99) }
}
