/** A process of a simulated world, through all its lives: whoever looks after it starts it again when it is gone. */
import { handlersOf, sackHandler } from './mill-jobs.ts'
import type { Surroundings } from './mill-jobs.ts'
import type { Handler } from '../../src/worker/handler.ts'
import { ProcessLife } from './process-life.ts'
import type { Scene } from './process-life.ts'
import type { SeededChoice } from './seeded-choice.ts'

/** What it is for: nothing of its own but to let people in; one quick type alone; or everything. */
export type Trade = 'desk' | 'quick' | 'all'

export class SimulatedProcess {
  readonly name: string
  readonly trade: Trade
  readonly #scene: Scene
  readonly #choice: SeededChoice
  /** Settings do not change from one life to the next. */
  readonly #concurrency: number
  readonly #maxAbandonedSlots: number
  #isNext = false
  #aheadMs = 0
  #present: ProcessLife

  constructor(name: string, trade: Trade, scene: Scene, choice: SeededChoice) {
    this.name = name
    this.trade = trade
    this.#scene = scene
    this.#choice = choice
    this.#concurrency = choice.between(1, 4)
    this.#maxAbandonedSlots = choice.between(0, 2)
    this.#present = this.#begin()
  }

  get present(): ProcessLife {
    return this.#present
  }

  /** From its next life on it runs the next version of the program. */
  upgrade(): void {
    this.#isNext = true
  }

  /** The clock of its machine is set. */
  jumpClock(ms: number): void {
    this.#aheadMs += ms
  }

  #begin(): ProcessLife {
    const { schedule, referee, leaseMs } = this.#scene
    const life = new ProcessLife({
      scene: this.#scene,
      name: this.name,
      choice: this.#choice.fork(),
      aheadMs: () => this.#aheadMs,
      handlers: (around) => this.#handlers(around),
      work: {
        concurrency: this.#concurrency,
        maxAbandonedSlots: this.#maxAbandonedSlots,
        lease: leaseMs,
        drain: this.#choice.between(300, 4_000),
      },
      onGone: () => {
        const restart = (): void => void (this.#present = this.#begin())
        schedule.add(schedule.now + this.#choice.between(200, 6_000), restart)
      },
    })
    life.start().catch((error: unknown) => referee.accuse('a process begins', String(error)))
    return life
  }

  #handlers(around: Surroundings): readonly Handler[] {
    if (this.trade === 'desk') return []
    return this.trade === 'quick' ? [sackHandler(around)] : handlersOf(around, this.#isNext)
  }
}
