import { openMillrace } from '../built-package.ts'
import type { Millrace } from '../built-package.ts'
import { nowMs } from '../clock.ts'
import { percentile } from '../figures.ts'
import { thousands } from '../report-text.ts'
import { pause, pauses } from './pauses.ts'
import type { Entry, Figures, MainBench, Measure } from './measure.ts'
import { GRACE_MS, SPINNING, spinningProcess, spinningThread } from './spinning-handlers.ts'
import type { Cell } from './spinning-handlers.ts'

const VARIANTS: Readonly<Record<string, Cell>> = { 'in a thread': 'thread', 'in a process': 'process' }
const FIRST = 'in a thread'

/** The other queues cannot end a handler. */
export const cancelForced: Measure = {
  name: 'cancel-forced',
  title: 'Cancel, of a handler that does not stop',
  about: (count) =>
    `A handler computes without an end and looks at nothing; its grace is ${GRACE_MS} ms. The time from the cancel until the job is final, and until the handler has been ended by force and that is stored; ${thousands(count)} jobs, one at a time.`,
  entries: Object.keys(VARIANTS).map((variant): Entry => ({ contender: 'millrace', settings: 'best', variant })),
  base: (entry) => ({ ...entry, variant: FIRST }),
  figures: [
    { key: 'finalP50Ms', label: 'final p50, ms', digits: 0, compared: false },
    { key: 'finalP99Ms', label: 'p99, ms', digits: 0, compared: false },
    { key: 'endedP50Ms', label: 'ended p50, ms', digits: 0, compared: false },
    { key: 'endedP99Ms', label: 'p99, ms', digits: 0, compared: false },
  ],
  count: { full: 100, quick: 30, tiny: 2 },
  run: cancelSpinning,
}

async function cancelSpinning({ place, count, variant }: MainBench): Promise<Figures> {
  const mill = await openMillrace(`sqlite:${place.address}`)
  const definition = SPINNING[VARIANTS[variant ?? FIRST] ?? 'thread']
  let begun = Promise.withResolvers<void>()
  await mill.subscribe(({ name }) => {
    if (name === 'job:log') begun.resolve()
  })
  await mill.work([spinningThread, spinningProcess])
  const final: number[] = []
  const ended: number[] = []
  for (const ms of pauses(count)) {
    const { job } = await mill.enqueue(definition, null)
    await begun.promise
    begun = Promise.withResolvers<void>()
    await pause(ms)
    const calledAt = nowMs()
    await mill.cancel(job)
    const { state } = await mill.waitFor(job)
    if (state !== 'cancelled') throw new Error(`a job that was cancelled is ${state}`)
    final.push(nowMs() - calledAt)
    await untilEnded(mill, job.id)
    ended.push(nowMs() - calledAt)
  }
  await mill.close()
  return {
    finalP50Ms: percentile(final, 0.5),
    finalP99Ms: percentile(final, 0.99),
    endedP50Ms: percentile(ended, 0.5),
    endedP99Ms: percentile(ended, 0.99),
  }
}

async function untilEnded(mill: Millrace, id: string): Promise<void> {
  while ((await mill.get(id)).attempts.at(-1)?.stoppedAt == null) await pause(1)
}
