import { nowMs } from '../clock.ts'
import type { Channel, Part } from '../channel.ts'
import { POSTGRES_QUEUES } from '../contenders/find-contender.ts'
import { holdSnapshot } from '../contenders/postgres-client.ts'
import { thousands } from '../report-text.ts'
import { checkCounts, fillQueue, inputsFrom } from './fill.ts'
import type { Bench, Entry, Figures, MainBench, Measure } from './measure.ts'
import { pause } from './pauses.ts'

const BULK = 1_000
const MOST_AHEAD = 20 * BULK
const LAST_PART = 0.2

const UNDISTURBED = 'undisturbed'
const HELD = 'an old transaction open'

export const horizon: Measure = {
  name: 'horizon',
  title: 'While an old transaction is open',
  about: (count) =>
    `For ${count / 1_000} seconds one process works off what another enqueues by the thousand, so that about ${thousands(aheadOf(count))} jobs wait all the time; once undisturbed, and once while a transaction stays open that has looked before, so that PostgreSQL can clean away nothing that has died since. The last is the rate of the last fifth.`,
  entries: POSTGRES_QUEUES.flatMap((contender) =>
    [UNDISTURBED, HELD].map((variant): Entry => ({ contender, settings: 'best', variant })),
  ),
  base: (entry) => ({ ...entry, variant: UNDISTURBED }),
  figures: [
    { key: 'jobsPerSecond', label: 'jobs/s', digits: 0, compared: true },
    { key: 'lastPerSecond', label: 'the last', digits: 0, compared: true },
  ],
  // Milliseconds.
  count: { full: 120_000, quick: 20_000, tiny: 300 },
  parts: { feed },
  run: drainForAWhile,
}

/** Jobs that wait at the start, and about as many all the time. */
function aheadOf(count: number): number {
  return Math.min(MOST_AHEAD, 10 * count)
}

/** Keeps the queue filled: each message says how many more jobs to enqueue; none is the end. */
async function feed(bench: Bench, channel: Channel): Promise<void> {
  const queue = await bench.open()
  let enqueued = aheadOf(bench.count)
  await fillQueue(queue, enqueued)
  channel.tell('filled')
  for (let more = await channel.hear<number>('more'); more > 0; more = await channel.hear<number>('more')) {
    await queue.enqueueMany(inputsFrom(enqueued, more))
    enqueued += more
  }
  await queue.close()
  channel.tell('enqueued', enqueued)
}

async function drainForAWhile(bench: MainBench): Promise<Figures> {
  const feeder = bench.part('feed')
  await feeder.hear('filled')
  const held = bench.variant === HELD ? await holdSnapshot(bench.place.address) : null
  const queue = await bench.open()
  const ran = countRuns(feeder)
  const working = await queue.work(ran.note)
  const startedAt = await Promise.race([ran.first, noneBegins()])
  await pause((1 - LAST_PART) * bench.count)
  const late = { at: nowMs(), jobs: ran.jobs() }
  await pause(startedAt + bench.count - nowMs())
  const end = { at: nowMs(), jobs: ran.jobs() }
  await working.stop()
  await held?.release()
  feeder.tell('more', 0)
  const enqueued = await feeder.hear<number>('enqueued')
  await feeder.ended()
  ran.checkNoneTwice()
  await checkCounts(queue, { waiting: enqueued - ran.jobs(), completed: ran.jobs() })
  await queue.close()
  return {
    jobsPerSecond: (end.jobs * 1_000) / (end.at - startedAt),
    lastPerSecond: ((end.jobs - late.jobs) * 1_000) / (end.at - late.at),
  }
}

const BEGINS_WITHIN_MS = 60_000

async function noneBegins(): Promise<never> {
  await pause(BEGINS_WITHIN_MS)
  throw new Error(`no job has begun within ${BEGINS_WITHIN_MS / 1_000} seconds`)
}

interface Runs {
  /** When the first began: how long a process takes to come up is not what is measured. */
  readonly first: Promise<number>
  readonly note: (input: { readonly index: number }) => void
  jobs(): number
  checkNoneTwice(): void
}

/** Asks for as many jobs as have run, by the thousand. */
function countRuns(feeder: Part): Runs {
  const times: number[] = []
  const { promise: first, resolve: begun } = Promise.withResolvers<number>()
  let jobs = 0
  return {
    first,
    note({ index }) {
      times[index] = (times[index] ?? 0) + 1
      jobs += 1
      if (jobs === 1) begun(nowMs())
      if (jobs % BULK === 0) feeder.tell('more', BULK)
    },
    jobs: () => jobs,
    checkNoneTwice() {
      const odd = times.findIndex((known) => known > 1)
      if (odd >= 0) throw new Error(`job ${odd} ran ${times[odd]} times`)
    },
  }
}
