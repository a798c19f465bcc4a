import { openFile, type BenchFile } from './file.ts'
import { makeJobs } from './layout.ts'
import { openLean, PLAIN, type LeanEvent } from './lean.ts'
import { median } from './measure.ts'

const SIZES = [1, 10, 100, 250, 1_000] as const
const JOBS = 10_000
const PER_TRANSACTION = 1_000

interface Way {
  readonly by: 'json' | 'rows'
  readonly returning: boolean
}

const WAYS: readonly Way[] = [
  { by: 'json', returning: false },
  { by: 'json', returning: true },
  { by: 'rows', returning: false },
  { by: 'rows', returning: true },
]

interface Steps {
  readonly insertUs: number
  readonly eventUs: number
  readonly settleUs: number
}

/** What one row costs in each step by statement size. Transactions are always of 1,000 jobs, so that the commit weighs alike. */
export function stepRows(rounds: number): string[][] {
  const cells = WAYS.flatMap((way) => SIZES.map((size) => ({ way, size, taken: [] as Steps[] })))
  for (let round = 0; round < rounds; round++) {
    for (const cell of cells) cell.taken.push(timeSteps(cell.way, cell.size))
  }
  const row = (label: string, way: Way, of: (steps: Steps) => number): string[] => [
    `${label}, ${way.by === 'json' ? 'json_each' : 'a statement a row'}`,
    ...cells.filter((cell) => cell.way === way).map((cell) => median(cell.taken.map(of)).toFixed(1)),
  ]
  const counted = WAYS.filter((way) => !way.returning)
  return [
    ...counted.map((way) => row('insert job', way, (steps) => steps.insertUs)),
    ...counted.map((way) => row('insert event', way, (steps) => steps.eventUs)),
    ...WAYS.map((way) => row(`complete, ${way.returning ? 'returned' : 'counted'}`, way, (steps) => steps.settleUs)),
  ]
}

function timeSteps({ by, returning }: Way, size: number): Steps {
  const file = openFile()
  const store = openLean(file.db, { ...PLAIN, enqueueBy: by, completeBy: by, eventsBy: by, returning })
  const jobs = makeJobs(JOBS)
  const events: LeanEvent[] = jobs.map((_, index) => ({ job: index + 1, seq: 1, attempt: 0 }))
  const insertUs = perRow(file, size, (from, to) => store.insertJobs(jobs.slice(from, to)))
  const eventUs = perRow(file, size, (from, to) => store.insertEvents(1, events.slice(from, to)))
  const claimed = file.transaction(() => store.claim(JOBS))
  const settleUs = perRow(file, size, (from, to) => store.settle(claimed.slice(from, to)))
  file.remove()
  return { insertUs, eventUs, settleUs }
}

function perRow(file: BenchFile, size: number, step: (from: number, to: number) => unknown): number {
  const startedAt = performance.now()
  for (let at = 0; at < JOBS; at += PER_TRANSACTION) {
    file.transaction(() => {
      for (let from = at; from < at + PER_TRANSACTION; from += size) step(from, from + size)
    })
  }
  return ((performance.now() - startedAt) * 1_000) / JOBS
}
