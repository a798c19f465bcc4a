/** Compares what a page shows with what a block printed. */

const DURATION = String.raw`\d+(?:\.\d+)?(?:ms|s|m|h|d)(?: \d+(?:ms|s|m|h))?`

/**
 * What may stand in a shown output for what differs from run to run. `…` stands for the rest of a line, and alone on a line for any
 * lines. Elsewhere only the amount of white space may differ.
 */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  // A help text may say the very word.
  '<id>': '(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|<id>)',
  '<time>': String.raw`\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?`,
  '<duration>': `(?:${DURATION}|<duration>)`,
  '<ago>': `(?:just now|${DURATION} ago)`,
  '<n>': String.raw`\d[\d,.]*`,
  '…': '.*',
}

const ANY_LINES = '…'

/** Null: it is as shown. Else what is wrong, for people. */
export function compareOutput(shown: string, printed: string): string | null {
  const pattern = new RegExp(`^${linesOf(shown).map(patternOf).join('')}$`)
  const text = linesOf(printed)
    .map((line) => `${line}\n`)
    .join('')
  return pattern.test(text) ? null : `shown:\n${indented(shown)}\nprinted:\n${indented(printed)}`
}

function linesOf(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.trim().replaceAll(/\s+/g, ' '))
  return lines.filter((line) => line !== '')
}

function patternOf(line: string): string {
  if (line === ANY_LINES) return String.raw`(?:.*\n)*?`
  const parts = line.split(/(?<placeholder><id>|<time>|<duration>|<ago>|<n>|…)/u)
  return `${parts.map((part) => PLACEHOLDERS[part] ?? escaped(part)).join('')}\n`
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)
}

function indented(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '    ')
}
