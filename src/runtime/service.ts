/**
 * The one shape of everything that works in the background: a pass that is made again and again.
 *
 *     const reaper = new Service({ name: 'reaper', runtime, logger, everyMs: 5_000, pass: sweep })
 *     reaper.start()                        // a pass now, then one every five seconds
 *     reaper.wake()                         // do not wait for the time
 *     const report = await reaper.runOnce() // a pass for whoever asks, whether it was started or not
 *     await reaper.stop()                   // waits for the pass under way
 *
 * There is never more than one pass at a time. One that throws is logged and made again after a wait that doubles each time, up to a
 * minute; nothing but the time ends that wait.
 */
import { readText } from '../core/classification/error-tree.ts'
import { backoffDelayMs } from '../core/retry.ts'
import type { Logger } from './logger.ts'
import type { Runtime, Timer } from './runtime.ts'

export interface Pass {
  /** `time`: the loop's own pass. `asked`: somebody called `runOnce()`. */
  readonly cause: 'time' | 'asked'
}

export interface ServiceOptions<Report> {
  /** What the log calls it. */
  readonly name: string
  readonly runtime: Runtime
  readonly logger: Logger
  /** From the end of a pass to the beginning of the next. */
  readonly everyMs: number
  /** The share of `everyMs` by which the wait varies around it, so that processes that began together drift apart: 0 to 1, default 0. */
  readonly jitter?: number
  readonly pass: (pass: Pass) => Promise<Report>
}

const FAILURE_BASE_MS = 1_000
const FAILURE_MAX_MS = 60_000

export class Service<Report> {
  readonly #options: ServiceOptions<Report>
  readonly #logger: Logger
  #started = false
  #timer: Timer | null = null
  #running: Promise<Report> | null = null
  #wakeAfter = false
  #failures = 0

  constructor(options: ServiceOptions<Report>) {
    this.#options = options
    this.#logger = options.logger
  }

  get started(): boolean {
    return this.#started
  }

  /** Begins with a pass, at once unless `afterMs` says otherwise. Starting what was started changes nothing. */
  start(afterMs: number = 0): void {
    if (this.#started) return
    this.#started = true
    if (afterMs > 0) this.#timer = this.#options.runtime.after(afterMs, () => this.#loop(), { idle: true })
    else this.#loop()
  }

  /** Makes the next pass now, or, if one is under way, right after it. Nothing while it is not started, or waits after an error. */
  wake(): void {
    if (!this.#started || this.#failures > 0) return
    if (this.#running === null) this.#loop()
    else this.#wakeAfter = true
  }

  /** Makes a pass and answers its report, or joins the one that is under way. Rejects with what the pass threw. */
  runOnce(): Promise<Report> {
    return this.#running ?? this.#run('asked')
  }

  /** No further pass begins; resolves once the one under way has ended. */
  async stop(): Promise<void> {
    this.#started = false
    this.#timer?.cancel()
    this.#timer = null
    await this.#running?.catch(() => {})
  }

  #loop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#wakeAfter = false
    const pass = this.#running ?? this.#run('time')
    pass.then(
      () => this.#ended(null),
      (error: unknown) => this.#ended(error),
    )
  }

  #run(cause: Pass['cause']): Promise<Report> {
    const running = this.#pass(cause).finally(() => {
      this.#running = null
    })
    this.#running = running
    return running
  }

  /** Asynchronous, so that a pass that throws before its first promise rejects too. */
  async #pass(cause: Pass['cause']): Promise<Report> {
    return this.#options.pass({ cause })
  }

  #ended(error: unknown): void {
    const { name } = this.#options
    if (error === null) this.#failures = 0
    else {
      this.#failures += 1
      const fields = { error: readText(error), failures: this.#failures }
      this.#logger.error(`The ${name} could not do its work; it tries again.`, fields)
    }
    if (!this.#started || this.#timer !== null) return
    if (this.#wakeAfter && this.#failures === 0) this.#loop()
    else this.#timer = this.#options.runtime.after(this.#waitMs(), () => this.#loop(), { idle: true })
  }

  #waitMs(): number {
    const { everyMs, jitter = 0, runtime } = this.#options
    const variedMs = everyMs * (1 + jitter * (runtime.random() - 0.5))
    if (this.#failures === 0) return variedMs
    const backoff = {
      kind: 'exponential',
      baseMs: FAILURE_BASE_MS,
      maxMs: FAILURE_MAX_MS,
      factor: 2,
      jitter: 0.5,
    } as const
    return Math.max(variedMs, backoffDelayMs(backoff, this.#failures, runtime.random()))
  }
}
