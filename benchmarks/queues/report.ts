/** The results as Markdown tables. */
import type { Entry, Figure, Measure } from './measures/measure.ts'
import { sameEntry } from './figures.ts'
import type { Results, Summary } from './results.ts'

export function reportOf(results: Results, measures: readonly Measure[]): string {
  const parts = measures.flatMap((measure) => measureTable(results, measure) ?? [])
  const skipped = results.skipped.map(({ contender, reason }) => `${contender} was skipped: ${reason}.`)
  return [headOf(results), ...parts, ...skipped].join('\n\n')
}

function headOf({ machine, date, rounds, quick, contenders }: Results): string {
  const { cpu, cores, memoryGb, platform, node, sqlite, fdatasyncMs } = machine
  const facts = [
    `${cpu}, ${cores} cores, ${memoryGb} GB, ${platform}`,
    `Node ${node}, SQLite ${sqlite}`,
    `a flush to the disk takes ${fdatasyncMs.toFixed(2)} ms`,
    `${rounds} ${rounds === 1 ? 'round' : 'rounds'}${quick ? ', quick: small counts, so rough figures' : ''}`,
    date,
  ]
  const best = contenders.filter(({ settings }) => settings === 'best')
  const losses = best.map(({ label, durability }) => [label, durability])
  return `${facts.join('; ')}.\n\n${table(['contender', 'what a power cut may take'], losses, 2)}`
}

/** Null: nothing of it has run. */
function measureTable(results: Results, measure: Measure): string | null {
  const ran = measure.entries.filter((entry) => results.runs.some((run) => isOf(run, measure, entry)))
  if (ran.length === 0) return null
  const head = ['', ...measure.figures.flatMap(({ label }) => [label, 'spread', 'ratio'])]
  const rows = ran.map((entry) => [
    rowLabel(results, entry),
    ...measure.figures.flatMap((figure) => cells(results, measure, entry, figure)),
  ])
  return `### ${measure.title}\n\n${measure.about}\n\n${table(head, rows)}`
}

function isOf(run: Entry & { readonly measure: string }, measure: Measure, entry: Entry): boolean {
  return run.measure === measure.name && sameEntry(run, entry)
}

function rowLabel({ contenders }: Results, { contender, settings, variant }: Entry): string {
  const facts = contenders.find((known) => known.name === contender && known.settings === settings)
  const label = `${facts?.label ?? contender}${settings === 'defaults' ? ', defaults' : ''}`
  return variant === null ? label : `${label}: ${variant}`
}

function cells(results: Results, measure: Measure, entry: Entry, figure: Figure): string[] {
  const summary = results.figures.find((known) => isOf(known, measure, entry) && known.figure === figure.key)
  return summary === undefined ? ['', '', ''] : figureCells(summary, figure)
}

function figureCells({ median, min, max, ratio }: Summary, { digits }: Figure): string[] {
  return [
    numberText(median, digits),
    `${numberText(min, digits)}–${numberText(max, digits)}`,
    ratio === null ? '1' : ratio.toFixed(2),
  ]
}

function numberText(number: number, digits: number): string {
  return number.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** A Markdown table whose columns, but for the first ones, hold numbers. */
function table(head: readonly string[], rows: readonly (readonly string[])[], textColumns = 1): string {
  const lines = [head, head.map((_, index) => (index < textColumns ? '---' : '---:')), ...rows]
  return lines.map((cellsOfRow) => `| ${cellsOfRow.join(' | ')} |`).join('\n')
}
