/** What is read off the runs of other measures, and needs no run of its own. */
import type { Entry } from './measures/measure.ts'
import { numberText, table } from './report-text.ts'
import type { Results, Summary } from './results.ts'

export interface View {
  readonly name: string
  readonly title: string
  readonly about: string
  /** The measures that it reads. */
  readonly from: readonly string[]
  /** Null: nothing that it reads has run. */
  table(results: Results, label: (entry: Entry) => string): string | null
}

const LOADS = ['callers', 'bulk', 'drain', 'phases']

const loopDelay: View = {
  name: 'loop-delay',
  title: 'Delay of the event loop',
  about:
    'The 99th percentile, in milliseconds, in the process of Millrace that enqueues or works, and how much that is above an idle process.',
  from: [...LOADS, 'idle'],
  table(results, label) {
    const own = results.figures.filter((each) => each.figure === 'loopDelayP99Ms' && each.contender === 'millrace')
    const idle = own.find(({ measure }) => measure === 'idle')?.median ?? Number.NaN
    const rows = LOADS.flatMap((load) => own.filter(({ measure }) => measure === load)).map((each) => [
      `${each.measure}: ${label(each)}`,
      numberText(each.median, 1),
      numberText(each.median - idle, 1),
    ])
    if (rows.length === 0) return null
    return table(['', 'p99, ms', 'above idle, ms'], [['an idle process', numberText(idle, 1), ''], ...rows])
  },
}

const memory: View = {
  name: 'memory',
  title: 'Memory of a worker',
  about: 'The most that the process of the drain has had resident, with and without the jobs that wait besides.',
  from: ['backlog'],
  table: (results, label) => columnOf(results, { figure: 'maxRssMb', measure: 'backlog', head: 'MB', label }),
}

const disk: View = {
  name: 'disk',
  title: 'Bytes a completed job',
  about:
    'What the store has grown by for each job of the drain, with its history: the database after a checkpoint; on Redis its memory; on PostgreSQL with all dead rows that nobody has cleaned away.',
  from: ['drain'],
  table: (results, label) => columnOf(results, { figure: 'bytesPerJob', measure: 'drain', head: 'bytes', label }),
}

export const VIEWS: readonly View[] = [loopDelay, memory, disk]

interface Column {
  readonly figure: string
  readonly measure: string
  readonly head: string
  readonly label: (entry: Entry) => string
}

/** One figure of everybody at their best. */
function columnOf({ figures }: Results, { figure, measure, head, label }: Column): string | null {
  const isWanted = (known: Summary): boolean =>
    known.figure === figure && known.measure === measure && known.settings === 'best'
  const rows = figures.filter(isWanted).map((known) => [label(known), numberText(known.median, 0)])
  return rows.length === 0 ? null : table(['', head], rows)
}
