/** Who wants to hear of changes and of new jobs. Whatever a listener throws must not harm the store. */
import type { NewJob } from './jobs.ts'

export class Listeners {
  readonly #onError: (cause: unknown) => void
  readonly #change = new Set<() => void>()
  readonly #enqueue = new Set<(jobs: readonly NewJob[]) => void>()

  constructor(onError: (cause: unknown) => void) {
    this.#onError = onError
  }

  onChange(listener: () => void): () => void {
    this.#change.add(listener)
    return () => this.#change.delete(listener)
  }

  onEnqueue(listener: (jobs: readonly NewJob[]) => void): () => void {
    this.#enqueue.add(listener)
    return () => this.#enqueue.delete(listener)
  }

  changed(): void {
    for (const listener of this.#change) this.guarded(listener)
  }

  enqueuing(jobs: readonly NewJob[]): void {
    for (const listener of this.#enqueue) this.guarded(() => listener(jobs))
  }

  /** Runs what was handed in from outside. */
  guarded(listener: () => void): void {
    try {
      listener()
    } catch (cause) {
      this.#onError(cause)
    }
  }

  clear(): void {
    this.#change.clear()
    this.#enqueue.clear()
  }
}
