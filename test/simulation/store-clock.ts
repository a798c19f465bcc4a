import { MODEL_EPOCH } from '../support/model-state.ts'
import type { ModelStore } from '../support/model-store.ts'
import type { Probes } from './probes.ts'
import type { Schedule } from './schedule.ts'

/** The clock of the simulated store: it jumps ahead when it is told to, and stands still when it is set back, as those of real stores. */
export class StoreClock {
  readonly #schedule: Schedule
  readonly #model: ModelStore
  readonly #probes: Probes
  #aheadMs = 0

  constructor(schedule: Schedule, model: ModelStore, probes: Probes) {
    this.#schedule = schedule
    this.#model = model
    this.#probes = probes
  }

  /** To be called before the store does anything. */
  move(): void {
    const ms = MODEL_EPOCH + this.#schedule.now + this.#aheadMs - this.#model.state.clock.at
    if (ms > 0) this.#model.advance(ms)
    else if (ms < 0) this.#probes.see("the store's clock stood still")
  }

  jump(ms: number): void {
    this.#aheadMs += ms
    if (ms > 0) this.#probes.see("the store's clock jumped ahead")
  }
}
