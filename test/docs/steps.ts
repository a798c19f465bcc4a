/**
 * From the blocks of a page to what is done with them. The convention is in CONTRIBUTING.md, "Code in the documentation":
 *
 * - `ts` with a first line `// file: jobs.ts` is written to that file; other `ts` blocks are run as modules
 * - `ts continue` goes on in the module of the block before it
 * - `text output` is what the block before it prints
 * - `sh`: a line after `$ ` is run, the lines after it are what it prints; ` &` at its end: it goes on beside the others
 * - a line `export NAME=text` sets a variable for the rest of the page
 * - `sql` is run on the database `jobs.db` of the page; `sql postgres` on its PostgreSQL database; `undone`: and rolled back
 * - `from="path"`: an excerpt of a file of the project, with which it is compared
 * - `not-run="reason"`: it is shown only
 */
import type { Block, Page } from './markdown.ts'

export type Step =
  | { readonly kind: 'write'; readonly line: number; readonly file: string; readonly code: string }
  /** `output` null: nothing is said about what it prints. */
  | { readonly kind: 'module'; readonly line: number; readonly code: string; readonly output: string | null }
  | { readonly kind: 'command'; readonly line: number; readonly command: string; readonly output: string | null }
  | SqlStep
  | { readonly kind: 'excerpt'; readonly line: number; readonly file: string; readonly code: string }
  | { readonly kind: 'json'; readonly line: number; readonly code: string }
  | { readonly kind: 'shown'; readonly line: number; readonly language: string; readonly reason: string }

interface SqlStep {
  readonly kind: 'sql'
  readonly line: number
  readonly sql: string
  readonly store: 'sqlite' | 'postgres'
  readonly output: string | null
}

/** Languages of blocks that are pictures or quotations rather than code. */
const NOT_CODE: ReadonlySet<string> = new Set(['text', 'mermaid'])
const FILE_LINE = /^\/\/ file: (?<file>[\w./-]+)$/

/** @throws {Error} for a block that the convention has no word for. */
export function stepsOf(page: Page): readonly Step[] {
  const steps: Step[] = []
  for (const block of page.blocks) {
    const before = steps.at(-1)
    const merged = mergeInto(before, block, page)
    if (merged === null) steps.push(...stepsOfBlock(block, page))
    else steps[steps.length - 1] = merged
  }
  return steps
}

/** The step before, with the block added to it; null: the block stands for itself. */
function mergeInto(before: Step | undefined, block: Block, page: Page): Step | null {
  if (block.attributes['output'] === true) {
    if (before?.kind !== 'module' && before?.kind !== 'sql') throw complain(page, block, 'follows nothing that prints')
    return { ...before, output: joined(before.output, block.code) }
  }
  if (block.attributes['continue'] !== true) return null
  if (before?.kind !== 'module') throw complain(page, block, 'continues a block that is not run as a module')
  return { ...before, code: before.code + atItsLine(before.code, block) }
}

function joined(first: string | null, second: string): string {
  return first === null ? second : `${first}\n${second}`
}

function stepsOfBlock(block: Block, page: Page): readonly Step[] {
  const { line, language, attributes, code } = block
  const reason = attributes['not-run']
  if (reason !== undefined) {
    if (typeof reason !== 'string' || reason === '') throw complain(page, block, 'is not run, and does not say why')
    return [{ kind: 'shown', line, language, reason }]
  }
  const from = attributes['from']
  if (typeof from === 'string') return [{ kind: 'excerpt', line, file: from, code }]
  if (NOT_CODE.has(language)) return []
  return runSteps(block, page)
}

function runSteps(block: Block, page: Page): readonly Step[] {
  const { line, language, code } = block
  switch (language) {
    case 'ts':
      return [typescriptStep(block)]
    case 'sh':
      return commandSteps(block, page)
    case 'sql':
      return [sqlStep(block)]
    case 'json':
      return [{ kind: 'json', line, code }]
    default:
      throw complain(page, block, `is in the language "${language}", which the test can't run`)
  }
}

function sqlStep({ line, code, attributes }: Block): Step {
  const store = attributes['postgres'] === true ? 'postgres' : 'sqlite'
  const sql = attributes['undone'] === true ? `BEGIN; ${code}; ROLLBACK` : code
  return { kind: 'sql', line, sql, store, output: null }
}

function typescriptStep(block: Block): Step {
  const { line } = block
  const file = FILE_LINE.exec(block.code.split('\n', 1)[0] ?? '')?.groups?.['file']
  const code = atItsLine('', block)
  return file === undefined ? { kind: 'module', line, code, output: null } : { kind: 'write', line, file, code }
}

/** The code moved down to the line it has in the page, so that an error's line is that of the page. */
function atItsLine(before: string, { line, code }: Block): string {
  const lines = before === '' ? 1 : before.split('\n').length
  return `${'\n'.repeat(Math.max(0, line - lines))}${code}\n`
}

function commandSteps(block: Block, page: Page): readonly Step[] {
  const steps: { line: number; command: string; output: string[] }[] = []
  for (const [index, text] of block.code.split('\n').entries()) {
    if (text.startsWith('$ ')) steps.push({ line: block.line + index, command: text.slice(2), output: [] })
    else if (steps.length > 0) steps.at(-1)?.output.push(text)
    else if (text.trim() !== '') throw complain(page, block, 'has a line before the first "$ "')
  }
  if (steps.length === 0) throw complain(page, block, 'has no command')
  return steps.map(({ line, command, output }) => {
    const shown = output.join('\n').trim()
    return { kind: 'command', line, command, output: shown === '' ? null : shown }
  })
}

function complain({ path }: Page, { line }: Block, message: string): Error {
  return new Error(`${path}:${line}: the block ${message}`)
}
