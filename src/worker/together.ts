/**
 * What attempts have to write, on its way into the store. What is to be written in one turn goes together, as one call with one answer: a
 * promise for each would outlive its turn, and of jobs that take microseconds there are many. What the store did not take is tried again, each
 * by itself.
 */
import type { PlanCall, PlanResult } from '../store/claims.ts'
import type { Store } from '../store/store.ts'
import type { Attempt } from './attempt.ts'
import { insist } from './deliver.ts'
import type { Delivery } from './deliver.ts'
import type { TurnBudget } from './turn-budget.ts'

export interface Sent {
  readonly attempt: Attempt
  /** In their order. Asked for again should they have to be made again: most never are, and of those on their way there are many. */
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
const MOST_AT_ONCE = 500

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
    const { calls, lasts } = inWaves(sent)
    const [only] = calls
    if (only === undefined) return
    const { claims } = this.#options.store
    const answering = calls.length === 1 ? claims.apply(only).then((result) => [result]) : claims.applyAll(calls)
    const answered = (results: readonly PlanResult[]): void => {
      sent.forEach((each, index) => {
        const result = results[lasts[index] ?? index]
        if (result === undefined) each.broken(new RangeError('a call was not answered'))
        else each.done(result)
      })
    }
    const failed = (error: unknown): void => {
      for (const each of sent) this.#again(each, error)
    }
    answering.then(answered, failed)
  }

  #again(sent: Sent, error: unknown): void {
    if (!sent.isWanted()) {
      sent.done(null)
      return
    }
    insist(this.#options.deliveryOf(sent), { again: sent.calls, error }).then(
      (result) => sent.done(result),
      (bug: unknown) => sent.broken(bug),
    )
  }
}

interface Waves {
  readonly calls: readonly PlanCall[]
  /** Of each, the index of its last call. */
  readonly lasts: readonly number[]
}

/** The first calls of all before the second ones: those are alike, and a store carries out together what is alike. */
function inWaves(sent: readonly Sent[]): Waves {
  const calls: PlanCall[] = []
  const lasts: number[] = []
  const further: [index: number, calls: readonly PlanCall[]][] = []
  sent.forEach(({ calls: mine }, index) => {
    const [first] = mine
    if (first === undefined) return
    lasts[index] = calls.length
    calls.push(first)
    if (mine.length > 1) further.push([index, mine.slice(1)])
  })
  for (const [index, others] of further) {
    calls.push(...others)
    lasts[index] = calls.length - 1
  }
  return { calls, lasts }
}
