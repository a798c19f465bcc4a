/** A handler that blocks the event loop of its process is not taken for dead: the beats come from the store's own thread. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defineJob, handle } from '../../src/index.ts'
import { eventNames } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'

const compute = defineJob('sums.compute', { service: 'mathematics' })
const LEASE_MS = 600

test('a handler that blocks its main thread for three lease times keeps its job', async (context) => {
  const { mill, start, work, sweepEvery } = await openTestMill(context, { maintenance: false })
  const blocking = start('blocking-worker', {
    blockMs: 3 * LEASE_MS,
    options: { lease: LEASE_MS, concurrency: 2 },
  })
  await blocking.hear('ready')
  const { job } = await mill.enqueue(compute, 'block')
  const beside = await mill.enqueue(compute, 'beside')
  await blocking.hear('started', { nth: 2 })
  // Somebody who would take it at once, and somebody who looks for the dead all the time.
  const vulture = await work([handle(compute, () => 'taken over')])
  sweepEvery(20)
  const completed = await mill.waitFor(job)
  const tookMs = (completed.finishedAt ?? 0) - (completed.startedAt ?? 0)
  assert.ok(tookMs >= 3 * LEASE_MS, `it was blocked for three leases, not ${tookMs} ms`)
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
  const sessions = await mill.workers()
  assert.equal(sessions.find(({ pid }) => pid === blocking.pid)?.state, 'live')
  assert.equal(sessions.filter(({ pid }) => pid === blocking.pid).length, 1, 'it has kept its one session')
  await vulture.stop()
})
