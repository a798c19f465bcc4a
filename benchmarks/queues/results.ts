/** What a benchmark leaves behind: the raw figures of every run, and what was made of them. */
import type { Settings } from './contenders/contender.ts'
import type { Group } from './contenders/find-contender.ts'
import type { Entry, Figures } from './measures/measure.ts'

export const RESULTS_VERSION = 2

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly platform: string
  readonly node: string
  readonly sqlite: string
  /** Null: nobody was on PostgreSQL. */
  readonly postgres: string | null
  /** One page written and flushed to the temporary folder's disk: the median. */
  readonly fdatasyncMs: number
}

export interface Run extends Entry {
  readonly measure: string
  /** From 0. */
  readonly round: number
  readonly count: number
  readonly figures: Figures
}

/** One figure of one row of one measure, over all rounds. */
export interface Summary extends Entry {
  readonly measure: string
  readonly figure: string
  readonly median: number
  readonly min: number
  readonly max: number
  /** Against the row's base: the median of the ratios within each round; null: it is the base, or that did not run. */
  readonly ratio: number | null
}

/** Who was to run and did not, and why. */
export interface Skipped {
  readonly contender: string
  readonly reason: string
}

export interface ContenderFacts {
  readonly name: string
  readonly settings: Settings
  readonly label: string
  readonly group: Group
  readonly durable: boolean
  readonly durability: string
}

export interface Results {
  readonly version: number
  readonly date: string
  readonly machine: Machine
  readonly rounds: number
  readonly quick: boolean
  readonly contenders: readonly ContenderFacts[]
  readonly skipped: readonly Skipped[]
  readonly runs: readonly Run[]
  readonly figures: readonly Summary[]
}
