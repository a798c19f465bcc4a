/**
 * Group commit: one batch of calls is under way at a time, and what arrives meanwhile is the next. A lone call waits for nobody. Where enough
 * calls wait to fill a batch, it goes beside the one under way, on another connection.
 *
 * A batch that fails is made again call by call, so that only the call that is at fault is refused; but where the database can't be
 * reached, all are.
 */
import type { MillraceError } from '../core/errors.ts'

export type Outcome<Answer> = { readonly answer: Answer } | { readonly error: MillraceError }

export interface GroupCommitOptions<Call, Answer> {
  /** So many calls share a commit at most. */
  readonly most: number
  /** How many batches are under way at the most; default 1. */
  readonly lanes?: number
  /** Calls of one key keep their order. Default: all may be made in any. */
  readonly keyOf?: (call: Call) => string | undefined
  /** Characters that a call brings; calls share a commit up to a few millions of them. */
  readonly weigh: (call: Call) => number
  readonly run: (calls: readonly Call[]) => Promise<readonly Answer[]>
  readonly asError: (error: unknown) => MillraceError
}

/** Calls that one caller waits for together. */
interface Asked<Answer> {
  readonly outcomes: Outcome<Answer>[]
  left: number
  readonly done: (outcomes: readonly Outcome<Answer>[]) => void
}

interface Waiting<Call, Answer> {
  readonly call: Call
  readonly asked: Asked<Answer>
  readonly index: number
}

export class GroupCommit<Call, Answer> {
  readonly #options: GroupCommitOptions<Call, Answer>
  #waiting: Waiting<Call, Answer>[] = []
  #lanes = 0
  readonly #works = new Set<Promise<void>>()
  readonly #underWay = new Set<readonly Waiting<Call, Answer>[]>()

  constructor(options: GroupCommitOptions<Call, Answer>) {
    this.#options = options
  }

  async call(call: Call): Promise<Answer> {
    const [outcome] = await this.callAll([call])
    if (outcome === undefined) throw new RangeError('a call was not answered')
    if ('error' in outcome) throw outcome.error
    return outcome.answer
  }

  /** What came of the calls, in their order, once all are settled. */
  callAll(calls: readonly Call[]): Promise<readonly Outcome<Answer>[]> {
    if (calls.length === 0) return Promise.resolve([])
    return new Promise((done) => this.#add(calls, { outcomes: [], left: calls.length, done }))
  }

  #add(calls: readonly Call[], asked: Asked<Answer>): void {
    calls.forEach((call, index) => this.#waiting.push({ call, asked, index }))
    const { lanes = 1 } = this.#options
    if (this.#lanes === 0) this.#begin()
    if (this.#isFull && this.#lanes < lanes) this.#begin()
  }

  /** Resolves once all calls have been answered. */
  async rest(): Promise<void> {
    while (this.#works.size > 0) await Promise.all(this.#works)
  }

  /** Whether so many wait that they fill a batch. */
  get #isFull(): boolean {
    return this.#waiting.length >= this.#options.most
  }

  #begin(): void {
    this.#lanes += 1
    const work = this.#work().finally(() => this.#works.delete(work))
    this.#works.add(work)
  }

  async #work(): Promise<void> {
    // What is called in the same turn shares the first batch.
    await Promise.resolve()
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) {
      this.#underWay.add(batch)
      const outcomes = await this.#outcomes(batch.map(({ call }) => call))
      this.#underWay.delete(batch)
      batch.forEach((waiting, index) => this.#settle(waiting, outcomes[index]))
    }
    // In the same step as it was found that nothing waits: a call that comes now begins anew.
    this.#lanes -= 1
  }

  #settle({ asked, index }: Waiting<Call, Answer>, outcome: Outcome<Answer> | undefined): void {
    asked.outcomes[index] = outcome ?? { error: this.#options.asError(new RangeError('a call was not answered')) }
    asked.left -= 1
    if (asked.left === 0) asked.done(asked.outcomes)
  }

  /** The next batch: nothing where the lane is not needed beside those that are under way. */
  #next(): readonly Waiting<Call, Answer>[] {
    if (this.#underWay.size === 0) return this.#waiting.splice(0, this.#share(this.#waiting))
    return this.#isFull ? this.#beside() : []
  }

  /** Leaves those that must come after a call that is under way. */
  #beside(): readonly Waiting<Call, Answer>[] {
    const { keyOf = () => undefined } = this.#options
    const busy = new Set([...this.#underWay].flatMap((batch) => batch.map(({ call }) => keyOf(call))))
    busy.delete(undefined)
    const mayGo = this.#waiting.filter(({ call }) => !busy.has(keyOf(call)))
    const batch = mayGo.slice(0, this.#share(mayGo))
    const taken = new Set(batch)
    this.#waiting = this.#waiting.filter((one) => !taken.has(one))
    return batch
  }

  /** How many of these share the next commit: one at least. */
  #share(waiting: readonly Waiting<Call, Answer>[]): number {
    const { most, weigh } = this.#options
    let weight = 0
    const tooMuch = waiting.slice(0, most).findIndex(({ call }) => {
      weight += weigh(call)
      return weight > HEAVIEST
    })
    return tooMuch === -1 ? most : Math.max(1, tooMuch)
  }

  async #outcomes(calls: readonly Call[]): Promise<readonly Outcome<Answer>[]> {
    try {
      return (await this.#options.run(calls)).map((answer) => ({ answer }))
    } catch (thrown) {
      const error = this.#options.asError(thrown)
      if (calls.length === 1 || REFUSES_ALL.has(error.code)) return calls.map(() => ({ error }))
    }
    const outcomes: Outcome<Answer>[] = []
    for (const call of calls) outcomes.push(...(await this.#outcomes([call])))
    return outcomes
  }
}

/** The server takes a message as a whole, and so does this process. */
const HEAVIEST = 4 * 1024 * 1024

/** Made again one by one, these would only fail again. */
const REFUSES_ALL: ReadonlySet<MillraceError['code']> = new Set([
  'store-unreachable',
  'store-closed',
  'store-full',
  'store-unwritable',
])
