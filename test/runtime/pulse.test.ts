import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pulse, pulseReader } from '../../src/runtime/pulse.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { within } from '../support/wait-for-event.ts'

const BEAT_MS = 20
/** More than the second that every loop may stand still. */
const BLOCK_MS = 1_100

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

test('a thread sees that the loop stands still, and for how long, and the loop says so when it goes on', async (context) => {
  const returned = Promise.withResolvers<number>()
  const pulse = new Pulse({ runtime: systemRuntime(), onReturn: returned.resolve })
  context.after(() => pulse.close())
  const blockedMs = pulseReader(pulse.memory)
  assert.equal(blockedMs(BEAT_MS), null, 'nobody wants to know')
  pulse.want(1, BEAT_MS)
  assert.equal(blockedMs(BEAT_MS), null)
  block(BLOCK_MS)
  const seen = blockedMs(BEAT_MS) ?? 0
  assert.ok(seen >= BLOCK_MS - 1, `${seen} ms`)
  assert.equal(blockedMs(10 * BLOCK_MS), null, 'who beats rarely is more patient')
  const told = await within('the return of the loop', returned.promise)
  assert.ok(told >= seen, `${told} ms`)
  assert.equal(blockedMs(BEAT_MS), null, 'it turns again')
})

test('nothing is seen once nobody wants it any more', () => {
  const pulse = new Pulse({ runtime: systemRuntime(), onReturn: () => assert.fail('the loop stood still') })
  const blockedMs = pulseReader(pulse.memory)
  pulse.want(1, BEAT_MS)
  pulse.want(2, BEAT_MS)
  pulse.unwant(1)
  pulse.unwant(2)
  block(BLOCK_MS)
  assert.equal(blockedMs(BEAT_MS), null)
  assert.equal(pulseReader(null)(BEAT_MS), null)
})
