/** The worker's session with the store: its lease on every job it runs. A lost one is replaced by a new one, under a new key. */
import { MillraceError } from '../core/errors.ts'
import { backoffDelayMs } from '../core/retry.ts'
import type { Logger } from '../runtime/logger.ts'
import { Pauses } from '../runtime/pause.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { NewSession } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'

export interface WorkerSessionOptions {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  readonly session: Omit<NewSession, 'holder'>
  /** The session is gone, and every claim with it. */
  readonly onLost: () => void
  readonly onReopened: () => void
}

const REOPEN_BACKOFF = { kind: 'exponential', baseMs: 100, maxMs: 10_000, factor: 2, jitter: 0.5 } as const

export class WorkerSession {
  readonly #options: WorkerSessionOptions
  #holder: number | null = null
  #ended = false
  #draining = false
  #opening: Promise<void> | null = null
  readonly #pauses = new Pauses()

  constructor(options: WorkerSessionOptions) {
    this.#options = options
  }

  /** The key that claims carry; null: there is no session at the moment. */
  get holder(): number | null {
    return this.#holder
  }

  open(): Promise<void> {
    const opening = this.#open().finally(() => (this.#opening = null))
    this.#opening = opening
    return opening
  }

  async #open(): Promise<void> {
    const { store, runtime, session } = this.#options
    const holder = runtime.key()
    const opened = { isLost: false }
    await store.sessions.open({ ...session, holder }, () => {
      opened.isLost = true
      this.lost(holder)
    })
    // Nobody keeps it alive when it is lost before it is known here.
    if (this.#ended || opened.isLost) await store.sessions.end(holder)
    if (this.#ended) return
    if (opened.isLost) throw new MillraceError('internal', 'The session of the worker was lost while it was opened.')
    this.#holder = holder
    if (this.#draining) this.drain()
  }

  /**
   * Lets it be known that it takes no more jobs. Nobody has to wait for that, and if it can't be noted it only goes untold: the session ends
   * soon.
   */
  drain(): void {
    this.#draining = true
    if (this.#holder !== null) void this.#options.store.sessions.drain(this.#holder).catch(() => undefined)
  }

  /** The session of that key is known to be gone. */
  lost(holder: number): void {
    if (this.#ended || this.#holder !== holder) return
    this.#holder = null
    this.#options.logger.warn('The session of the worker was lost; its jobs are dropped, and it opens a new one.')
    this.#options.onLost()
    this.#reopen(holder).catch((error: unknown) => {
      this.#options.logger.error('A bug in Millrace: the worker could not go on after its session was lost.', { error })
    })
  }

  async end(): Promise<void> {
    this.#ended = true
    this.#pauses.endAll()
    const holder = this.#holder
    this.#holder = null
    if (holder !== null) await this.#options.store.sessions.end(holder)
    // One that is being opened ends as soon as it is there. If that fails there is none, or it holds nothing and its lease runs out.
    else await this.#opening?.catch(() => {})
  }

  async #reopen(lostHolder: number): Promise<void> {
    const { store, runtime, logger } = this.#options
    // Whatever it still seems to hold has been dropped here, so nobody has to wait for it.
    await store.sessions
      .end(lostHolder)
      .catch((error: unknown) => logger.warn('A lost session could not be ended.', { error }))
    for (let failures = 1; !this.#ended; failures += 1) {
      try {
        await this.open()
        this.#options.onReopened()
        return
      } catch (error) {
        if (this.#ended) return
        if (failures === 1) logger.error('The worker cannot open a session; it tries again until it can.', { error })
        await this.#pauses.wait(runtime, backoffDelayMs(REOPEN_BACKOFF, failures, runtime.random()))
      }
    }
  }
}
