/** Numbers and tables as the report writes them. */

export function thousands(count: number): string {
  return numberText(count, 0)
}

export function numberText(number: number, digits: number): string {
  return number.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** In the order of the groups' first members; within a group as they were. */
export function byGroup<T, Group>(members: readonly T[], groupOf: (member: T) => Group): [Group, T[]][] {
  return [...Map.groupBy(members, groupOf)]
}

/** A Markdown table whose columns, but for the first ones, hold numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], textColumns = 1): string {
  const lines = [head, head.map((_, index) => (index < textColumns ? '---' : '---:')), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
