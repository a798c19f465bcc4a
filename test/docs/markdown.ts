/** What the tests need to know of a Markdown page: its fenced blocks, its tables, its headings and its links. */

export interface Block {
  /** Line of the page, from 1, on which the code begins. */
  readonly line: number
  /** The first word of the info string; `''`: there is none. */
  readonly language: string
  /** The other words, `true` where a word stands alone: `continue`, `not-run="why"`. */
  readonly attributes: Readonly<Record<string, string | true>>
  readonly code: string
}

export interface Page {
  /** Path from the root of the project, with forward slashes. */
  readonly path: string
  readonly blocks: readonly Block[]
  readonly tables: readonly Table[]
  /** Anchors of the headings, as GitHub makes them. */
  readonly anchors: readonly string[]
  readonly links: readonly Link[]
}

export interface Table {
  readonly line: number
  /** The heading it stands under. */
  readonly heading: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export interface Link {
  readonly line: number
  readonly target: string
}

const FENCE = /^(?<indent> {0,3})(?<fence>`{3,}|~{3,})(?<info>.*)$/
const HEADING = /^#{1,6} +(?<text>.+?) *#*$/
const LINK = /!?\[[^\]]*\]\((?<target>[^)\s]+)(?: "[^"]*")?\)/g
const ATTRIBUTE = /(?<name>[a-z-]+)(?:="(?<content>[^"]*)")?/g
const DIVIDER = /^\|(?: *:?-+:? *\|)+$/

/** @throws {Error} if a fence is not closed. */
export function readPage(path: string, text: string): Page {
  const blocks: Block[] = []
  const tables: Table[] = []
  const anchors: string[] = []
  const links: Link[] = []
  const lines = text.split('\n')
  let heading = ''
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? ''
    const fence = FENCE.exec(line)?.groups
    if (fence !== undefined) {
      const end = endOfFence(lines, index, fence['fence'] ?? '', path)
      blocks.push(readBlock(lines.slice(index + 1, end), index + 2, fence['info'] ?? ''))
      index = end
      continue
    }
    const title = HEADING.exec(line)?.groups?.['text']
    if (title !== undefined) {
      heading = title
      anchors.push(anchorOf(title))
    }
    links.push(...linksOf(line, index + 1))
    if (!DIVIDER.test(line)) continue
    const rows = rowsFrom(lines, index + 1)
    tables.push({ line: index, heading, head: cellsOf(lines[index - 1] ?? ''), rows })
  }
  return { path, blocks, tables, anchors, links }
}

function endOfFence(lines: readonly string[], start: number, fence: string, path: string): number {
  const end = lines.findIndex((line, index) => index > start && line.trim() === fence)
  if (end === -1) throw new Error(`${path}:${start + 1}: the block is not closed`)
  return end
}

function readBlock(lines: readonly string[], line: number, info: string): Block {
  const [language = '', ...rest] = info.trim().split(/\s+/)
  const attributes = [...rest.join(' ').matchAll(ATTRIBUTE)].map(({ groups = {} }) => [
    groups['name'] ?? '',
    groups['content'] ?? true,
  ])
  return { line, language, attributes: Object.fromEntries(attributes) as Block['attributes'], code: lines.join('\n') }
}

/** GitHub's rule: small letters, spaces become hyphens, punctuation goes. */
function anchorOf(title: string): string {
  return title
    .replaceAll(/[`*]|\[|\]\([^)]*\)/g, '')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
}

function linksOf(line: string, number: number): readonly Link[] {
  const prose = line.replaceAll(/`[^`]*`/g, (code) => 'x'.repeat(code.length))
  return [...prose.matchAll(LINK)].map(({ groups }) => ({ line: number, target: groups?.['target'] ?? '' }))
}

function rowsFrom(lines: readonly string[], start: number): readonly (readonly string[])[] {
  const rest = lines.slice(start)
  const end = rest.findIndex((line) => !line.startsWith('|'))
  return rest.slice(0, end === -1 ? rest.length : end).map(cellsOf)
}

/** A cell may hold `\|` for a bar of its own. */
function cellsOf(line: string): readonly string[] {
  const cells = line
    .trim()
    .replaceAll('\\|', '\0')
    .split('|')
    .map((cell) => cell.trim().replaceAll('\0', '|'))
  return cells.slice(1, -1)
}

/** The words of a cell that stand as code: `` `a`, `b` `` gives a and b. */
export function codesIn(cell: string): readonly string[] {
  return [...cell.matchAll(/`(?<code>[^`]+)`/g)].map(({ groups }) => groups?.['code'] ?? '')
}

/** @throws {Error} if the page has no such table. */
export function tableUnder(page: Page, heading: string): Table {
  const table = page.tables.find((found) => found.heading === heading)
  if (table === undefined) throw new Error(`${page.path} has no table under "${heading}"`)
  return table
}
