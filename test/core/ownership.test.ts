import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { isLive, worksOn } from '../../src/core/ownership.ts'
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

const lives: readonly (readonly [what: string, lease: Parameters<typeof isLive>[0], lives: boolean])[] = [
  ['whose lease lasts', { endedAt: null, expiresAt: 1_001 }, true],
  ['whose lease runs out at this moment', { endedAt: null, expiresAt: 1_000 }, false],
  ['whose lease ran out', { endedAt: null, expiresAt: 999 }, false],
  ['that was ended before its lease ran out', { endedAt: 900, expiresAt: 1_001 }, false],
]

describe('live is a session', () => {
  for (const [what, lease, expected] of lives) {
    test(`${what}: ${expected ? 'yes' : 'no'}`, () => assert.equal(isLive(lease, 1_000), expected))
  }
})
