/** How long work goes on without letting the event loop turn. */
import type { Runtime } from '../runtime/runtime.ts'

/** Timers, signals and requests of the same process wait no longer than this, and one handler's own synchronous work. */
const TURN_MS = 10

/**
 * Handlers that never wait for anything, and a store that answers at once, would otherwise run one after another in a single turn, and
 * nothing else in the process would get its turn.
 */
export class TurnBudget {
  readonly #runtime: Runtime
  #startedAt: number | null = null
  #next: Promise<void> | null = null

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

  /** Resolves in a turn that has time left. */
  async wait(): Promise<void> {
    while (this.spent) await this.#nextTurn()
  }

  #nextTurn(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#runtime.after(0, () => {
        this.#next = null
        resolve()
      })
    })
    return this.#next
  }
}
