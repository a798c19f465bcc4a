import { AsyncLocalStorage } from 'node:async_hooks'

import { MillraceError } from '../core/errors.ts'

/**
 * While a transaction of the application's is open, the store's own writer stands aside. A write that went to it from inside would wait
 * for a commit that waits for the write. Whatever was started inside the transaction and outlives it is free again once it is over.
 */
export class TransactionGuard {
  readonly #transaction = new AsyncLocalStorage<{ open: boolean }>()

  /** Runs the body of a transaction. */
  async run<T>(body: () => T | Promise<T>): Promise<T> {
    const transaction = { open: true }
    try {
      return await this.#transaction.run(transaction, body)
    } finally {
      transaction.open = false
    }
  }

  /** @throws MillraceError `tx-required` inside a body. */
  refuseInside(act: string): void {
    if (this.#transaction.getStore()?.open !== true) return
    throw new MillraceError(
      'tx-required',
      `"${act}" inside mill.transaction() would wait for the very transaction that waits for it. ` +
        'Enqueue with mill.enqueueIn(connection, …); do everything else before or after the transaction.',
      { details: { act } },
    )
  }
}
