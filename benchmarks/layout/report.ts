import type { Figure, Figures } from './measure.ts'

/** A Markdown table of jobs a second, each with its speed against the first row. */
export function ratesTable(title: string, figures: readonly Figures[]): string {
  const rows = figures.map(({ name, enqueue, drain, life }) => [name, cell(enqueue), cell(drain), cell(life)])
  return table([title, 'enqueue', 'claim + complete', 'whole life'], rows)
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

export function thousands(rate: number): string {
  return `${(rate / 1000).toFixed(rate < 10_000 ? 1 : 0)}k`
}

function cell({ rate, ratio }: Figure): string {
  return `${thousands(rate)} (${ratio.toFixed(2)})`
}
