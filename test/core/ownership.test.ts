import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { worksOn } from '../../src/core/ownership.ts'
import type { Working } from '../../src/core/ownership.ts'

const owned = { type: 'map.export', service: 'maps', epoch: 3 }
const rows: readonly (readonly [what: string, session: Working, takes: boolean])[] = [
  ['a session of the owner with a handler', { service: 'maps', types: ['book', 'map.export'], epoch: 3 }, true],
  ['one that registered after other hand-overs', { service: 'maps', types: ['map.export'], epoch: 9 }, true],
  ['one from before the hand-over', { service: 'maps', types: ['map.export'], epoch: 2 }, false],
  ['one without a handler', { service: 'maps', types: ['book'], epoch: 3 }, false],
  ['one of another service', { service: 'atlas', types: ['map.export'], epoch: 3 }, false],
]

describe('jobs of a type are taken by', () => {
  for (const [what, session, takes] of rows) {
    test(`${what}: ${takes ? 'yes' : 'no'}`, () => assert.equal(worksOn(session, owned), takes))
  }
})
