import { InvalidInputError } from './errors.ts'

const MILLISECONDS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

type Unit = keyof typeof MILLISECONDS

/** A length of time: a number of milliseconds, or a number with a unit, as in `'250ms'`, `'30s'`, `'5m'`, `'1.5h'`, `'7d'`. */
export type Duration = number | `${number}${Unit}`

/** The longest duration that Millrace takes: 10 years of 365 days. */
export const MAX_DURATION_MS: number = 3_650 * MILLISECONDS.d

const EXPECTED =
  "a duration of whole milliseconds from 0 to 3650d, as a number or as in '250ms', '30s', '5m', '1.5h', '7d'"
const UNIT_MS: Readonly<Record<string, number>> = MILLISECONDS
const TEXT = /^(\d{1,15}(?:\.\d{1,15})?)(ms|s|m|h|d)$/
/** '1.005s' is 1004.9999999999999 in binary fractions: what lies this near to a whole millisecond is meant as one. */
const ROUNDING_MS = 1e-3
const SHOWN_CHARACTERS = 40

/**
 * A duration in milliseconds.
 *
 * @param path where the duration was given, for the message: `'retry.backoff.base'`
 * @throws InvalidInputError unless it is 0 to 10 years and comes to whole milliseconds
 */
export function parseDuration(value: Duration, path: string): number {
  const exactMs = durationMs(value)
  const ms = Math.round(exactMs)
  if (Math.abs(exactMs - ms) <= ROUNDING_MS && ms >= 0 && ms <= MAX_DURATION_MS) return ms
  throw new InvalidInputError({ path, expected: EXPECTED, received: shown(value) })
}

function durationMs(value: unknown): number {
  if (typeof value === 'number') return value
  const match = typeof value === 'string' ? TEXT.exec(value) : null
  return match === null ? Number.NaN : Number(match[1]) * Number(UNIT_MS[`${match[2]}`])
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, SHOWN_CHARACTERS))
  return typeof value === 'number' ? `${value}` : typeof value
}

const SHOWN_UNITS = ['d', 'h', 'm', 's', 'ms'] as const

/**
 * A duration for people, in its largest unit and the one below it: `'2d 3h'`, `'1m 30s'`, `'5m'`, `'250ms'`. What is smaller is left
 * out, not rounded up. Only `ms` below `1s` is exact.
 */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`
  const largest = SHOWN_UNITS.findIndex((unit) => ms >= MILLISECONDS[unit])
  if (largest === -1) return '0ms'
  const parts = SHOWN_UNITS.slice(largest, largest + 2).map((unit, index) => ({
    unit,
    count: countOf(unit, ms, index === 0),
  }))
  return parts
    .filter(({ count }) => count > 0)
    .map(({ unit, count }) => `${count}${unit}`)
    .join(' ')
}

const UNITS_IN_NEXT = { ms: 1_000, s: 60, m: 60, h: 24, d: Number.POSITIVE_INFINITY } as const

function countOf(unit: Unit, ms: number, largest: boolean): number {
  const whole = Math.floor(ms / MILLISECONDS[unit])
  return largest ? whole : whole % UNITS_IN_NEXT[unit]
}
