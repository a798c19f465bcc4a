/**
 * The connection that claims keep to. Their statement takes the server tens of milliseconds to plan, once for each connection that it comes on;
 * on connections that all writes share, a worker would pay for several of them as it starts. A claim beside another goes where all others go, so
 * that no worker of this process waits for the claim of another. Those that go along with new jobs are made where those are.
 */
import type { PgPool } from './driver.ts'

export class ClaimConnection {
  readonly #pool: PgPool | undefined
  #underWay = 0

  /** @param pool of one connection; undefined: there are too few for that */
  constructor(pool: PgPool | undefined) {
    this.#pool = pool
  }

  /** `claim` is told where to borrow its connection; undefined: where all writes do. */
  async within<T>(claim: (pool: PgPool | undefined) => Promise<T>): Promise<T> {
    const isFree = this.#underWay === 0
    this.#underWay += 1
    try {
      return await claim(isFree ? this.#pool : undefined)
    } finally {
      this.#underWay -= 1
    }
  }
}
