/** What an attempt has to write, on its way into the store. Objects of a few fields: there may be thousands of them on their way. */
import type { PlanCall, PlanResult } from '../store/claims.ts'
import type { AttemptCall } from './attempt-call.ts'
import type { Attempt } from './attempt.ts'
import type { Ending } from './ending.ts'
import type { AttemptRun } from './attempt-run.ts'
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

/** A call that does not end it. */
export class SentCall implements Sent {
  readonly #run: AttemptRun
  readonly #call: AttemptCall
  readonly #outcomes: Outcomes

  constructor(run: AttemptRun, call: AttemptCall, outcomes: Outcomes) {
    this.#run = run
    this.#call = call
    this.#outcomes = outcomes
  }

  get attempt(): Attempt {
    return this.#run.attempt
  }

  get calls(): readonly PlanCall[] {
    return [this.attempt.call(this.#call)]
  }

  isWanted(): boolean {
    return !this.attempt.over
  }

  done(result: PlanResult | null): void {
    this.#run.kept(this.#call, this.#outcomes.kept(this.attempt, this.#call, result))
  }

  broken(error: unknown): void {
    this.#run.broken(error)
  }
}
