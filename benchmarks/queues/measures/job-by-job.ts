/** Rows that pay a commit for every job, so that a part of the jobs tells their rate, and all of them would take many minutes. */
import type { ContenderName } from '../contenders/find-contender.ts'
import type { Entry } from './measure.ts'

const PART = 0.2

/** At their best the first two claim and complete by the thousand. */
const DRAINED_IN_BATCHES: ReadonlySet<ContenderName> = new Set(['graphile-worker', 'pg-boss'])
const JOB_BY_JOB: ReadonlySet<ContenderName> = new Set([
  'graphile-worker',
  'pg-boss',
  'pg-boss-notify',
  'bullmq-postgres',
])

export function partOfDrain({ contender, settings }: Entry): number {
  const inBatches = settings === 'best' && DRAINED_IN_BATCHES.has(contender)
  return JOB_BY_JOB.has(contender) && !inBatches ? PART : 1
}

export function partOfCallers({ contender }: Entry): number {
  return JOB_BY_JOB.has(contender) ? PART : 1
}
