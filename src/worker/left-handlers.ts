/**
 * Handlers that run on although their attempt is over: it was ended without them, or its claim is lost.
 *
 * - One that runs inline can't be ended: it counts as abandoned until it returns, if it ever does; a lost one from the end of its grace.
 * - One that runs in a thread or process is ended by force once its row is final, or once a lost one has had its grace. One that has not ended
 *   a second later counts as abandoned too: a thread that a system call holds up.
 *
 * When such a handler has come to rest, that is noted in the store, after its attempt has ended there.
 */
import { readField } from '../core/classification/error-tree.ts'
import { backoffDelayMs } from '../core/retry.ts'
import { Pauses } from '../runtime/pause.ts'
import type { StoppedBy } from '../store/attempt-stops.ts'
import type { Attempt, AttemptHost } from './attempt.ts'
import { WRITE_BACKOFF } from './deliver.ts'
import { FORCED_END_MS } from './isolation/cells.ts'

export interface LeftHandlersOptions {
  readonly host: Pick<AttemptHost, 'store' | 'runtime' | 'logger'>
  /** Ends by force what runs the attempt's handler. */
  readonly end: (attempt: Attempt) => void
  /** `ring` is to be called for the attempt after so long. */
  readonly alarm: (attempt: Attempt, ms: number) => void
  readonly onAbandoned: (abandoned: number) => void
  /** Nothing is being ended or noted any more. */
  readonly onRest: () => void
}

interface Left {
  /** Its attempt has ended in the store. */
  settled: boolean
  stoppedBy: StoppedBy | null
  /** It is being ended by force. */
  forced: boolean
  /** It can't be ended, or does not end although it should. */
  abandoned: boolean
}

export class LeftHandlers {
  readonly #options: LeftHandlersOptions
  readonly #left = new Map<Attempt, Left>()
  readonly #notes = new Set<Promise<void>>()
  readonly #pauses = new Pauses()
  #closed = false

  constructor(options: LeftHandlersOptions) {
    this.#options = options
  }

  /** Handlers that run on and can't be ended. */
  get abandoned(): number {
    return [...this.#left.values()].filter(({ abandoned }) => abandoned).length
  }

  /** Nothing is being ended or noted. */
  get resting(): boolean {
    return this.#notes.size === 0 && ![...this.#left.values()].some(({ forced, abandoned }) => forced && !abandoned)
  }

  /** Its attempt is ended without it. */
  leave(attempt: Attempt): void {
    this.#left.set(attempt, { settled: false, stoppedBy: null, forced: false, abandoned: attempt.isInline })
    if (attempt.isInline) this.#options.onAbandoned(this.abandoned)
  }

  /** Its claim is lost. It has its grace, until the alarm. */
  lose(attempt: Attempt): void {
    this.#left.set(attempt, { settled: true, stoppedBy: null, forced: false, abandoned: false })
  }

  /** The end of its attempt is in the store, or can't be brought there. */
  settled(attempt: Attempt): void {
    const left = this.#left.get(attempt)
    if (left === undefined || left.settled) return
    left.settled = true
    if (left.stoppedBy !== null) this.#note(attempt, left.stoppedBy)
    else if (!attempt.isInline) this.#force(attempt, left)
  }

  /** The alarm of an attempt that is over. */
  ring(attempt: Attempt): void {
    const left = this.#left.get(attempt)
    if (left === undefined) return
    if (!attempt.isInline && !left.forced) {
      this.#force(attempt, left)
      return
    }
    left.abandoned = true
    this.#options.onAbandoned(this.abandoned)
    this.#restMaybe()
  }

  #force(attempt: Attempt, left: Left): void {
    left.forced = true
    this.#options.alarm(attempt, FORCED_END_MS)
    this.#options.end(attempt)
  }

  /** It has come to rest. */
  ended(attempt: Attempt): void {
    const left = this.#left.get(attempt)
    if (left === undefined) return
    left.stoppedBy = attempt.stoppedBy ?? 'handler'
    left.forced = false
    left.abandoned = false
    if (left.settled) this.#note(attempt, left.stoppedBy)
  }

  /** Nothing is tried a second time any more. */
  close(): void {
    this.#closed = true
    this.#pauses.endAll()
  }

  /** Resolves when what has come to rest so far is noted. */
  async noted(): Promise<void> {
    await Promise.all(this.#notes)
  }

  #note(attempt: Attempt, stoppedBy: StoppedBy): void {
    this.#left.delete(attempt)
    const note = this.#write(attempt, stoppedBy).finally(() => {
      this.#notes.delete(note)
      this.#restMaybe()
    })
    this.#notes.add(note)
  }

  async #write({ job }: Attempt, stoppedBy: StoppedBy): Promise<void> {
    const { store, runtime, logger } = this.#options.host
    const { jobId, holder } = job.claim
    for (let tries = 1; ; tries += 1) {
      try {
        await store.claims.noteStop({ jobId, holder, attempt: job.attempt, stoppedBy })
        return
      } catch (error) {
        if (this.#closed || readField(error, 'code') === 'store-closed') return
        if (tries === 1)
          logger.warn('The store did not take when a handler stopped; it is tried again.', { jobId, error })
        await this.#pauses.wait(runtime, backoffDelayMs(WRITE_BACKOFF, tries, runtime.random()))
      }
    }
  }

  #restMaybe(): void {
    if (this.resting) this.#options.onRest()
  }
}
