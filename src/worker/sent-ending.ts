/** How an attempt ends, on its way into the store. An object of three fields: of attempts that end there may be thousands on their way. */
import type { PlanCall, PlanResult } from '../store/claims.ts'
import type { Attempt } from './attempt.ts'
import type { Ending } from './ending.ts'
import type { Sent } from './together.ts'

/** What becomes of them. */
export interface EndsOfAttempts {
  readonly settled: (attempt: Attempt, ending: Ending, result: PlanResult | null) => void
  readonly broken: (attempt: Attempt, error: unknown) => void
}

export class SentEnding implements Sent {
  readonly attempt: Attempt
  readonly #ending: Ending
  readonly #ends: EndsOfAttempts

  constructor(attempt: Attempt, ending: Ending, ends: EndsOfAttempts) {
    this.attempt = attempt
    this.#ending = ending
    this.#ends = ends
  }

  get calls(): readonly PlanCall[] {
    return this.#ending.calls.map((call) => this.attempt.call(call))
  }

  isWanted(): boolean {
    return true
  }

  done(result: PlanResult | null): void {
    this.#ends.settled(this.attempt, this.#ending, result)
  }

  broken(error: unknown): void {
    this.#ends.broken(this.attempt, error)
  }
}
