/** A handler that blocks the event loop of its process is not taken for dead: the beats come from the store's own thread. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defineJob, handle } from '../../src/index.ts'
import { eventNames } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { waitForWorker } from '../support/wait-for-worker.ts'

const compute = defineJob('sums.compute', { service: 'mathematics' })
const LEASE_MS = 2_500
const BLOCK_MS = 3 * LEASE_MS

test('a handler that blocks its main thread for three lease times keeps its job, and its worker is told to be blocked', async (context) => {
  const { mill, start, work, sweepEvery } = await openTestMill(context, { maintenance: false })
  const blocking = start('blocking-worker', {
    blockMs: BLOCK_MS,
    options: { lease: LEASE_MS, concurrency: 2 },
  })
  await blocking.hear('ready')
  const { job } = await mill.enqueue(compute, 'block')
  const beside = await mill.enqueue(compute, 'beside')
  await blocking.hear('started', { nth: 2 })
  // Somebody who would take it at once, and somebody who looks for the dead all the time.
  const vulture = await work([handle(compute, () => 'taken over')])
  sweepEvery(100)
  blocking.tell('block')
  const blocked = await waitForWorker(mill, blocking, 'blocked')
  const seenAfterMs = blocked.beatAt - (blocked.blockedSince ?? 0)
  assert.ok(seenAfterMs >= 1_000 && seenAfterMs < BLOCK_MS, `it was seen after ${seenAfterMs} ms`)
  assert.equal((await mill.explain(job)).reasons[0]?.code, 'holder-blocked')
  const completed = await mill.waitFor(job)
  const tookMs = (completed.finishedAt ?? 0) - (completed.startedAt ?? 0)
  assert.ok(tookMs >= BLOCK_MS, `it was blocked for three leases, not ${tookMs} ms`)
  for (const { id } of [job, beside.job]) {
    const { output, attempt, fence, suspect, attempts } = await mill.waitFor(id)
    assert.equal(output, blocking.pid, 'nobody else has had it')
    assert.deepEqual({ attempt, fence, suspect }, { attempt: 1, fence: 1, suspect: false })
    assert.deepEqual(
      attempts.map(({ outcome }) => outcome),
      ['completed'],
    )
    assert.deepEqual(await eventNames(mill, { id }), ['job:queued', 'job:started', 'job:completed'])
  }
  await blocking.printed('The event loop of this process stood still for ')
  assert.equal((await waitForWorker(mill, blocking, 'live')).blockedSince, null, 'the next beat tells that it goes on')
  const sessions = await mill.workers()
  assert.equal(sessions.filter(({ pid }) => pid === blocking.pid).length, 1, 'it has kept its one session')
  await vulture.stop({ timeout: '20s' })
})
