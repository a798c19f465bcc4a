/** Where a command prints: text for people, or one JSON document for programs. */
import { styleText } from 'node:util'

import { systemRuntime } from '../index.ts'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan'

export interface Screen {
  /** One JSON document is wanted instead of text. */
  readonly json: boolean
  /** A person looks at it. */
  readonly isTerminal: boolean
  /** Columns; Infinity where nobody looks. */
  readonly width: number
  /** Epoch milliseconds, for ages. */
  readonly now: () => number
  /** A line, or several. */
  readonly print: (text: string) => void
  /** The answer of the command, as JSON. */
  readonly answer: (json: unknown) => void
  /** Something beside the answer, on standard error. */
  readonly note: (text: string) => void
  /** In colour, unless nobody looks or NO_COLOR is set. */
  readonly paint: (style: Style, text: string) => string
}

const NARROWEST = 40

export function openScreen({ json }: { readonly json: boolean }): Screen {
  const { stdout, stderr } = process
  return {
    json,
    isTerminal: stdout.isTTY,
    width: stdout.isTTY ? Math.max(NARROWEST, stdout.columns) : Number.POSITIVE_INFINITY,
    now: () => systemRuntime().now(),
    print: (text) => void stdout.write(`${text}\n`),
    answer: (value) => void stdout.write(`${JSON.stringify(value, null, stdout.isTTY ? 2 : undefined)}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    paint: (style, text) => styleText(style, text, { stream: stdout }),
  }
}
