import { parseDuration } from '../core/duration.ts'
import type { Duration } from '../core/duration.ts'
import type { VirtualRuntime } from '../runtime/virtual-runtime.ts'
import type { Flow } from './flow.ts'

/** The time of a test: it stands still until it is moved. Store, workers and waiting calls all go by it. */
export class TestClock {
  readonly #runtime: VirtualRuntime
  readonly #flow: Flow

  /** @internal */
  constructor(runtime: VirtualRuntime, flow: Flow) {
    this.#runtime = runtime
    this.#flow = flow
  }

  /** Epoch milliseconds. */
  now(): number {
    return this.#runtime.now()
  }

  /**
   * Moves the time on. What comes due on the way happens in its order, each at its own time, and what it sets off in the store is done before
   * the time goes on. What handlers wait for outside of Millrace is not waited for.
   *
   * @param duration 0 or more: `'31s'`, or milliseconds
   */
  async advance(duration: Duration): Promise<void> {
    let leftMs = parseDuration(duration, 'duration')
    await this.#flow.settle()
    for (let next = this.#runtime.nextInMs; next !== null && next <= leftMs; next = this.#runtime.nextInMs) {
      leftMs -= next
      await this.#runtime.advance(next)
      await this.#flow.settle()
    }
    await this.#runtime.advance(leftMs)
    await this.#flow.settle()
  }
}
