import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import type { TurnRequest } from '../../src/core/cleanup-turn.ts'
import { MINUTE, openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'
import type { Store } from '../../src/store/store.ts'

const LEASE_MS = 15_000
const REPORT = '{"expiredJobsDeleted":3}'
const turn = (key: number, rest: Partial<TurnRequest> = {}): TurnRequest => {
  return { key, isWhole: false, apartMs: 2 * MINUTE, leaseMs: LEASE_MS, ...rest }
}

export function cleanupTurnsContract(open: OpenStore): void {
  /** With another store on the same jobs, where there can be one. */
  async function openTwo(context: TestContext): Promise<{ readonly bench: Bench; readonly other: Store }> {
    const bench = await openBench(context, open)
    const another = await bench.another?.()
    context.after(() => another?.close())
    return { bench, other: (another ?? bench).store }
  }

  describe('turns to clean up', () => {
    test('nobody has had one in a new store', async (t) => {
      const { bench } = await openTwo(t)
      assert.equal(await bench.store.cleanupTurns.latest(), null)
      assert.equal(await bench.store.cleanupTurns.keep(1, LEASE_MS), false)
      assert.equal(await bench.store.cleanupTurns.end(1, REPORT), false)
      assert.equal(await bench.store.cleanupTurns.latest(), null)
    })

    test('one is had by one at a time, whatever store asks, and whoever comes too late is told whose it is', async (t) => {
      const { bench, other } = await openTwo(t)
      const now = await bench.store.now()
      const asked = turn(2 ** 52 - 1, { isWhole: true, apartMs: 0 })
      const begun = { key: asked.key, isWhole: true, begunAt: now, keptUntil: now + LEASE_MS, report: null }
      assert.deepEqual(await bench.store.cleanupTurns.begin(asked), begun)
      assert.deepEqual(await other.cleanupTurns.begin(turn(2, { apartMs: 0 })), begun)
      assert.deepEqual(await other.cleanupTurns.latest(), begun)
      assert.deepEqual(await bench.store.cleanupTurns.begin(asked), begun, 'it asks again, as after a lost answer')
    })

    test('of many who ask at once one has it', async (t) => {
      const { bench, other } = await openTwo(t)
      const keys = [1, 2, 3, 4, 5, 6]
      const answers = await Promise.all(
        keys.map((key) => (key % 2 === 0 ? other : bench.store).cleanupTurns.begin(turn(key))),
      )
      assert.equal(new Set(answers.map(({ key }) => key)).size, 1)
    })

    test('one that has ended leaves its report, and the next must be far enough from its beginning', async (t) => {
      const { bench, other } = await openTwo(t)
      await bench.store.cleanupTurns.begin(turn(1))
      bench.advance(1_000)
      assert.equal(await bench.store.cleanupTurns.end(1, REPORT), true)
      const { keptUntil, report } = (await other.cleanupTurns.latest()) ?? {}
      assert.deepEqual([keptUntil, report], [null, REPORT])
      bench.advance(2 * MINUTE - 1_001)
      assert.equal((await other.cleanupTurns.begin(turn(2))).key, 1)
      bench.advance(1)
      assert.equal((await other.cleanupTurns.begin(turn(2))).key, 2)
      assert.equal((await other.cleanupTurns.latest())?.report, null)
    })

    test('one that is forced comes at once after another', async (t) => {
      const { bench, other } = await openTwo(t)
      await bench.store.cleanupTurns.begin(turn(1))
      await bench.store.cleanupTurns.end(1, null)
      assert.equal((await other.cleanupTurns.begin(turn(2, { apartMs: 0 }))).key, 2)
    })

    test('one that gives signs of life lasts, and without them another may begin', async (t) => {
      const { bench, other } = await openTwo(t)
      const forced = { apartMs: 0 }
      await bench.store.cleanupTurns.begin(turn(1))
      for (let beats = 0; beats < 12; beats += 1) {
        bench.advance(LEASE_MS - 1)
        assert.equal(await bench.store.cleanupTurns.keep(1, LEASE_MS), true)
      }
      bench.advance(LEASE_MS - 1)
      assert.equal((await other.cleanupTurns.begin(turn(2, forced))).key, 1)
      assert.equal((await other.cleanupTurns.begin(turn(2))).key, 1, 'though it began more than two minutes ago')
      bench.advance(1)
      assert.equal((await other.cleanupTurns.begin(turn(2, forced))).key, 2)
      assert.equal(await bench.store.cleanupTurns.keep(1, LEASE_MS), false)
      assert.equal(await bench.store.cleanupTurns.end(1, REPORT), false)
      const latest = await other.cleanupTurns.latest()
      assert.deepEqual([latest?.key, latest?.report], [2, null])
    })

    test('one ends once', async (t) => {
      const { bench } = await openTwo(t)
      await bench.store.cleanupTurns.begin(turn(1))
      assert.equal(await bench.store.cleanupTurns.end(1, null), true)
      assert.equal(await bench.store.cleanupTurns.end(1, REPORT), false)
      assert.equal(await bench.store.cleanupTurns.keep(1, LEASE_MS), false)
      assert.equal((await bench.store.cleanupTurns.latest())?.report, null)
    })
  })
}
