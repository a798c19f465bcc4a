/** How long the other side asked to be left alone (RFC 9110, section 10.2.3). */
import { attempt, readField, readList } from './error-tree.ts'

/** A longer wait than this is not honoured: 24 h. */
export const MAX_RETRY_AFTER_MS = 86_400_000

/**
 * The wait that an error carries: a field `retryAfterMs` in milliseconds, `retryAfter` or `retry_after` in seconds or as an HTTP date, or
 * a header `Retry-After-Ms` or `Retry-After` in `headers`, `responseHeaders` or `response.headers`. Headers may be a `Headers`, a Map, a
 * plain object, a list of pairs, or a flat list of names and values.
 *
 * @param now epoch milliseconds; without it an HTTP date says nothing
 */
export function readRetryAfterMs(error: unknown, now: number | undefined): number | undefined {
  const response = readField(error, 'response')
  const found =
    asNumber(readField(error, 'retryAfterMs')) ??
    asWaitMs(readField(error, 'retryAfter'), now) ??
    asWaitMs(readField(error, 'retry_after'), now) ??
    readHeaderMs(readField(error, 'headers'), now) ??
    readHeaderMs(readField(error, 'responseHeaders'), now) ??
    readHeaderMs(readField(response, 'headers'), now)
  return found === undefined ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.ceil(found))
}

function readHeaderMs(headers: unknown, now: number | undefined): number | undefined {
  return asNumber(readHeader(headers, 'retry-after-ms')) ?? asWaitMs(readHeader(headers, 'retry-after'), now)
}

function asWaitMs(value: unknown, now: number | undefined): number | undefined {
  const seconds = asNumber(value)
  if (seconds !== undefined) return seconds * 1_000
  const at = typeof value === 'string' ? parseHttpDate(value) : undefined
  return at === undefined || now === undefined ? undefined : Math.max(0, at - now)
}

function asNumber(value: unknown): number | undefined {
  const number =
    typeof value === 'string' && /^\s{0,9}\d{1,20}(?:\.\d{1,20})?\s{0,9}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && number >= 0 ? number : undefined
}

const MAX_HEADERS = 200

/** @param name in lower case */
function readHeader(headers: unknown, name: string): unknown {
  const get = readField(headers, 'get')
  const fromGetter = attempt<unknown>(() =>
    typeof get === 'function' ? Reflect.apply(get, headers, [name]) : undefined,
  )
  if (fromGetter !== undefined && fromGetter !== null) return firstOf(fromGetter)
  const entry = listHeaders(headers).find(([key]) => typeof key === 'string' && key.toLowerCase() === name)
  return firstOf(entry?.[1])
}

function firstOf(value: unknown): unknown {
  return readList(value, 1)[0] ?? value
}

function listHeaders(headers: unknown): readonly (readonly unknown[])[] {
  const list = readList(headers, MAX_HEADERS)
  if (list.length === 0) return listFields(headers)
  const pairs = list.map((item) => readList(item, 2))
  if (pairs.every((pair) => pair.length === 2)) return pairs
  return list.flatMap((item, index) => (index % 2 === 0 ? [[item, list[index + 1]]] : []))
}

function listFields(headers: unknown): readonly (readonly unknown[])[] {
  if (typeof headers !== 'object' || headers === null) return []
  const keys = attempt(() => Object.keys(headers).slice(0, MAX_HEADERS)) ?? []
  return keys.map((key) => [key, readField(headers, key)])
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const HTTP_DATE = /^\s{0,9}[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT\s{0,9}$/

/** The preferred form of RFC 9110, "Sun, 06 Nov 1994 08:49:37 GMT", in epoch milliseconds. The two obsolete forms are not read. */
function parseHttpDate(text: string): number | undefined {
  const match = HTTP_DATE.exec(text)
  const month = match === null ? -1 : MONTHS.indexOf(`${match[2]}`)
  if (match === null || month === -1) return undefined
  const part = (group: number): number => Number(match[group])
  const hours = daysSinceEpoch(part(3), month, part(1)) * 24 + part(4)
  return ((hours * 60 + part(5)) * 60 + part(6)) * 1_000
}

/** Days from 1970-01-01 in the Gregorian calendar. A year is counted from March, so that the leap day is its last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const marchYear = month < 2 ? year - 1 : year
  const marchMonth = (month + 10) % 12
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400)
  return marchYear * 365 + leapDays + Math.floor((153 * marchMonth + 2) / 5) + day - 719_469
}
