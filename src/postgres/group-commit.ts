/**
 * Group commit: one batch of calls is under way at a time, and what arrives meanwhile is the next. A lone call waits for nobody.
 *
 * A batch that fails is made again call by call, so that only the call that is at fault is refused; but where the database can't be
 * reached, all are.
 */
import type { MillraceError } from '../core/errors.ts'

export type Outcome<Answer> = { readonly answer: Answer } | { readonly error: MillraceError }

export interface GroupCommitOptions<Call, Answer> {
  /** So many calls share a commit at most. */
  readonly most: number
  /** Characters that a call brings; calls share a commit up to a few millions of them. */
  readonly weigh: (call: Call) => number
  readonly run: (calls: readonly Call[]) => Promise<readonly Answer[]>
  readonly asError: (error: unknown) => MillraceError
}

interface Waiting<Call, Answer> {
  readonly call: Call
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: MillraceError) => void
}

export class GroupCommit<Call, Answer> {
  readonly #options: GroupCommitOptions<Call, Answer>
  #waiting: Waiting<Call, Answer>[] = []
  #working = false

  constructor(options: GroupCommitOptions<Call, Answer>) {
    this.#options = options
  }

  call(call: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ call, resolve, reject })
      if (!this.#working) void this.#work()
    })
  }

  async #work(): Promise<void> {
    this.#working = true
    // What is called in the same turn shares the first batch.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#share())
      const outcomes = await this.#outcomes(batch.map(({ call }) => call))
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index]
        if (outcome === undefined) reject(this.#options.asError(new RangeError('a call was not answered')))
        else if ('error' in outcome) reject(outcome.error)
        else resolve(outcome.answer)
      }
    }
    this.#working = false
  }

  /** How many of those that wait share the next commit: one at least. */
  #share(): number {
    const { most, weigh } = this.#options
    let weight = 0
    const tooMuch = this.#waiting.slice(0, most).findIndex(({ call }) => {
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
