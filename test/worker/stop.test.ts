import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cancelStop, leaseLostStop, outranks, shutdownStop, timeOutStop } from '../../src/worker/stop.ts'

const cancel = cancelStop({ jobId: 'j', cancelledBy: 'ann' })
const lost = leaseLostStop('j', 'progress')
const late = timeOutStop('j', 60_000)
const shutdown = shutdownStop('j')

describe('the reasons to stop', () => {
  for (const [next, present, expected] of [
    [shutdown, null, true],
    [shutdown, shutdown, false],
    [shutdown, late, false],
    [late, shutdown, false],
    [shutdown, cancel, false],
    [late, cancel, false],
    [cancel, shutdown, true],
    [cancel, late, true],
    [cancel, cancel, false],
    [lost, cancel, true],
    [lost, lost, false],
    [cancel, lost, false],
  ] as const) {
    test(`${next.cause} ${expected ? 'outranks' : 'does not outrank'} ${present?.cause ?? 'none'}`, () => {
      assert.equal(outranks(next, present), expected)
    })
  }

  test('each say what to do', () => {
    assert.match(cancel.error.message, /cancelled by ann/)
    assert.match(lost.error.message, /stop working on it/)
    assert.match(late.error.message, /longer than 1m.*longer timeout/)
    assert.match(shutdown.error.message, /goes back into the queue/)
  })
})
