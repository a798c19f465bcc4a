/**
 * Follows the event log for everyone in this process who listens.
 *
 * Each listener has a cursor of its own and asks for what comes after it, so a slow one costs no memory: it reads on from the log when it
 * is ready. Those who have caught up ask for the same and share one read, so that a change of the store costs one read however many
 * listen, and each is told what its scope may see. A listener that throws is logged and goes on with the next event; one that hangs holds up nobody but itself.
 */
import { readText } from '../core/classification/error-tree.ts'
import { LIMITS } from '../core/limits.ts'
import { canTouch, OPERATOR } from '../core/scope.ts'
import type { Scope } from '../core/scope.ts'
import type { Logger } from '../runtime/logger.ts'
import { Pauses } from '../runtime/pause.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { EventQuery, EventRecord } from '../store/events.ts'
import type { Store } from '../store/store.ts'

export interface TailerOptions {
  readonly store: Pick<Store, 'events' | 'onChange'>
  readonly runtime: Runtime
  readonly logger: Logger
}

/** The next event is told once the promise that it may answer has settled. */
type EventListener = (event: EventRecord) => unknown

export interface Listen {
  readonly listener: EventListener
  /** Whose ears they are. */
  readonly scope: Scope
  /** Of this job alone; null: of all that the scope may touch. */
  readonly jobId: string | null
  /** Begin after this position; null: with what is committed from now on. */
  readonly after: number | null
}

interface Subscription extends Listen {
  /** Everything up to here has been told. */
  cursor: number
}

interface Batch {
  readonly events: readonly EventRecord[]
  /** The events are all there are up to this position. */
  readonly upTo: number
}

const READ_EVENTS = LIMITS.listPage
const RETRY_MS = 1_000

export class EventTailer {
  readonly #options: TailerOptions
  readonly #subscriptions = new Set<Subscription>()
  /** The read that those who have caught up wait for. */
  #shared: { readonly from: number; readonly batch: Promise<Batch | null> } | null = null
  readonly #reads = new Set<Promise<Batch>>()
  readonly #pauses = new Pauses()
  #head = 0
  #changes = 0
  #changed: PromiseWithResolvers<void> = Promise.withResolvers()
  #unsubscribe: (() => void) | null = null
  #closed = false

  constructor(options: TailerOptions) {
    this.#options = options
  }

  /**
   * Tells the listener every event after a position, in order, none twice. Once the promise resolves, nothing that is committed later is
   * missed.
   *
   * @returns the way out: no event is told after it was called
   */
  async subscribe(listen: Listen): Promise<() => void> {
    const latest = await this.#options.store.events.latest()
    this.#head = Math.max(this.#head, latest)
    const subscription: Subscription = { ...listen, cursor: listen.after ?? latest }
    if (this.#closed) return () => undefined
    this.#subscriptions.add(subscription)
    this.#unsubscribe ??= this.#options.store.onChange(() => this.#change())
    void this.#follow(subscription)
    return () => this.#remove(subscription)
  }

  /** Nobody is told anything any more; resolves once nothing is asked of the store any more. */
  async close(): Promise<void> {
    this.#closed = true
    for (const subscription of this.#subscriptions) this.#remove(subscription)
    await Promise.allSettled(this.#reads)
  }

  #remove(subscription: Subscription): void {
    if (!this.#subscriptions.delete(subscription) || this.#subscriptions.size > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = null
    this.#pauses.endAll()
    this.#change()
  }

  #change(): void {
    this.#changes += 1
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  async #follow(subscription: Subscription): Promise<void> {
    while (this.#subscriptions.has(subscription)) {
      const batch = await this.#nextBatch(subscription)
      if (batch === null) continue
      await this.#tell(subscription, batch.events)
      subscription.cursor = batch.upTo
    }
  }

  async #tell(subscription: Subscription, events: readonly EventRecord[]): Promise<void> {
    const { jobId, scope, listener } = subscription
    for (const event of events) {
      if (!this.#subscriptions.has(subscription)) return
      if ((jobId !== null && event.jobId !== jobId) || !canTouch(scope, event)) continue
      try {
        await listener(event)
      } catch (error) {
        const { name, position } = event
        const fields = { error: readText(error), event: name, jobId: event.jobId, position }
        this.#options.logger.warn('A listener of job events threw; it is told the next event all the same.', fields)
      }
    }
  }

  /** Null: ask again. */
  async #nextBatch(subscription: Subscription): Promise<Batch | null> {
    const { cursor, jobId, scope } = subscription
    const wantsFew = jobId !== null || scope.role !== 'operator'
    if (wantsFew && cursor < this.#head) return this.#attempt(() => this.#readOwn(subscription))
    if (this.#shared?.from !== cursor) this.#shared = { from: cursor, batch: this.#readSome(cursor) }
    return this.#shared.batch
  }

  /** What came after the position, once there is something. */
  async #readSome(from: number): Promise<Batch | null> {
    while (this.#subscriptions.size > 0) {
      const { promise } = this.#changed
      const changes = this.#changes
      const batch = await this.#attempt(() => this.#readAll(from))
      if (batch !== null && batch.events.length > 0) return batch
      if (changes === this.#changes) await promise
    }
    this.#shared = null
    return null
  }

  async #readAll(from: number): Promise<Batch> {
    const events = await this.#read({ after: from, jobId: null, scope: OPERATOR })
    const upTo = events.at(-1)?.position ?? from
    this.#head = Math.max(this.#head, upTo)
    return { events, upTo }
  }

  /** Far behind, the events of one job, or of one scope, are found without reading those of all others. */
  async #readOwn({ cursor: from, jobId, scope }: Subscription): Promise<Batch> {
    const latest = await this.#options.store.events.latest()
    const events = await this.#read({ after: from, jobId, scope })
    const last = events.at(-1)?.position ?? from
    return { events, upTo: events.length < READ_EVENTS ? Math.max(latest, last) : last }
  }

  #read(query: Omit<EventQuery, 'limit'>): Promise<readonly EventRecord[]> {
    return this.#options.store.events.read({ ...query, limit: READ_EVENTS })
  }

  /** Null, after a wait, where the store could not answer. */
  async #attempt(read: () => Promise<Batch>): Promise<Batch | null> {
    const { logger, runtime } = this.#options
    const reading = read()
    this.#reads.add(reading)
    try {
      return await reading
    } catch (error) {
      if (this.#subscriptions.size === 0) return null
      logger.warn('The event log could not be read; it is tried again.', { error: readText(error) })
      this.#changes += 1
      await this.#pauses.wait(runtime, RETRY_MS)
      return null
    } finally {
      this.#reads.delete(reading)
    }
  }
}
