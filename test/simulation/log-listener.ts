/** Somebody who listens to the log through a process that comes and goes: each event must be heard, in its order. */
import type { Millrace } from '../../src/open-millrace.ts'
import type { ModelState } from '../support/model-state.ts'
import type { Referee } from './referee.ts'

export class LogListener {
  readonly #state: ModelState
  readonly #referee: Referee
  /** The position of the last event that was heard. */
  heard = 0

  constructor(state: ModelState, referee: Referee) {
    this.#state = state
    this.#referee = referee
  }

  /** Goes on where it was. */
  async listen(mill: Millrace): Promise<void> {
    await mill.subscribe(({ position }) => this.#hear(position), { after: this.heard })
  }

  /** What was deleted with its job before it was heard is not missed. */
  #hear(position: number): void {
    const isMissed = this.#state.events.some((event) => event.position > this.heard && event.position < position)
    if (position > this.heard && !isMissed) this.heard = position
    else this.#referee.accuse('a listener hears every event in its order', `${position} after ${this.heard}`)
  }
}
