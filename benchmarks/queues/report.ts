/** The results as Markdown tables. */
import { groupOf } from './contenders/find-contender.ts'
import { sameEntry } from './figures.ts'
import type { Entry, Figure, Measure } from './measures/measure.ts'
import { byGroup, numberText, table, thousands } from './report-text.ts'
import type { Results, Run, Summary } from './results.ts'
import type { View } from './views.ts'

export interface Tables {
  readonly measures: readonly Measure[]
  readonly views: readonly View[]
}

export function reportOf(results: Results, { measures, views }: Tables): string {
  const label = (entry: Entry): string => rowLabel(results, entry)
  const parts = [
    headOf(results),
    ...measures.map((measure) => measureTable(results, measure)),
    ...views.map((view) => {
      const lines = view.table(results, label)
      return lines === null ? null : `### ${view.title}\n\n${view.about}\n\n${lines}`
    }),
    ...results.skipped.map(({ contender, reason }) => `${contender} was skipped: ${reason}.`),
  ]
  return parts.filter((part) => part !== null).join('\n\n')
}

function headOf({ machine, date, rounds, quick, contenders }: Results): string {
  const { cpu, cores, memoryGb, platform, node, sqlite, postgres, fdatasyncMs } = machine
  const facts = [
    `${cpu}, ${cores} cores, ${memoryGb} GB, ${platform}`,
    `Node ${node}, SQLite ${sqlite}${postgres === null ? '' : `, PostgreSQL ${postgres}`}`,
    `a flush to the disk takes ${fdatasyncMs.toFixed(2)} ms`,
    `${rounds} ${rounds === 1 ? 'round' : 'rounds'}${quick ? ', quick: small counts, so rough figures' : ''}`,
    date,
  ]
  const shown = contenders.filter(({ name, settings }) => settings === 'best' && !name.startsWith('raw-'))
  const rows = byGroup(shown, ({ group }) => group).flatMap(([, own]) =>
    own.map(({ label, durability }) => [label, durability]),
  )
  return `${facts.join('; ')}.\n\n${table(['', 'what a power cut may take'], rows, 2)}`
}

/** Null: nothing of it has run, or it has nothing to show. One table for each group that took part. */
function measureTable(results: Results, measure: Measure): string | null {
  const runs = results.runs.filter((run) => run.measure === measure.name)
  if (runs.length === 0 || measure.figures.length === 0) return null
  const count = Math.max(...runs.map((run) => run.count))
  const ran = measure.entries.flatMap((entry) => runs.find((run) => sameEntry(run, entry)) ?? [])
  const head = ['', ...measure.figures.flatMap((figure) => headCells(results, figure))]
  const groups = byGroup(ran, ({ contender }) => groupOf(contender))
  const tables = groups.map(([group, own]) => {
    const rows = own.map((run) => [
      `${rowLabel(results, run)}${partText(run, count)}`,
      ...measure.figures.flatMap((figure) => figureCells(results, { measure, entry: run, figure })),
    ])
    return groups.length === 1 ? table(head, rows) : `${group}:\n\n${table(head, rows)}`
  })
  return [`### ${measure.title}`, measure.about(count), ...tables].join('\n\n')
}

/** Whoever got less than the others. */
function partText({ count }: Run, most: number): string {
  return count === most ? '' : ` (${thousands(count)})`
}

/** What a single round cannot tell is left out. */
function headCells({ rounds }: Results, { label, compared }: Figure): string[] {
  return [label, ...(rounds > 1 ? ['spread'] : []), ...(compared ? ['ratio'] : [])]
}

interface Cell {
  readonly measure: Measure
  readonly entry: Entry
  readonly figure: Figure
}

function figureCells(results: Results, { measure, entry, figure }: Cell): string[] {
  const { digits, key, compared } = figure
  const summary = results.figures.find(
    (known) => known.measure === measure.name && sameEntry(known, entry) && known.figure === key,
  )
  if (summary === undefined) return headCells(results, figure).map(() => '')
  const { median, min, max } = summary
  const spread = `${numberText(min, digits)}–${numberText(max, digits)}`
  return [
    numberText(median, digits),
    ...(results.rounds > 1 ? [spread] : []),
    ...(compared ? [ratioText(summary, measure)] : []),
  ]
}

function ratioText(summary: Summary, measure: Measure): string {
  if (summary.ratio !== null) return summary.ratio.toFixed(2)
  return sameEntry(measure.base(summary), summary) ? '1' : ''
}

function rowLabel({ contenders }: Results, { contender, settings, variant }: Entry): string {
  const facts = contenders.find((known) => known.name === contender && known.settings === settings)
  const label = `${facts?.label ?? contender}${settings === 'defaults' ? ', defaults' : ''}`
  return variant === null ? label : `${label}: ${variant}`
}
