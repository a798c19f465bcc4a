/** The runtime of a real process: its clock, its timers, its randomness. */
import { randomFillSync } from 'node:crypto'
import { clearImmediate, setImmediate } from './immediate.ts'
import type { Runtime, Timer } from './runtime.ts'
import { uuidV7Maker } from './uuid-v7.ts'

/** Node cannot set a timer further ahead than 2^31 - 1 ms, about 24.8 days: longer waits are split into steps of this. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1

/** The clock, timers and randomness of this process. */
export function systemRuntime(): Runtime {
  const randomWord = randomWords()
  const randomBelow = (bound: number): number => randomWord() % bound
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after: (ms, callback, { idle = false } = {}) =>
      ms <= 0 ? nextTurn(callback, idle) : startTimer(ms, callback, idle),
    random: () => Math.random(),
    uuid: uuidV7Maker({ now: () => Date.now(), randomBelow }),
    key: () => randomBelow(2 ** 20) * 2 ** 32 + randomWord(),
  }
}

/** A wait of nothing is the next turn of the event loop, after whatever has come in by then: a timer would cost a whole millisecond. */
function nextTurn(callback: () => void, idle: boolean): Timer {
  const immediate = setImmediate(callback)
  if (idle) immediate.unref()
  return { cancel: () => clearImmediate(immediate) }
}

function startTimer(ms: number, callback: () => void, idle: boolean): Timer {
  let timeout: NodeJS.Timeout
  const start = (leftMs: number): void => {
    const stepMs = Math.min(leftMs, LONGEST_TIMER_MS)
    timeout = setTimeout(() => (leftMs > stepMs ? start(leftMs - stepMs) : callback()), stepMs)
    if (idle) timeout.unref()
  }
  start(ms)
  return { cancel: () => clearTimeout(timeout) }
}

const POOL_WORDS = 1_024

/** Random words of 32 bits from the system, fetched a pool at a time: one by one they cost a hundred times more. */
function randomWords(): () => number {
  const pool = new Uint32Array(POOL_WORDS)
  let next = POOL_WORDS
  return () => {
    if (next === POOL_WORDS) {
      randomFillSync(pool)
      next = 0
    }
    const word = pool[next] ?? 0
    next += 1
    return word
  }
}
