/** The results as a picture: bars of jobs a second, one group a measure, as an SVG that follows the reader's light or dark mode. */
import { byGroup, thousands } from './report-text.ts'
import type { ContenderFacts, Results, Summary } from './results.ts'

const GROUPS = [
  { measure: 'drain', title: 'Work off waiting jobs' },
  { measure: 'callers', title: 'Enqueue, 100 callers at a time' },
  { measure: 'one-by-one', title: 'Enqueue, one by one' },
  { measure: 'bulk', title: 'Enqueue, 1,000 at a time' },
] as const

const WIDTH = 860
const MARGIN = 24
const LABEL_WIDTH = 200
/** Room for the figure behind the longest bar. */
const FIGURE_WIDTH = 90
const BAR_HEIGHT = 18
const BAR_STEP = 25
const TITLE_HEIGHT = 34
const PART_HEIGHT = 22
const GROUP_GAP = 16
const HEAD_HEIGHT = 62
const LINE_HEIGHT = 18

const STYLE = `
    text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; fill: #24292f }
    .title { font-size: 17px; font-weight: 600 }
    .group { font-size: 14px; font-weight: 600 }
    .quiet { fill: #57606a }
    .bar { fill: #8c959f; stroke: #8c959f }
    .own { fill: #0b7285; stroke: #0b7285 }
    .floor { fill: #ced4da; stroke: #ced4da }
    .fleeting { fill: none; stroke-dasharray: 4 3 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .quiet { fill: #9198a1 }
      .bar { fill: #6e7681; stroke: #6e7681 }
      .own { fill: #3bc9db; stroke: #3bc9db }
      .floor { fill: #3d444d; stroke: #3d444d }
      .fleeting { fill: none }
    }
  `

interface Bar {
  readonly facts: ContenderFacts
  readonly jobsPerSecond: number
}

interface Group {
  readonly title: string
  /** By where the jobs are kept. */
  readonly parts: readonly (readonly [string, readonly Bar[]])[]
}

/** A picture of everybody at their best. */
export function chartOf(results: Results): string {
  const groups = GROUPS.map(({ measure, title }) => ({
    title,
    parts: byGroup(barsOf(results, measure), ({ facts }) => facts.group),
  })).filter(({ parts }) => parts.length > 0)
  const parts: string[] = []
  let y = HEAD_HEIGHT
  for (const group of groups) {
    parts.push(groupAt(group, y))
    y += heightOf(group)
  }
  const legend = legendOf(results, groups)
  const foot = legend.map((line, index) =>
    text(line, { x: MARGIN, y: y + MARGIN / 2 + index * LINE_HEIGHT, style: 'quiet' }),
  )
  const height = y + MARGIN / 2 + legend.length * LINE_HEIGHT
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title">`,
    `  <title id="title">${escaped(`Jobs a second: ${groups.map(spoken).join('; ')}`)}</title>`,
    `  <style>${STYLE}</style>`,
    text('Jobs a second, and what a power cut may take', { x: MARGIN, y: 28, style: 'title' }),
    text(subtitle(results), { x: MARGIN, y: 48, style: 'quiet' }),
    ...parts,
    ...foot,
    '</svg>\n',
  ].join('\n')
}

function barsOf({ figures, contenders }: Results, measure: string): Bar[] {
  // A variant does something else than the other rows.
  const isWanted = ({ variant, ...known }: Summary): boolean =>
    known.measure === measure && known.figure === 'jobsPerSecond' && known.settings === 'best' && variant === null
  return figures.filter(isWanted).flatMap(({ contender, median }) => {
    const facts = contenders.find(({ name, settings }) => name === contender && settings === 'best')
    return facts === undefined ? [] : [{ facts, jobsPerSecond: median }]
  })
}

function subtitle({ machine, rounds, quick }: Results): string {
  const { cpu, cores, node, sqlite, postgres } = machine
  const how = quick ? 'a quick run, so rough figures' : `medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`
  return `${cpu}, ${cores} cores; Node ${node}, SQLite ${sqlite}${postgres === null ? '' : `, PostgreSQL ${postgres}`}; ${how}`
}

function heightOf({ parts }: Group): number {
  const bars = parts.reduce((sum, [, own]) => sum + own.length, 0)
  return TITLE_HEIGHT + bars * BAR_STEP + (parts.length > 1 ? parts.length * PART_HEIGHT : 0) + GROUP_GAP
}

function groupAt({ title, parts }: Group, top: number): string {
  const most = Math.max(...parts.flatMap(([, bars]) => bars.map(({ jobsPerSecond }) => jobsPerSecond)))
  const lines = [text(title, { x: MARGIN, y: top + 22, style: 'group' })]
  let y = top + TITLE_HEIGHT
  for (const [name, bars] of parts) {
    if (parts.length > 1) {
      lines.push(text(name, { x: MARGIN, y: y + 12, style: 'quiet' }))
      y += PART_HEIGHT
    }
    for (const bar of bars) {
      lines.push(...barAt(bar, y, most))
      y += BAR_STEP
    }
  }
  return lines.join('\n')
}

function barAt({ facts, jobsPerSecond }: Bar, y: number, most: number): string[] {
  const longest = WIDTH - 2 * MARGIN - LABEL_WIDTH - FIGURE_WIDTH
  const length = Math.max(1, (longest * jobsPerSecond) / most)
  const x = MARGIN + LABEL_WIDTH
  const baseline = y + BAR_HEIGHT - 5
  return [
    text(facts.label, { x: MARGIN, y: baseline, style: '' }),
    `  <rect class="${barStyle(facts)}" x="${x}" y="${y}" width="${length.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
    text(thousands(jobsPerSecond), { x: x + length + 8, y: baseline, style: '' }),
  ]
}

const COLORS: Readonly<Record<string, string>> = { millrace: 'own', raw: 'floor' }

function barStyle({ name, durable }: ContenderFacts): string {
  return `${COLORS[name] ?? 'bar'}${durable ? '' : ' fleeting'}`
}

/** Whose jobs are how safe: without it the bars would not be comparable. */
function legendOf({ contenders }: Results, groups: readonly Group[]): string[] {
  const shown = new Set(groups.flatMap(({ parts }) => parts.flatMap(([, bars]) => bars.map(({ facts }) => facts.name))))
  const lines = contenders
    .filter(({ name, settings }) => settings === 'best' && shown.has(name))
    .map(({ label, durability }) => `${label}: ${durability}`)
  return ['What a power cut may take, where the bar is hollow more than nothing:', ...lines]
}

function spoken({ title, parts }: Group): string {
  const bars = parts.flatMap(([, own]) => own)
  return `${title}: ${bars.map(({ facts, jobsPerSecond }) => `${facts.label} ${thousands(jobsPerSecond)}`).join(', ')}`
}

interface TextPlace {
  readonly x: number
  readonly y: number
  readonly style: string
}

function text(content: string, { x, y, style }: TextPlace): string {
  const styled = style === '' ? '' : ` class="${style}"`
  return `  <text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${styled}>${escaped(content)}</text>`
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
