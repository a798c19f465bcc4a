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
const VARIANT = 0x8000

/**
 * A maker of UUIDs of which each is greater than the one before, also within a millisecond and after the clock was set back: the 12 bits
 * behind the timestamp count (RFC 9562 section 6.2, method 1), and where they overflow the timestamp runs ahead of the clock.
 */
export function uuidV7Maker({ now, randomBelow }: UuidV7Source): () => string {
  let lastMs = 0
  let counter = 0
  return () => {
    const nowMs = now()
    if (nowMs > lastMs) {
      lastMs = nowMs
      counter = randomBelow(COUNTER_START_BOUND)
    } else if (counter + 1 < COUNTER_BOUND) {
      counter += 1
    } else {
      lastMs += 1
      counter = randomBelow(COUNTER_START_BOUND)
    }
    const time = hex(lastMs, 12)
    const variant = hex(VARIANT + randomBelow(2 ** 14), 4)
    const tail = hex(randomBelow(2 ** 16), 4) + hex(randomBelow(2 ** 32), 8)
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(counter, 3)}-${variant}-${tail}`
  }
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0')
}
