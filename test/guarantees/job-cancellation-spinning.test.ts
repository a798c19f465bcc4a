/** A handler that never lets its event loop turn still learns of a cancel where it asks for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defineJob } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'

const compute = defineJob('sums.compute', { service: 'mathematics', cancelGrace: '10m' })

test('a handler that computes without a pause stops where it checks for cancellation, and its worker goes on', async (context) => {
  const { mill, start } = await openTestMill(context, { maintenance: false })
  const spinning = start('spinning-worker', {})
  await spinning.hear('ready')
  for (let round = 1; round <= 5; round += 1) {
    const { job } = await mill.enqueue(compute, 'spin')
    await spinning.hear('started', { nth: round })
    const cancelled = await mill.cancel(job, { actor: 'ann', reason: 'too long' })
    assert.equal(cancelled.state, 'running')
    // Long before its grace: by its own doing.
    const { state, cancelledBy, cancelReason } = await mill.waitFor(job, { timeout: '20s' })
    assert.deepEqual(
      { state, cancelledBy, cancelReason },
      { state: 'cancelled', cancelledBy: 'ann', cancelReason: 'too long' },
    )
    assert.equal(await mill.run(compute, 'next'), spinning.pid)
  }
})
