import { MillraceError, NotFoundError } from '../core/errors.ts'
import type { JobState } from '../core/states.ts'
import type { Store } from '../store/store.ts'

/** Someone who waits for a job to be in a state. */
interface Waiter {
  readonly jobId: string
  readonly wanted: ReadonlySet<JobState>
  readonly resolve: (state: JobState) => void
  readonly reject: (error: unknown) => void
}

export interface Watch {
  readonly jobId: string
  readonly wanted: ReadonlySet<JobState>
}

export interface Watching {
  /** Resolves with the state once it is a wanted one; rejects when the job is not there (any more). */
  readonly reached: Promise<JobState>
  /** The state that was seen last; null: none yet. */
  readonly seen: () => JobState | null
  /** Gives up waiting. */
  readonly stop: () => void
}

/**
 * Tells waiters when jobs reach a state. However many wait, a change of the store costs one read, of the states of their jobs; and while
 * a read is under way, further changes add up to one more.
 */
export class JobWatcher {
  readonly #store: Store
  readonly #waiters = new Map<string, Set<Waiter>>()
  readonly #seen = new Map<string, JobState>()
  #unsubscribe: (() => void) | null = null
  #reading: Promise<void> | null = null
  #changed = false

  constructor(store: Store) {
    this.#store = store
  }

  watch({ jobId, wanted }: Watch): Watching {
    const { promise, resolve, reject } = Promise.withResolvers<JobState>()
    const waiter: Waiter = { jobId, wanted, resolve, reject }
    const waiters = this.#waiters.get(jobId) ?? new Set()
    this.#waiters.set(jobId, waiters.add(waiter))
    this.#unsubscribe ??= this.#store.onChange(() => this.#read())
    this.#read()
    return { reached: promise, seen: () => this.#seen.get(jobId) ?? null, stop: () => this.#remove(waiter) }
  }

  /** Looks once more, then tells whoever still waits that the store has been closed. */
  async close(): Promise<void> {
    this.#read()
    await this.#reading
    this.#rejectAll(new MillraceError('store-closed', 'The Millrace was closed while this waited for a job.'))
  }

  #read(): void {
    this.#changed = true
    this.#reading ??= this.#readWhileChanged().finally(() => {
      this.#reading = null
      // Whatever changed since the last look of the loop was too late for it.
      if (this.#changed && this.#waiters.size > 0) this.#read()
    })
  }

  async #readWhileChanged(): Promise<void> {
    try {
      while (this.#changed && this.#waiters.size > 0) {
        this.#changed = false
        const asked = [...this.#waiters.values()].flatMap((waiters) => [...waiters])
        this.#tell(asked, await this.#store.jobs.states([...this.#waiters.keys()]))
      }
    } catch (error) {
      this.#rejectAll(error)
    }
  }

  /** Only those who waited before the read began: a job that was made since may be missing from its answer. */
  #tell(asked: readonly Waiter[], states: ReadonlyMap<string, JobState>): void {
    for (const waiter of asked) {
      const state = states.get(waiter.jobId)
      if (state === undefined) this.#settle(waiter, () => waiter.reject(noSuchJob(waiter.jobId)))
      else if (waiter.wanted.has(state)) this.#settle(waiter, () => waiter.resolve(state))
      else if (this.#waiters.has(waiter.jobId)) this.#seen.set(waiter.jobId, state)
    }
  }

  #settle(waiter: Waiter, settle: () => void): void {
    this.#remove(waiter)
    settle()
  }

  #rejectAll(error: unknown): void {
    const waiters = [...this.#waiters.values()].flatMap((each) => [...each])
    for (const waiter of waiters) this.#settle(waiter, () => waiter.reject(error))
  }

  #remove(waiter: Waiter): void {
    const waiters = this.#waiters.get(waiter.jobId)
    if (waiters?.delete(waiter) !== true || waiters.size > 0) return
    this.#waiters.delete(waiter.jobId)
    this.#seen.delete(waiter.jobId)
    if (this.#waiters.size > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = null
  }
}

export function noSuchJob(jobId: string): NotFoundError {
  return new NotFoundError('job-not-found', `There is no job ${jobId}, or none that you may see. Check the id.`, {
    details: { jobId },
  })
}
