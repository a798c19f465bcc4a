/**
 * Bringing to rest what was opened, one thing after the other, within one time:
 *
 *     const closing = new Closing(runtime, 40_000)
 *     await closing.rest('the worker', 'work', worker.stop({ signal: closing.hurry }))
 *     await closing.rest('the reaper', 'services', reaper.stop())
 *     await closing.rest('the store', 'store', store.close(closing.cut))
 *     closing.end()
 *
 * Each is begun whatever became of those before, and waited for as long as the time allows. Towards the end of the time `hurry` fires, for those
 * who wait for others; in its last moments `cut`, for whoever comes last: then nothing is waited for but what ends by itself.
 */
import { readText } from '../core/classification/error-tree.ts'
import { formatDuration } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { settlesWithin } from './pause.ts'
import type { Runtime, Timer } from './runtime.ts'

/** How long after the beginning each comes to its end, in milliseconds. */
export interface ClosingTimes {
  readonly hurry: number
  readonly work: number
  readonly services: number
  readonly cut: number
  readonly store: number
}

const LAST_SHARE = 0.2
const LONGEST_LAST_MS = 2_000

/** How the time is divided: a fifth of it, but no more than two seconds, for those who were told to hurry; as much for all that comes after. */
export function closingTimes(timeoutMs: number): ClosingTimes {
  const lastMs = Math.min(LONGEST_LAST_MS, Math.floor(timeoutMs * LAST_SHARE))
  return {
    hurry: timeoutMs - 2 * lastMs,
    work: timeoutMs - lastMs,
    services: timeoutMs - lastMs / 2,
    cut: timeoutMs - lastMs / 4,
    store: timeoutMs,
  }
}

export class Closing {
  readonly times: ClosingTimes
  readonly #runtime: Runtime
  readonly #begunAt: number
  readonly #hurry = new AbortController()
  readonly #cut = new AbortController()
  readonly #timers: readonly Timer[]
  /** What did not come to rest in its time, in the order of the steps. */
  readonly #unfinished = new Set<string>()
  /** What went wrong while something came to rest. */
  readonly #errors: Error[] = []

  constructor(runtime: Runtime, timeoutMs: number) {
    this.times = closingTimes(timeoutMs)
    this.#runtime = runtime
    this.#begunAt = runtime.monotonic()
    this.#timers = [
      runtime.after(this.times.hurry, () => this.#hurry.abort()),
      runtime.after(this.times.cut, () => this.#cut.abort()),
    ]
  }

  /** Fires when those who wait for others should do so no longer. */
  get hurry(): AbortSignal {
    return this.#hurry.signal
  }

  /** Fires when nothing is waited for any more. */
  get cut(): AbortSignal {
    return this.#cut.signal
  }

  /** Waits for one of them until its time is over, and never throws. */
  async rest(name: string, time: 'work' | 'services' | 'store', ending: Promise<unknown>): Promise<void> {
    const leftMs = this.#begunAt + this.times[time] - this.#runtime.monotonic()
    if (!(await settlesWithin(this.#runtime, Math.max(0, leftMs), ending))) {
      this.missed(name)
      return
    }
    // What had to be cut off did not come to rest by itself.
    if (this.#cut.signal.aborted) this.missed(name)
    await ending.catch((error: unknown) =>
      this.#errors.push(error instanceof Error ? error : new Error(readText(error))),
    )
  }

  /** It would have needed longer than it was given. */
  missed(name: string): void {
    this.#unfinished.add(name)
  }

  /**
   * Leaves no timer behind.
   *
   * @throws MillraceError `close-timeout` if something did not come to rest in its time; otherwise what went wrong first, if anything did
   */
  end(): void {
    for (const timer of this.#timers) timer.cancel()
    const [error] = this.#errors
    if (this.#unfinished.size > 0) throw closeTimeout(this.times.store, [...this.#unfinished], error)
    if (error !== undefined) throw error
  }
}

function closeTimeout(timeoutMs: number, unfinished: readonly string[], cause: unknown): MillraceError {
  return new MillraceError(
    'close-timeout',
    `Millrace did not come to rest within ${formatDuration(timeoutMs)}: ${unfinished.join(', ')}. Everything has been closed all the same, and ` +
      'jobs that are still held are free after their lease. Give close() more time, or find out what holds these up.',
    { details: { timeoutMs, unfinished }, ...(cause === undefined ? {} : { cause }) },
  )
}
