/** Somebody who listens to the log through a process that comes and goes: each event must be heard, in its order. */
import type { Millrace } from '../../src/open-millrace.ts'
import type { Referee } from './referee.ts'

export class LogListener {
  readonly #referee: Referee
  /** The position of the last event that was heard. */
  heard = 0

  constructor(referee: Referee) {
    this.#referee = referee
  }

  /** Goes on where it was. */
  async listen(mill: Millrace): Promise<void> {
    await mill.subscribe(({ position }) => this.#hear(position), { after: this.heard })
  }

  #hear(position: number): void {
    if (position === this.heard + 1) this.heard = position
    else this.#referee.accuse('a listener hears every event in its order', `${position} after ${this.heard}`)
  }
}
