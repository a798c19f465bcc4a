import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { scaled } from '../../support/scale.ts'
import { explore } from './checker.ts'
import type { Bounds } from './world.ts'

const long = scaled(1) > 1

interface Exploration {
  readonly title: string
  readonly bounds: Bounds
  /** At least so many, so that a world that has become poor is noticed. */
  readonly leastWorlds: number
}

const explorations: readonly Exploration[] = [
  {
    title: 'a job of two phases, over two generations',
    bounds: { phaseCount: 2, maxAttempts: 2, maxStrikes: 2, generations: 2, timeoutMs: 1_000 },
    leastWorlds: 100_000,
  },
  {
    title: 'a job of one phase without a time-out',
    bounds: { phaseCount: 1, maxAttempts: 2, maxStrikes: 2, generations: 1, timeoutMs: null },
    leastWorlds: 5_000,
  },
]

const longExplorations: readonly Exploration[] = [
  {
    title: 'a job of three phases and three attempts, over two generations',
    bounds: { phaseCount: 3, maxAttempts: 3, maxStrikes: 2, generations: 2, timeoutMs: 1_000 },
    leastWorlds: 200_000,
  },
]

describe('the plans keep every property in every order of events', () => {
  for (const { title, bounds, leastWorlds } of long ? [...explorations, ...longExplorations] : explorations) {
    test(title, (context) => {
      const { worlds, steps, violation } = explore({ bounds })
      context.diagnostic(`${worlds} worlds, ${steps} steps`)
      assert.equal(violation, null)
      assert.ok(worlds >= leastWorlds, `only ${worlds} worlds`)
    })
  }
})
