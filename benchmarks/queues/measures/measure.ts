/** What a measure is, and what it has at hand while it runs. */
import type { Channel, Part } from '../channel.ts'
import type { Contender, Load, Place, Queue, Settings } from '../contenders/contender.ts'
import { familyOf, GROUPS, groupOf, POSTGRES_QUEUES } from '../contenders/find-contender.ts'
import type { ContenderName } from '../contenders/find-contender.ts'

/** `tiny` is for the tests: it shows that everything works, and measures nothing. */
export type Size = 'full' | 'quick' | 'tiny'

/** One row of a measure's table. */
export interface Entry {
  readonly contender: ContenderName
  readonly settings: Settings
  /** What the measure does otherwise in this row; null: it does the same in all. */
  readonly variant: string | null
}

export interface Figure {
  readonly key: string
  readonly label: string
  readonly digits: number
  /** Whether it makes sense to divide it by that of the base. */
  readonly compared: boolean
}

/** What one run came to, by the keys of the measure's figures and of whatever else it noticed. */
export type Figures = Readonly<Record<string, number>>

/** What a process of a run has at hand. */
export interface Bench {
  readonly contender: Contender
  readonly place: Place
  readonly variant: string | null
  /** How many, of whatever the measure counts. */
  readonly count: number
  open(load?: Load): Promise<Queue>
}

/** The process that measures. */
export interface MainBench extends Bench {
  /** Starts another process for one of the measure's parts. */
  part(name: string): Part
}

export interface Measure {
  readonly name: string
  readonly title: string
  /** What is done so many times, and what is timed. */
  about(count: number): string
  readonly entries: readonly Entry[]
  /** The row by whose figures the others are divided, round by round. */
  base(entry: Entry): Entry
  /** The columns of its table; none: it has no table. */
  readonly figures: readonly Figure[]
  readonly count: Readonly<Record<Size, number>>
  /** Rows that tell their rate by a part of the count, and would take minutes for the whole. */
  share?(entry: Entry): number
  run(bench: MainBench): Promise<Figures>
  /** What other processes of the run do, by name. */
  readonly parts?: Readonly<Record<string, (bench: Bench, channel: Channel) => Promise<void>>>
}

const BOTH: readonly Settings[] = ['best', 'defaults']
/** Statements have no settings. */
const BEST_ONLY: ReadonlySet<ContenderName> = new Set(['raw', 'raw-postgres'])

/** Every contender at its best, then all that have other defaults at those; variants have none. */
export function entriesOf(contenders: readonly ContenderName[], settings: readonly Settings[] = BOTH): Entry[] {
  return settings.flatMap((each) =>
    contenders
      .filter((contender) => each === 'best' || (!BEST_ONLY.has(contender) && familyOf(contender) === contender))
      .map((contender) => ({ contender, settings: each, variant: null })),
  )
}

/** Whom to measure beside the others where jobs are only added, apart from the bare tables. */
export const WHO_ENQUEUES: readonly ContenderName[] = [
  'millrace',
  'plainjob',
  'plainjob-full',
  'bullmq',
  'bullmq-always',
  ...POSTGRES_QUEUES,
  'pg-boss-notify',
]

/** The first of the same group at the same settings: Millrace, where it is in the group. */
export function againstFirst({ contender, settings, variant }: Entry): Entry {
  return { contender: GROUPS[groupOf(contender)][0], settings, variant }
}

/** How many of whatever it counts that row gets. */
export function countFor(measure: Measure, entry: Entry, size: Size): number {
  return Math.ceil(measure.count[size] * (measure.share?.(entry) ?? 1))
}

export const JOBS_PER_SECOND: Figure = {
  key: 'jobsPerSecond',
  label: 'jobs/s',
  digits: 0,
  compared: true,
}
