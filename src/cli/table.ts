import { clipped } from './printable.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** The last thing done to a cell that has its width: colour takes no room. */
  readonly paint?: (cell: string, row: number) => string
}

export interface Table {
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly string[])[]
  /** The most a line may take; the last column is clipped to it. */
  readonly width: number
  readonly paintTitle: (title: string) => string
}

const GAP = '  '

/** Lines of a table: titles, then rows, each column as wide as its widest cell. */
export function tableLines({ columns, rows, width, paintTitle }: Table): readonly string[] {
  const widths = columns.map(({ title }, index) => Math.max(title.length, ...rows.map((row) => lengthOf(row[index]))))
  const before = widths.slice(0, -1).reduce((sum, each) => sum + each + GAP.length, 0)
  const last = Math.max(1, Math.min(widths.at(-1) ?? 0, width - before))
  const room = [...widths.slice(0, -1), last]
  const titles = columns.map((column, index) => paintTitle(fitted(column, column.title, room[index] ?? 0)))
  const lines = rows.map((row, rowIndex) =>
    columns.map((column, index) => {
      const cell = fitted(column, row[index] ?? '', room[index] ?? 0)
      return column.paint === undefined ? cell : column.paint(cell, rowIndex)
    }),
  )
  return [titles, ...lines].map((cells) => cells.join(GAP).trimEnd())
}

function lengthOf(cell: string | undefined): number {
  return [...(cell ?? '')].length
}

function fitted({ align = 'left' }: Column, cell: string, width: number): string {
  const text = clipped(cell, width)
  const padding = ' '.repeat(Math.max(0, width - lengthOf(text)))
  return align === 'right' ? padding + text : text + padding
}
