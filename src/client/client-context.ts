import { InvalidInputError } from '../core/errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { SweepReport } from '../store/claims.ts'
import type { Store } from '../store/store.ts'
import type { CallerConnection } from '../store/transactions.ts'
import type { FollowLog } from './follow-log.ts'
import { JobWatcher } from './job-watcher.ts'
import { TransactionGuard } from './transaction-guard.ts'
import { storeClosed } from '../store/refusals.ts'

/** What the clients of a process have others in it do. */
export interface ClientServices {
  /** Of whoever follows the log for all of them. Default: nobody does. */
  readonly followLog?: FollowLog
  /** One sweep now, of whoever looks after the store. Default: nobody does. */
  readonly recover?: () => Promise<SweepReport>
  /** The service that the process belongs to. Default: none was named. */
  readonly service?: string | null
}

/** What all clients of one opened store share, whatever their scopes. Lends the store out for one call at a time. */
export class ClientContext {
  readonly runtime: Runtime
  readonly watcher: JobWatcher
  /** The service that this process belongs to; null: none was named. */
  readonly service: string | null
  readonly followLog: FollowLog
  readonly recover: () => Promise<SweepReport>
  readonly #store: Store
  readonly #transactions = new TransactionGuard()
  readonly #held = new Set<Promise<unknown>>()
  #closed = false

  constructor(store: Store, runtime: Runtime, services: ClientServices = {}) {
    const { followLog = nobodyFollows, recover = nobodyRecovers, service = null } = services
    this.#store = store
    this.runtime = runtime
    this.followLog = followLog
    this.recover = recover
    this.service = service
    this.watcher = new JobWatcher(store)
  }

  /** What is made of the client may have the context too. */
  lendTo(client: object): void {
    CONTEXTS.set(client, this)
  }

  /** @throws MillraceError `store-closed` */
  reader(): Store {
    if (!this.#closed) return this.#store
    throw storeClosed()
  }

  /** @throws MillraceError `store-closed`, or `tx-required` inside a transaction of the caller's */
  writer(act: string): Store {
    this.#transactions.refuseInside(act)
    return this.reader()
  }

  /** Runs the body in a write transaction on the caller's connection. */
  async transact<T>(connection: CallerConnection, body: () => T | Promise<T>): Promise<T> {
    const store = this.writer('transaction')
    return store.transactions.run(connection, async () => this.#transactions.run(body))
  }

  refuseInTransaction(act: string): void {
    this.#transactions.refuseInside(act)
  }

  /** Lets a call that was begun before the closing be carried to its end. */
  async hold<T>(call: Promise<T>): Promise<T> {
    this.#held.add(call)
    try {
      return await call
    } finally {
      this.#held.delete(call)
    }
  }

  /** Lends the store to nobody any more. Waiters are told, and resolves once they have taken notice. */
  async close(): Promise<void> {
    this.#closed = true
    await this.watcher.close()
    await Promise.allSettled(this.#held)
  }
}

const CONTEXTS = new WeakMap<object, ClientContext>()

/** @throws InvalidInputError for what is no opened Millrace */
export function contextOf(mill: object): ClientContext {
  const context = typeof mill === 'object' && mill !== null ? CONTEXTS.get(mill) : undefined
  if (context !== undefined) return context
  throw new InvalidInputError({ path: 'mill', expected: 'what openMillrace gave', received: typeof mill })
}

function nobodyFollows(): never {
  throw new RangeError('nobody follows the log here')
}

function nobodyRecovers(): never {
  throw new RangeError('nobody looks after the store here')
}
