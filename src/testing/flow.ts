import type { Runtime } from '../runtime/runtime.ts'

/** Turns of the event loop without a call to the store, after which nothing more is expected to come by itself. */
const QUIET_TURNS = 3

/** What is under way between the processes of a test and their store. */
export class Flow {
  readonly #runtime: Runtime
  #underWay = 0

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  async follow<Answer>(answering: Promise<Answer>): Promise<Answer> {
    this.#underWay += 1
    try {
      return await answering
    } finally {
      this.#underWay -= 1
    }
  }

  /** Resolves once the store has answered everything and nothing follows from it. It takes no time of the clock. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS;) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#runtime.after(0, resolve)
      await promise
      quiet = this.#underWay === 0 ? quiet + 1 : 0
    }
  }
}
