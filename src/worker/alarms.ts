/** Many deadlines on one timer. Setting and clearing one costs a map entry; the timer is moved only for one that is earlier than all. */
import type { Runtime, Timer } from '../runtime/runtime.ts'

export class Alarms<Subject> {
  readonly #runtime: Runtime
  readonly #ring: (subject: Subject) => void
  readonly #at = new Map<Subject, number>()
  #timer: Timer | null = null
  #timerAt = Number.POSITIVE_INFINITY

  constructor(runtime: Runtime, ring: (subject: Subject) => void) {
    this.#runtime = runtime
    this.#ring = ring
  }

  /** Rings once for the subject at `at` of the runtime's monotonic clock, in place of an alarm that it has already. */
  set(subject: Subject, at: number): void {
    this.#at.set(subject, at)
    this.#arm(at)
  }

  /** The subject's alarm, by the monotonic clock. */
  get(subject: Subject): number | undefined {
    return this.#at.get(subject)
  }

  /** Leaves the timer as it is: should it find nothing due, it looks for the next. */
  clear(subject: Subject): void {
    this.#at.delete(subject)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#at.clear()
  }

  #arm(at: number): void {
    if (this.#timer !== null && at >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = at
    const ms = Math.max(1, at - this.#runtime.monotonic())
    this.#timer = this.#runtime.after(ms, () => this.#look(), { idle: true })
  }

  #look(): void {
    this.#timer = null
    const now = this.#runtime.monotonic()
    const due: Subject[] = []
    let next = Number.POSITIVE_INFINITY
    for (const [subject, at] of this.#at) {
      if (at <= now) due.push(subject)
      else if (at < next) next = at
    }
    for (const subject of due) this.#at.delete(subject)
    if (next !== Number.POSITIVE_INFINITY) this.#arm(next)
    for (const subject of due) this.#ring(subject)
  }
}
