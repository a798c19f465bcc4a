/**
 * What attempts have to write, on its way into the store. What is to be written in one turn goes together, as one call with one answer: a
 * promise for each would outlive its turn, and of jobs that take microseconds there are many. What the store did not take is tried again, each
 * by itself.
 */
import type { CallAnswer, PlanCall, PlanResult } from '../store/claims.ts'
import type { Store } from '../store/store.ts'
import type { Attempt } from './attempt.ts'
import { hasFailed, insist, settleOf } from './deliver.ts'
import type { Delivery, Failed } from './deliver.ts'
import type { TurnBudget } from './turn-budget.ts'

export interface Sent {
  readonly attempt: Attempt
  /**
   * In their order, one at least. Asked for again should they have to be made again: most never are, and of those on their way there are
   * many.
   */
  readonly calls: readonly PlanCall[]
  /** Whether it is still of any use. */
  isWanted(): boolean
  /** What came of the last call; null: given up. */
  done(result: PlanResult | null): void
  /** There is a bug. */
  broken(error: unknown): void
}

export interface TogetherOptions {
  readonly store: Pick<Store, 'claims'>
  readonly turns: TurnBudget
  readonly deliveryOf: (sent: Sent) => Delivery
}

/** More in one answer would hold up the event loop. */
const MOST_AT_ONCE = 250

export class Together {
  readonly #options: TogetherOptions
  #waiting: Sent[] = []

  constructor(options: TogetherOptions) {
    this.#options = options
  }

  add(sent: Sent): void {
    this.#waiting.push(sent)
    // Once all that this turn has set off has happened: handlers that are let go one by one end one by one.
    if (this.#waiting.length === 1) this.#options.turns.atEnd(() => this.#send())
    else if (this.#waiting.length === MOST_AT_ONCE) this.#send()
  }

  #send(): void {
    const sent = this.#waiting
    this.#waiting = []
    if (sent.length === 0) return
    const { calls, ends } = callsOf(sent)
    // What waits for the answer must not refer to the calls, or they would be there until it comes.
    this.#ask(calls).then(
      (answers) => this.#answered(sent, ends, answers),
      (error: unknown) => {
        for (const each of sent) this.#guarded(each, () => this.#again(each, { again: each.calls, error }))
      },
    )
  }

  /** Asynchronous so that an error on the way, a bug, is each one's answer. */
  async #ask(calls: readonly PlanCall[]): Promise<readonly CallAnswer[]> {
    const { claims } = this.#options.store
    const [only] = calls
    return only === undefined || calls.length > 1
      ? claims.applyAll(calls)
      : claims.apply(only).then((answer) => [answer])
  }

  /** `ends`: up to where the answers to each one's calls go. */
  #answered(sent: readonly Sent[], ends: readonly number[], answers: readonly CallAnswer[]): void {
    let begin = 0
    sent.forEach((each, index) => {
      const from = begin
      begin = ends[index] ?? begin
      const first = answers[from]
      const isPlain = begin === from + 1 && first !== undefined && !hasFailed(first)
      this.#guarded(each, () => (isPlain ? each.done(first) : this.#settle(each, answers.slice(from, begin))))
    })
  }

  #settle(sent: Sent, answers: readonly CallAnswer[]): void {
    const outcome = settleOf(sent.calls, answers)
    if ('answer' in outcome) sent.done(outcome.answer)
    else this.#again(sent, outcome)
  }

  /** What befalls one of them must not keep the others from their answers. */
  #guarded(sent: Sent, tell: () => void): void {
    try {
      tell()
    } catch (error) {
      sent.broken(error)
    }
  }

  #again(sent: Sent, failed: Failed): void {
    if (!sent.isWanted()) {
      sent.done(null)
      return
    }
    insist(this.#options.deliveryOf(sent), failed).then(
      (result) => sent.done(result),
      (bug: unknown) => sent.broken(bug),
    )
  }
}

interface Calls {
  readonly calls: readonly PlanCall[]
  /** Up to where those of each go. */
  readonly ends: readonly number[]
}

function callsOf(sent: readonly Sent[]): Calls {
  const calls: PlanCall[] = []
  const ends: number[] = []
  for (const each of sent) ends.push(calls.push(...each.calls))
  return { calls, ends }
}
