import { nowMs } from '../clock.ts'
import type { Channel } from '../channel.ts'
import type { BacklogKind } from '../contenders/contender.ts'
import { POSTGRES_QUEUES } from '../contenders/find-contender.ts'
import { settleDatabase } from '../contenders/postgres-client.ts'
import { thousands } from '../report-text.ts'
import { checkCounts, checkOnce, fillElsewhere, fillQueue } from './fill.ts'
import type { Bench, Entry, Figures, MainBench, Measure } from './measure.ts'
import { JOBS_PER_SECOND } from './measure.ts'

interface Beside {
  readonly kind: BacklogKind
  /** The backlog is so many times the jobs that are drained: a million in a full run, or ten thousand. */
  readonly times: number
}

const FEW = 0.2
const MANY = 20

const EMPTY = 'an empty store'
const FINISHED = 'many finished jobs kept'
const VARIANTS: Readonly<Record<string, Beside | null>> = {
  [EMPTY]: null,
  'some waiting jobs of another type': { kind: 'other', times: FEW },
  'many waiting jobs of another type': { kind: 'other', times: MANY },
  [FINISHED]: { kind: 'finished', times: MANY },
}

/** graphile-worker keeps no finished jobs. */
const ENTRIES: readonly Entry[] = POSTGRES_QUEUES.flatMap((contender) =>
  Object.keys(VARIANTS)
    .filter((variant) => contender !== 'graphile-worker' || variant !== FINISHED)
    .map((variant): Entry => ({ contender, settings: 'best', variant })),
)

export const backlogPostgres: Measure = {
  name: 'backlog-postgres',
  title: 'A PostgreSQL store that is not empty',
  about: (count) =>
    `${thousands(count)} jobs are drained while the store holds others besides: some are ${thousands(FEW * count)}, many are ${thousands(MANY * count)}. It was vacuumed and its statistics were taken before.`,
  entries: ENTRIES,
  base: (entry) => ({ ...entry, variant: EMPTY }),
  figures: [JOBS_PER_SECOND],
  count: { full: 50_000, quick: 5_000, tiny: 50 },
  parts: { fill },
  run: drainBeside,
}

function besideOf({ variant }: Bench): Beside | null {
  return VARIANTS[variant ?? EMPTY] ?? null
}

async function fill(bench: Bench, channel: Channel): Promise<void> {
  const { contender, place, count } = bench
  const beside = besideOf(bench)
  if (beside !== null) {
    if (contender.addBacklog === undefined) throw new Error(`${contender.name} has no way to add a backlog`)
    await contender.addBacklog(place, beside.kind, beside.times * count)
  }
  const queue = await bench.open()
  await fillQueue(queue, count)
  await queue.close()
  await settleDatabase(place.address)
  channel.tell('filled')
}

async function drainBeside(bench: MainBench): Promise<Figures> {
  await fillElsewhere(bench)
  const queue = await bench.open()
  const seen = new Uint8Array(bench.count)
  const startedAt = nowMs()
  const working = await queue.work(({ index }) => (seen[index] = (seen[index] ?? 0) + 1))
  const seconds = ((await working.drained(bench.count)) - startedAt) / 1_000
  await working.stop()
  checkOnce(seen)
  const beside = besideOf(bench)
  const kept = beside?.kind === 'finished' ? beside.times * bench.count : 0
  await checkCounts(queue, { waiting: 0, completed: bench.count + kept })
  await queue.close()
  return { jobsPerSecond: bench.count / seconds }
}
