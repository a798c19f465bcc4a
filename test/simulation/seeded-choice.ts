/** Every choice of a simulated world comes from here, so that a seed makes the same world again. */
import { seededWords } from '../../src/runtime/seeded-random.ts'

export class SeededChoice {
  readonly #word: () => number

  constructor(seed: number) {
    this.#word = seededWords(seed)
  }

  /** In [0, 1). */
  fraction(): number {
    return this.#word() / 2 ** 32
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + (this.#word() % (most - least + 1))
  }

  /** True so often, 0 to 1. */
  chance(share: number): boolean {
    return this.fraction() < share
  }

  /** @throws RangeError if there is nothing to pick from */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.#word() % Math.max(1, items.length)]
    if (item === undefined) throw new RangeError('there is nothing to pick from')
    return item
  }

  /** One of the names, each as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries<number>(weights)
    let left = this.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    const chosen = entries.find(([, weight]) => (left -= weight) < 0) ?? entries.at(-1)
    return (chosen?.[0] ?? '') as Name
  }

  /** Another source that goes its own way. */
  fork(): SeededChoice {
    return new SeededChoice(this.#word())
  }
}
