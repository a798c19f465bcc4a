/** Ids that sort in the order they were made (UUID version 7, RFC 9562 section 5.7). */

export interface UuidV7Source {
  /** Epoch milliseconds. */
  readonly now: () => number
  /** A random integer from 0 up to, but not including, `bound`, which is at most 2^32. */
  readonly randomBelow: (bound: number) => number
}

const COUNTER_BITS = 12
const COUNTER_BOUND = 2 ** COUNTER_BITS
/** A new millisecond starts in the lower quarter, so that thousands of ids fit into it before the next has to be borrowed. */
const COUNTER_START_BOUND = COUNTER_BOUND / 4
const VERSION = 0x7000
const VARIANT = 0x8000

/**
 * A maker of UUIDs of which each is greater than the one before, also within a millisecond and after the clock was set back: the 12 bits
 * behind the timestamp count (RFC 9562 section 6.2, method 1), and where they overflow the timestamp runs ahead of the clock.
 */
export function uuidV7Maker({ now, randomBelow }: UuidV7Source): () => string {
  let lastMs = 0
  let time = ''
  let counter = 0
  const begin = (ms: number): void => {
    lastMs = ms
    time = timeDigits(ms)
    counter = randomBelow(COUNTER_START_BOUND)
  }
  return () => {
    const nowMs = now()
    if (nowMs > lastMs) begin(nowMs)
    else if (counter + 1 < COUNTER_BOUND) counter += 1
    else begin(lastMs + 1)
    const head = hex16(VERSION + counter)
    const variant = hex16(VARIANT + randomBelow(2 ** 14))
    const tail = hex16(randomBelow(2 ** 16))
    const word = randomBelow(2 ** 32)
    return `${time}-${head}-${variant}-${tail}${hex16(word >>> 16)}${hex16(word & 0xffff)}`
  }
}

function timeDigits(ms: number): string {
  const digits = ms.toString(16).padStart(12, '0')
  return `${digits.slice(0, 8)}-${digits.slice(8)}`
}

/** Looked up, because ids are made by the thousand and `padStart` takes its time. */
const BYTES: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function hex16(number: number): string {
  return `${BYTES[number >>> 8] ?? ''}${BYTES[number & 0xff] ?? ''}`
}
