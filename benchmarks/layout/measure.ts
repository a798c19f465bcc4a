import { openFile } from './file.ts'
import { makeJobs, type Layout } from './layout.ts'

/** Milliseconds that one run of a layout took. */
interface Timing {
  readonly enqueue: number
  readonly drain: number
  readonly life: number
}

export interface Figure {
  /** Jobs a second, the median of the rounds. */
  readonly rate: number
  /** Speed against the first layout: the median of the ratios within each round. */
  readonly ratio: number
}

export interface Figures {
  readonly name: string
  readonly enqueue: Figure
  readonly drain: Figure
  readonly life: Figure
}

interface Run {
  readonly layout: Layout
  readonly jobs: number
  readonly batch: number
}

/** Every layout once in each round, every other round backwards, so that a slow moment of the machine meets them all alike. */
export function compare(layouts: readonly Layout[], jobs: number, batch: number, rounds: number): Figures[] {
  const entries = layouts.map((layout) => ({ layout, timings: [] as Timing[] }))
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? entries : entries.toReversed()
    for (const { layout, timings } of order) timings.push(runOnce({ layout, jobs, batch }))
  }
  const base = entries[0]?.timings ?? []
  return entries.map(({ layout, timings }) => figuresOf({ name: layout.name, jobs, timings, base }))
}

function runOnce({ layout, jobs, batch }: Run): Timing {
  const file = openFile(layout.pragmas)
  const store = layout.open(file.db)
  const input = makeJobs(jobs, layout.inputBytes)
  const startedAt = performance.now()
  for (let at = 0; at < jobs; at += batch) file.transaction(() => store.enqueue(input.slice(at, at + batch)))
  const enqueuedAt = performance.now()
  let held: unknown[] = file.transaction(() => store.claim(batch))
  while (held.length > 0) {
    // The last batch is acknowledged and the next one claimed in one transaction.
    held = file.transaction(() => {
      store.complete(held)
      return store.claim(batch)
    })
  }
  const drainedAt = performance.now()
  const { completed, events } = store.count()
  file.remove()
  if (completed !== jobs || events !== jobs * layout.eventsPerJob) {
    throw new Error(`${layout.name}: ${completed} jobs completed, ${events} events`)
  }
  return { enqueue: enqueuedAt - startedAt, drain: drainedAt - enqueuedAt, life: drainedAt - startedAt }
}

interface Taken {
  readonly name: string
  readonly jobs: number
  readonly timings: readonly Timing[]
  readonly base: readonly Timing[]
}

function figuresOf({ name, jobs, timings, base }: Taken): Figures {
  const figure = (part: keyof Timing): Figure => ({
    rate: (jobs * 1_000) / median(timings.map((timing) => timing[part])),
    ratio: median(timings.map((timing, round) => (base[round]?.[part] ?? Number.NaN) / timing[part])),
  })
  return { name, enqueue: figure('enqueue'), drain: figure('drain'), life: figure('life') }
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((left, right) => left - right)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
