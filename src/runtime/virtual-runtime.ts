/** A runtime whose time stands still until a test moves it. The same seed gives the same ids, keys and random numbers. */
import { InvalidInputError } from '../core/errors.ts'
import { clearImmediate, setImmediate } from './immediate.ts'
import type { Runtime, Timer } from './runtime.ts'
import { seededWords } from './seeded-random.ts'
import { uuidV7Maker } from './uuid-v7.ts'

export interface VirtualRuntimeOptions {
  /** Epoch milliseconds at the beginning; default 2026-01-01. */
  readonly startAt?: number
  /** A whole number; default 1. */
  readonly seed?: number
}

export interface VirtualRuntime extends Runtime {
  /**
   * Moves the time on by `ms`, 0 or more. Timers that come due on the way fire in their order, each at its own time; after each one the
   * event loop turns once, so that what it set off can happen before the next.
   */
  advance(ms: number): Promise<void>
  /** Calls back whenever the time has moved, before the timers of that moment, with how far it moved. Returns the way out. */
  onMove(listener: (ms: number) => void): () => void
  /** How many timers wait. */
  readonly waiting: number
  /** Milliseconds until the first of them fires; null: none waits. */
  readonly nextInMs: number | null
  /** The time as the store's thread reads it: one BigInt64 of epoch milliseconds. */
  readonly clock: SharedArrayBuffer
}

const START_AT = Date.UTC(2026, 0, 1)

interface VirtualTimer {
  readonly at: number
  readonly callback: () => void
}

/**
 * @throws InvalidInputError if `startAt` is no instant that a `Date` can hold
 */
export function virtualRuntime({ startAt = START_AT, seed = 1 }: VirtualRuntimeOptions = {}): VirtualRuntime {
  const time = new VirtualTime(startAt)
  const randomWord = seededWords(seed)
  const randomBelow = (bound: number): number => randomWord() % bound
  return {
    now: () => time.now,
    monotonic: () => time.now - startAt,
    after: (ms, callback) => (ms <= 0 ? nextTurn(callback) : time.set(ms, callback)),
    random: () => randomWord() / 2 ** 32,
    uuid: uuidV7Maker({ now: () => time.now, randomBelow }),
    key: () => randomBelow(2 ** 20) * 2 ** 32 + randomWord(),
    advance: (ms) => time.advance(ms),
    onMove: (listener) => time.onMove(listener),
    get waiting() {
      return time.waiting
    },
    get nextInMs() {
      return time.nextInMs
    },
    clock: time.clock,
  }
}

/** A wait of nothing needs no time: it ends with the next turn of the real event loop. */
function nextTurn(callback: () => void): Timer {
  const immediate = setImmediate(callback)
  return { cancel: () => clearImmediate(immediate) }
}

class VirtualTime {
  readonly clock: SharedArrayBuffer = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)
  readonly #mirror: BigInt64Array = new BigInt64Array(this.clock)
  /** In the order in which they were set, which decides between those of the same moment. */
  readonly #timers = new Set<VirtualTimer>()
  readonly #listeners = new Set<(ms: number) => void>()
  #now: number

  constructor(startAt: number) {
    if (!Number.isInteger(startAt) || Number.isNaN(new Date(startAt).getTime())) {
      throw new InvalidInputError({ path: 'startAt', expected: 'whole epoch milliseconds', received: `${startAt}` })
    }
    this.#now = startAt
    Atomics.store(this.#mirror, 0, BigInt(startAt))
  }

  get now(): number {
    return this.#now
  }

  get waiting(): number {
    return this.#timers.size
  }

  get nextInMs(): number | null {
    const next = this.#next(Number.POSITIVE_INFINITY)
    return next === undefined ? null : next.at - this.#now
  }

  set(ms: number, callback: () => void): Timer {
    const timer = { at: this.#now + Math.ceil(ms), callback }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  onMove(listener: (ms: number) => void): () => void {
    const own = (ms: number): void => listener(ms)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  async advance(ms: number): Promise<void> {
    if (!Number.isInteger(ms) || ms < 0) {
      throw new InvalidInputError({ path: 'ms', expected: 'whole milliseconds, 0 or more', received: `${ms}` })
    }
    const until = this.#now + ms
    await turn()
    for (let timer = this.#next(until); timer !== undefined; timer = this.#next(until)) {
      this.#timers.delete(timer)
      this.#moveTo(timer.at)
      timer.callback()
      await turn()
    }
    this.#moveTo(until)
    await turn()
  }

  #next(until: number): VirtualTimer | undefined {
    let next: VirtualTimer | undefined
    for (const timer of this.#timers) {
      if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer
    }
    return next
  }

  #moveTo(at: number): void {
    const movedMs = at - this.#now
    if (movedMs <= 0) return
    this.#now = at
    Atomics.store(this.#mirror, 0, BigInt(at))
    for (const listener of this.#listeners) listener(movedMs)
  }
}

/** Two turns: the first runs what is ready, the second what that posted for the next turn. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 2; turns += 1) {
    const { promise, resolve } = Promise.withResolvers<void>()
    setImmediate(resolve)
    await promise
  }
}
