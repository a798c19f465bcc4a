import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { beginTurn, endTurn, keepTurn } from '../../src/core/cleanup-turn.ts'
import type { CleanupTurn, TurnRequest } from '../../src/core/cleanup-turn.ts'

const NOW = 1_000_000
const REQUEST: TurnRequest = { key: 2, isWhole: false, apartMs: 120_000, leaseMs: 15_000 }
const FORCED: TurnRequest = { ...REQUEST, isWhole: true, apartMs: 0 }

const underWay: CleanupTurn = { key: 1, isWhole: true, begunAt: NOW - 200_000, keptUntil: NOW + 1, report: null }
const ended: CleanupTurn = { ...underWay, keptUntil: null, report: '{}' }
const silent: CleanupTurn = { ...underWay, keptUntil: NOW }
const justEnded: CleanupTurn = { ...ended, begunAt: NOW - 119_999 }
const future: CleanupTurn = { ...underWay, begunAt: NOW + 1, keptUntil: NOW + 15_001 }

type Row = readonly [what: string, latest: CleanupTurn | null, request: TurnRequest, begins: boolean]

const rows: readonly Row[] = [
  ['there was none', null, REQUEST, true],
  ['one is under way', underWay, REQUEST, false],
  ['one is under way, and it is forced', underWay, FORCED, false],
  ['one has given no sign of life for too long', silent, REQUEST, true],
  ['one has ended', ended, REQUEST, true],
  ['one began too lately', justEnded, REQUEST, false],
  ['one began too lately, and it is forced', justEnded, FORCED, true],
  ['one that has fallen silent began too lately', { ...silent, begunAt: NOW - 15_000 }, REQUEST, false],
  ['one was begun by a clock that ran ahead', future, REQUEST, true],
]

describe('a turn to clean up begins where', () => {
  for (const [what, latest, request, begins] of rows) {
    test(`${what}: ${begins ? 'yes' : 'no'}`, () => {
      const turn = { key: 2, isWhole: request.isWhole, begunAt: NOW, keptUntil: NOW + 15_000, report: null }
      assert.deepEqual(beginTurn(latest, request, NOW), begins ? turn : latest)
    })
  }

  test('it is asked for again: it is the same', () => {
    assert.equal(beginTurn(underWay, { ...REQUEST, key: 1 }, NOW), underWay)
  })
})

test('only the turn that is under way is kept and ended', () => {
  assert.deepEqual(keepTurn(underWay, 1, NOW + 5), { ...underWay, keptUntil: NOW + 5 })
  assert.deepEqual(endTurn(silent, 1, '{}'), { ...silent, keptUntil: null, report: '{}' })
  for (const [latest, key] of [
    [null, 1],
    [underWay, 2],
    [ended, 1],
  ] as const) {
    assert.equal(keepTurn(latest, key, NOW + 5), null)
    assert.equal(endTurn(latest, key, null), null)
  }
})
