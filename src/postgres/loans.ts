import { storeClosed } from '../store/refusals.ts'
import type { PgPool, PooledClient } from './driver.ts'

/** Connections that are lent out of pools, and those who wait to be lent one. A pool knows them too, but does not let go of either. */
export class Loans {
  readonly #lent = new Set<PooledClient>()
  /** Refusals of those who wait. */
  readonly #waiting = new Set<(error: unknown) => void>()

  /** @throws MillraceError `store-closed` to whoever is cut off while he waits */
  borrow(pool: PgPool): Promise<PooledClient> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject)
      void this.#lend(pool, resolve, reject)
    })
  }

  async #lend(pool: PgPool, resolve: (client: PooledClient) => void, reject: (error: unknown) => void): Promise<void> {
    try {
      const client = await pool.connect()
      if (this.#waiting.delete(reject)) {
        this.#lent.add(client)
        resolve(client)
      } else {
        // Nobody waits for it any more.
        client.release(true)
      }
    } catch (error) {
      this.#waiting.delete(reject)
      reject(error)
    }
  }

  /** @param broken why it is not to be used again; null: it is as good as before */
  giveBack(client: PooledClient, broken: Error | null): void {
    if (this.#lent.delete(client)) client.release(broken ?? undefined)
  }

  /** Gives up all that are lent, whatever they are used for, and refuses whoever waits. */
  cut(): void {
    for (const refuse of this.#waiting) refuse(storeClosed())
    this.#waiting.clear()
    for (const client of this.#lent) client.release(true)
    this.#lent.clear()
  }
}
