/** Progress of one attempt: told as often as a handler likes, written as often as it is worth it. */
import { encodeJson } from '../core/encode-json.ts'
import { decodeJson } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import { LIMITS } from '../core/limits.ts'
import { PROGRESS, PROGRESS_TOLD } from '../core/plans.ts'
import { acceptProgress, jobProgress, PROGRESS_EVENT_MS, progressDecision } from '../core/progress.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { AttemptCall } from './attempt-call.ts'

/** What it needs of its attempt. */
export interface Reporting {
  readonly job: { readonly progress: number }
  readonly host: { readonly runtime: Runtime }
  readonly phase: number
  readonly phaseNames: readonly string[]
  tell(act: string, call: AttemptCall): void
}

export class ProgressReporter {
  readonly #attempt: Reporting
  /** Percent of the phase at `#phase`. */
  #phasePercent = 0
  #phase: number
  #percent: number
  #context: Json | undefined
  #unwritten = false
  #untold = false
  #lastWriteAt: number | undefined
  #lastEventAt: number | undefined
  #lastEventPercent: number
  #timer: Timer | null = null
  #timerAt = 0

  constructor(attempt: Reporting) {
    this.#attempt = attempt
    this.#phase = attempt.phase
    this.#percent = attempt.job.progress
    this.#lastEventPercent = this.#percent
  }

  /** The progress of the job, percent, as it was told last. */
  get percent(): number {
    return this.#percent
  }

  get context(): Json | undefined {
    return this.#context
  }

  /** @throws InvalidInputError if the percent is out of range, or the context is not JSON or too large */
  report(phase: number, percent: number, context?: Json): void {
    if (phase > this.#phase) this.#begin(phase)
    const accepted = acceptProgress({ current: this.#phasePercent, next: percent })
    const told = context === undefined ? undefined : copyContext(context)
    // A phase that is over may have left something running that still tells of it.
    if (accepted === 'ignored' || phase !== this.#attempt.phase) return
    this.#phasePercent = accepted
    const { phaseNames } = this.#attempt
    const overall = jobProgress({ phaseIndex: phase, phaseCount: phaseNames.length, phaseProgress: accepted })
    this.#percent = Math.max(this.#percent, overall)
    this.#context = told ?? this.#context
    this.#unwritten = true
    this.#untold ||= Math.floor(this.#percent) !== Math.floor(this.#lastEventPercent)
    this.#write()
  }

  /** Writes what was told and not written yet. */
  flush(): void {
    if (this.#unwritten) this.#post(false)
    this.forget()
  }

  /** What was told and not written yet is not worth writing any more. */
  forget(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#unwritten = false
    this.#untold = false
  }

  #begin(phase: number): void {
    this.#phase = phase
    this.#phasePercent = 0
    this.#context = undefined
  }

  #write(): void {
    const now = this.#attempt.host.runtime.monotonic()
    const { write, event, dueInMs } = progressDecision({
      lastWriteAt: this.#lastWriteAt,
      lastEventAt: this.#lastEventAt,
      lastEventPercent: this.#lastEventPercent,
      now,
      percent: this.#percent,
    })
    if (write && (event || this.#unwritten)) this.#post(event)
    if (this.#unwritten) this.#look(dueInMs)
    else if (this.#untold) this.#look((this.#lastEventAt ?? now) + PROGRESS_EVENT_MS - now)
  }

  /** A handler that tells nothing further still has its last progress written, and told. */
  #look(inMs: number): void {
    const { runtime } = this.#attempt.host
    const at = runtime.monotonic() + Math.max(1, inMs)
    if (this.#timer !== null && this.#timerAt <= at) return
    this.#timer?.cancel()
    this.#timerAt = at
    const look = (): void => {
      this.#timer = null
      this.#write()
    }
    this.#timer = runtime.after(at - runtime.monotonic(), look, { idle: true })
  }

  #post(event: boolean): void {
    const now = this.#attempt.host.runtime.monotonic()
    this.#unwritten = false
    this.#lastWriteAt = now
    const values = { progress: this.#percent }
    if (!event) {
      this.#attempt.tell('progress', { plan: PROGRESS, values })
      return
    }
    this.#untold = false
    this.#lastEventAt = now
    this.#lastEventPercent = this.#percent
    this.#attempt.tell('progress', { plan: PROGRESS_TOLD, values, detail: this.#detail() })
  }

  #detail(): string {
    const phase = this.#attempt.phaseNames[this.#phase] ?? null
    const percent = Math.floor(this.#percent * 100) / 100
    const told = this.#context === undefined ? {} : { context: this.#context }
    return JSON.stringify({ percent, phase, ...told })
  }
}

/** A copy: the handler may go on changing what it told. */
export function copyContext(context: Json): Json {
  return decodeJson(encodeJson(context, { path: 'progress context', limitBytes: LIMITS.progressContextBytes }))
}
