/** Logs of the worker commands: for people, or one JSON object a line, or `[JOB_START] {json}`. */
import type { LogFields, Logger, Runtime } from '../index.ts'
import { formatMoment, formatSpan } from './moments.ts'
import { printable } from './printable.ts'
import type { Style } from './screen.ts'

export const LOG_FORMATS = ['pretty', 'json', 'tagged'] as const

export type LogFormat = (typeof LOG_FORMATS)[number]

export interface LogOptions {
  readonly format: LogFormat
  readonly runtime: Pick<Runtime, 'now'>
  readonly write: (line: string) => void
  readonly paint: (style: Style, text: string) => string
}

type Level = 'info' | 'warn' | 'error'

export function formatLogger({ format, runtime, write, paint }: LogOptions): Logger {
  const log = (level: Level, message: string, fields: LogFields = {}): void => {
    const time = runtime.now()
    if (format === 'pretty') write(prettyLine(level, message, fields, { time, paint }))
    else if (format === 'tagged') write(`[${tagOf(level, message)}] ${json(taggedFields(message, fields))}`)
    else write(json({ time, level, msg: message, ...fields }))
  }
  return {
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
  }
}

/** Events of jobs are called `JOB_START` and so on; everything else is a sentence. */
const TAG = /^[A-Z][A-Z_]*$/

function tagOf(level: Level, message: string): string {
  return TAG.test(message) ? message : level.toUpperCase()
}

function taggedFields(message: string, fields: LogFields): LogFields {
  return TAG.test(message) ? fields : { message, ...fields }
}

/** Errors among the fields keep their message; what JSON can't hold becomes text. */
function json(fields: LogFields): string {
  return JSON.stringify(fields, (_key, value: unknown) => {
    if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack }
    return typeof value === 'bigint' ? `${value}` : value
  })
}

interface Pretty {
  readonly time: number
  readonly paint: LogOptions['paint']
}

const LEVEL_STYLES: Readonly<Record<Level, Style>> = { info: 'green', warn: 'yellow', error: 'red' }
const LEVEL_WIDTH = 5

function prettyLine(level: Level, message: string, fields: LogFields, { time, paint }: Pretty): string {
  const clock = paint('dim', formatMoment(time).slice(-8))
  const label = paint(LEVEL_STYLES[level], level.padEnd(LEVEL_WIDTH))
  const told = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `${paint('dim', `${name}=`)}${prettyField(name, value)}`)
  return [clock, label, printable(message), ...told].join(' ')
}

function prettyField(name: string, value: unknown): string {
  if (typeof value === 'number' && name.endsWith('At')) return formatMoment(value)
  if (typeof value === 'number' && name.endsWith('Ms')) return formatSpan(value)
  if (value instanceof Error) return printable(value.message)
  return printable(typeof value === 'string' ? value : json({ value }).slice('{"value":'.length, -1))
}
