/** What the words of a command line mean. The public functions check the values; here they only get their types. */
import { readFileSync } from 'node:fs'

import { LIMITS } from '../index.ts'
import type { Duration } from '../index.ts'
import { InvalidArgumentError } from './command-line.ts'

export function readNumber(text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && Number.isFinite(number)) return number
  throw new InvalidArgumentError('It is not a number.')
}

/** `5m` stays as it is, `300000` becomes milliseconds. */
export function readDuration(text: string): Duration {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is no duration is refused where it is used
  return /^\d+$/.test(text) ? Number(text) : (text as Duration)
}

/** An instant as ISO 8601 (`2026-01-31T12:00Z`) or as epoch milliseconds. */
export function readInstant(text: string): number {
  // oxlint-disable-next-line no-restricted-globals -- a text is read, not the clock
  const epochMs = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isSafeInteger(epochMs)) return epochMs
  throw new InvalidArgumentError('It is neither a date and time such as 2026-01-31T12:00Z nor epoch milliseconds.')
}

/** `name=text`, once or more often. */
export function readLabel(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Write it as name=text.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

/** `queued,running`, once or more often. */
export function readWords(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').filter((word) => word !== '')]
}

/** JSON from the line itself, from a file (`@order.json`), or from standard input (`-`). */
export function readJson(text: string): unknown {
  const source = text === '-' || text.startsWith('@') ? readSource(text) : text
  try {
    return JSON.parse(source)
  } catch (error) {
    const hint =
      source === text ? ' A text needs quotes of its own: \'"text"\'. A file is named with @: @order.json.' : ''
    throw new InvalidArgumentError(`It is not JSON: ${error instanceof Error ? error.message : ''}.${hint}`)
  }
}

function readSource(text: string): string {
  const file = text === '-' ? process.stdin.fd : text.slice(1)
  try {
    const source = readFileSync(file, 'utf8')
    if (source.length <= LIMITS.inputBytes) return source
  } catch (error) {
    throw new InvalidArgumentError(`It can't be read: ${error instanceof Error ? error.message : ''}.`)
  }
  throw new InvalidArgumentError(`It is larger than ${LIMITS.inputBytes} bytes.`)
}
