/** Instants, durations and sizes for people. */

const MOMENT = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' })

/** Local time, as `2026-01-31 12:34:56`. */
export function formatMoment(epochMs: number): string {
  return MOMENT.format(epochMs)
}

const SECOND = 1_000
const UNITS = [
  ['d', 86_400 * SECOND],
  ['h', 3_600 * SECOND],
  ['m', 60 * SECOND],
  ['s', SECOND],
] as const

/** `12ms`, `2.3s`, `1m 12s`, `3h 4m`, `2d 3h`. */
export function formatSpan(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))}ms`
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`
  const largest = UNITS.findIndex(([, unitMs]) => ms >= unitMs)
  const [name, unitMs] = UNITS[largest] ?? UNITS[3]
  const whole = `${Math.floor(ms / unitMs)}${name}`
  const below = UNITS[largest + 1]
  const rest = below === undefined ? 0 : Math.floor((ms % unitMs) / below[1])
  return rest === 0 || below === undefined ? whole : `${whole} ${rest}${below[0]}`
}

/** `3m 2s ago`, `in 1h`. */
export function formatAge(epochMs: number, now: number): string {
  return epochMs > now ? `in ${formatSpan(epochMs - now)}` : `${formatSpan(now - epochMs)} ago`
}

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** In units of a thousand: `812 B`, `1.2 MB`. */
export function formatSize(bytes: number): string {
  let size = bytes
  let unit = 0
  while (size >= 1_000 && unit < SIZES.length - 1) {
    size /= 1_000
    unit += 1
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${SIZES[unit]}`
}

/** A bar of so many cells for 0 to 100 percent. */
export function bar(percent: number, cells: number): string {
  const filled = Math.round((Math.min(100, Math.max(0, percent)) / 100) * cells)
  return `${'█'.repeat(filled)}${'░'.repeat(cells - filled)}`
}
