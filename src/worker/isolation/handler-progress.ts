/** Progress of a phase on its way to the worker, which writes it rarely: so it is told rarely too, but the last of it always. */
import type { Json } from '../../core/json.ts'
import { acceptProgress } from '../../core/progress.ts'
import type { Runtime, Timer } from '../../runtime/runtime.ts'
import { copyContext } from '../progress-reporter.ts'

const TELL_EVERY_MS = 50

export class HandlerProgress {
  readonly #runtime: Runtime
  readonly #tell: (percent: number, context: Json | undefined) => void
  #percent = 0
  #context: Json | undefined
  #untold = false
  #toldAt = Number.NEGATIVE_INFINITY
  #timer: Timer | null = null

  constructor(runtime: Runtime, tell: (percent: number, context: Json | undefined) => void) {
    this.#runtime = runtime
    this.#tell = tell
  }

  /** @throws InvalidInputError if the percent is out of range, or the context is not JSON or too large */
  report(percent: number, context?: Json): void {
    const accepted = acceptProgress({ current: this.#percent, next: percent })
    const told = context === undefined ? undefined : copyContext(context)
    if (accepted === 'ignored') return
    this.#percent = accepted
    this.#context = told ?? this.#context
    this.#untold = true
    const leftMs = this.#toldAt + TELL_EVERY_MS - this.#runtime.monotonic()
    if (leftMs <= 0) this.flush()
    else this.#timer ??= this.#runtime.after(leftMs, () => this.flush(), { idle: true })
  }

  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (!this.#untold) return
    this.#untold = false
    this.#toldAt = this.#runtime.monotonic()
    this.#tell(this.#percent, this.#context)
  }

  close(): void {
    this.#untold = false
    this.#timer?.cancel()
    this.#timer = null
  }
}
