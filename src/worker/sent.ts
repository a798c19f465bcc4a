/** What an attempt has to write, on its way into the store. Objects of a few fields: there may be thousands of them on their way. */
import type { PlanCall, PlanResult } from '../store/claims.ts'
import type { AttemptCall } from './attempt-call.ts'
import type { Attempt } from './attempt.ts'
import type { Ending } from './ending.ts'
import type { Sent } from './together.ts'

/** What becomes of them. */
export interface Outcomes {
  readonly settled: (attempt: Attempt, ending: Ending, result: PlanResult | null) => void
  readonly broken: (attempt: Attempt, error: unknown) => void
  /** Whether the attempt may go on. */
  readonly kept: (attempt: Attempt, call: AttemptCall, result: PlanResult | null) => boolean
}

/** How it ends. */
export class SentEnding implements Sent {
  readonly attempt: Attempt
  readonly #ending: Ending
  readonly #outcomes: Outcomes

  constructor(attempt: Attempt, ending: Ending, outcomes: Outcomes) {
    this.attempt = attempt
    this.#ending = ending
    this.#outcomes = outcomes
  }

  get calls(): readonly PlanCall[] {
    return this.#ending.calls.map((call) => this.attempt.call(call))
  }

  isWanted(): boolean {
    return true
  }

  done(result: PlanResult | null): void {
    this.#outcomes.settled(this.attempt, this.#ending, result)
  }

  broken(error: unknown): void {
    this.#outcomes.broken(this.attempt, error)
  }
}

/** A call that does not end it, and whoever waits for that. */
export class SentCall implements Sent {
  readonly attempt: Attempt
  readonly broken: (error: unknown) => void
  readonly #call: AttemptCall
  readonly #outcomes: Outcomes
  readonly #resolve: (mayGoOn: boolean) => void

  constructor(
    attempt: Attempt,
    call: AttemptCall,
    outcomes: Outcomes,
    waiting: Pick<PromiseWithResolvers<boolean>, 'resolve' | 'reject'>,
  ) {
    this.attempt = attempt
    this.broken = waiting.reject
    this.#call = call
    this.#outcomes = outcomes
    this.#resolve = waiting.resolve
  }

  get calls(): readonly PlanCall[] {
    return [this.attempt.call(this.#call)]
  }

  isWanted(): boolean {
    return !this.attempt.over
  }

  done(result: PlanResult | null): void {
    this.#resolve(this.#outcomes.kept(this.attempt, this.#call, result))
  }
}
