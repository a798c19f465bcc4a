import type { Run } from '../../benchmarks/queues/results.ts'
import type { ContenderFacts, Results } from '../../benchmarks/queues/results.ts'
import { drain } from '../../benchmarks/queues/measures/drain.ts'
import { summarize } from '../../benchmarks/queues/figures.ts'

const CONTENDERS: readonly ContenderFacts[] = [
  {
    name: 'millrace',
    settings: 'best',
    label: 'Millrace',
    group: 'SQLite and Redis',
    durable: true,
    durability: 'nothing (FULL)',
  },
  {
    name: 'plainjob',
    settings: 'best',
    label: 'plain & <job>',
    group: 'SQLite and Redis',
    durable: false,
    durability: 'the last commits (NORMAL)',
  },
]

/** Runs of a drain: jobs a second, round by round. */
export function drainRuns(rates: Readonly<Record<'millrace' | 'plainjob', readonly number[]>>): Run[] {
  return (['millrace', 'plainjob'] as const).flatMap((contender) =>
    rates[contender].map((jobsPerSecond, round) => ({
      measure: 'drain',
      contender,
      settings: 'best',
      variant: null,
      round,
      count: 1_000,
      figures: { jobsPerSecond, bytesPerJob: 300 },
    })),
  )
}

export function resultsOf(runs: readonly Run[], rounds: number): Results {
  return {
    version: 1,
    date: '2026-01-02T03:04:05.000Z',
    machine: {
      cpu: 'A Processor',
      cores: 2,
      memoryGb: 24,
      platform: 'Linux 6 x64',
      node: '24.21.0',
      sqlite: '3.53.4',
      postgres: null,
      fdatasyncMs: 0.1,
    },
    rounds,
    quick: false,
    contenders: CONTENDERS,
    skipped: [{ contender: 'bullmq', reason: 'no redis-server was found on the PATH' }],
    runs,
    figures: summarize(drain, runs),
  }
}
