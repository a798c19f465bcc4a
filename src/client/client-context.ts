import { MillraceError } from '../core/errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Store } from '../store/store.ts'
import type { CallerConnection } from '../store/transactions.ts'
import { JobWatcher } from './job-watcher.ts'
import { TransactionGuard } from './transaction-guard.ts'

/** What all clients of one opened store share, whatever their scopes. Lends the store out for one call at a time. */
export class ClientContext {
  readonly runtime: Runtime
  readonly watcher: JobWatcher
  readonly #store: Store
  readonly #transactions = new TransactionGuard()
  #closed = false

  constructor(store: Store, runtime: Runtime) {
    this.#store = store
    this.runtime = runtime
    this.watcher = new JobWatcher(store)
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

  close(): void {
    this.#closed = true
    this.watcher.close()
  }
}

export function storeClosed(): MillraceError {
  return new MillraceError('store-closed', 'This Millrace has been closed: open another one, or close it later.')
}
