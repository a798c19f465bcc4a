/** How long work goes on without letting the event loop turn, and when it has all been done that one turn set off. */
import type { Runtime } from '../runtime/runtime.ts'

/** Timers, signals and requests of the same process wait no longer than this, and one handler's own synchronous work. */
const TURN_MS = 2
/** Of promises that follow each other. A step in which nothing else happens takes a twentieth of a microsecond. */
const STEPS = 100
const THERE = Promise.resolve()

/**
 * Handlers that never wait for anything, and a store that answers at once, would otherwise run one after another in a single turn, and
 * nothing else in the process would get its turn.
 */
export class TurnBudget {
  readonly #runtime: Runtime
  readonly #waiting: (() => void)[] = []
  #atEnd: (() => void)[] = []
  #startedAt: number | null = null

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** Whether this turn has had its time. Whoever asks first in a turn starts its clock. */
  get spent(): boolean {
    const now = this.#runtime.monotonic()
    if (this.#startedAt !== null) return now - this.#startedAt >= TURN_MS
    this.#startedAt = now
    this.#runtime.after(0, () => (this.#startedAt = null), { idle: true })
    return false
  }

  /** When this turn was first asked about, by the monotonic clock; infinitely long ago: it has not been. */
  get startedAt(): number {
    return this.#startedAt ?? Number.NEGATIVE_INFINITY
  }

  /**
   * Calls back once what this turn has set off has happened, promises and all, as far as that takes no more than some hundred steps: a handler
   * that waits for nothing but promises that are there goes on for as long as it likes. All that have asked are called in one step, so that what
   * they ask of the store is one message.
   */
  atEnd(callback: () => void): void {
    this.#atEnd.push(callback)
    if (this.#atEnd.length === 1) void this.#callAtEnd()
  }

  async #callAtEnd(): Promise<void> {
    // A microtask of Node's takes ten times as long.
    for (let steps = 0; steps < STEPS; steps += 1) await THERE
    const callbacks = this.#atEnd
    this.#atEnd = []
    for (const each of callbacks) callGuarded(each)
  }

  /** Resolves in a turn that has time left, for one after another. Await it directly: what follows is what the next one waits for. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length === 1) this.#look()
    })
  }

  #look(): void {
    if (this.spent) this.#runtime.after(0, () => this.#look())
    else this.#letOneGo()
  }

  #letOneGo(): void {
    const go = this.#waiting.shift()
    go?.()
    // Behind the microtask in which it goes on, so that what it does is counted.
    if (this.#waiting.length > 0) queueMicrotask(() => this.#look())
  }
}

/** What befalls one of them is a bug, and must not keep the others. */
function callGuarded(callback: () => void): void {
  try {
    callback()
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}
