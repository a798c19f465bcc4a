/** Keeps a store in order, by time and when it is asked. What a cleanup does is in `cleaning.ts`, whose turn it is in `cleanup-turns.ts`. */
import { DEFAULTS } from '../core/limits.ts'
import type { Retention } from '../core/retention.ts'
import { Service } from '../runtime/service.ts'
import type { Pass } from '../runtime/service.ts'
import { Cleaner } from './cleaning.ts'
import type { CleanupOptions, CleanupReport } from './cleaning.ts'
import { cleanUpInTime, cleanUpNow } from './cleanup-turns.ts'

/** The cleanup of this process that is under way. */
interface Current {
  /** It looks at the whole store, or joins another process that does. */
  readonly isWhole: boolean
  readonly stopping: AbortController
  readonly report: Promise<CleanupReport>
}

const JITTER = 0.2

/** Made by `openMillrace`, and started with its maintenance. */
export class Cleanup {
  readonly #options: CleanupOptions
  readonly #service: Service<CleanupReport>
  readonly #cleaner: Cleaner
  #current: Current | null = null

  /** @internal */
  constructor(options: CleanupOptions) {
    this.#options = options
    const { runtime, logger } = options
    this.#cleaner = new Cleaner(options)
    this.#service = new Service({
      name: 'cleanup',
      runtime,
      logger,
      everyMs: DEFAULTS.cleanupMs,
      jitter: JITTER,
      pass: ({ cause }) => this.#current?.report ?? this.#cleanInTime(cause),
    })
  }

  /** How long jobs that are over are kept, where their type says nothing else. */
  get retention(): Retention {
    return this.#options.retention
  }

  /**
   * Cleans up now and every five minutes, unless another process is at it, or has begun to less than two minutes ago. Started with the
   * maintenance.
   */
  startScheduler(): void {
    this.#service.start()
  }

  /** @internal The same, with the first one after so long. */
  startLater(afterMs: number): void {
    this.#service.start(afterMs)
  }

  /** No further cleanup begins; resolves once the one under way has ended, which is soon. */
  async stopScheduler(): Promise<void> {
    this.#current?.stopping.abort()
    await this.#service.stop()
    await this.#current?.report.catch(() => undefined)
  }

  /**
   * What the scheduler does each time: a cleanup, which looks through the next share of the jobs and of the bytes; unless some process is at
   * one, or has begun one less than two minutes ago. Then the report is all zeros. Joins the one of this process that is under way.
   */
  runOnce(): Promise<CleanupReport> {
    return this.#service.runOnce()
  }

  /**
   * A cleanup now, which looks through all jobs and the bytes of all artifacts. One of those that is under way, in whatever process, is joined;
   * one of the scheduler's is waited for, and then this one is made. A process that gives no sign of life is waited for 15 seconds, any other ten
   * minutes.
   *
   * @returns the report, of whoever did it
   */
  async forceCleanup(): Promise<CleanupReport> {
    const current = this.#current
    if (current === null) return this.#cleanNow()
    if (current.isWhole) return current.report
    await current.report.catch(() => undefined)
    return current.stopping.signal.aborted ? this.#cleaner.idle() : this.forceCleanup()
  }

  #cleanInTime(cause: Pass['cause']): Promise<CleanupReport> {
    return this.#begin(false, (signal) =>
      cleanUpInTime(this.#options, signal, () => this.#cleaner.clean({ cause, isWhole: false, signal })),
    )
  }

  #cleanNow(): Promise<CleanupReport> {
    return this.#begin(true, (signal) =>
      cleanUpNow(this.#options, signal, () => this.#cleaner.clean({ cause: 'asked', isWhole: true, signal })),
    )
  }

  #begin(isWhole: boolean, clean: (signal: AbortSignal) => Promise<CleanupReport | null>): Promise<CleanupReport> {
    const stopping = new AbortController()
    const report = this.#carryOut(() => clean(stopping.signal))
    this.#current = { isWhole, stopping, report }
    return report
  }

  async #carryOut(clean: () => Promise<CleanupReport | null>): Promise<CleanupReport> {
    try {
      return (await clean()) ?? (await this.#cleaner.idle())
    } finally {
      this.#current = null
    }
  }
}
