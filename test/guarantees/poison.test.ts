/** A job that kills its worker each time is found and failed, and those that were in flight beside it are not blamed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { openTestMill } from '../support/open-test-mill.ts'
import { parcel } from './programs/parcel-jobs.ts'

const INNOCENTS = 20
/** The first makes suspects of all that were in flight; each of the others is a strike. */
const DEATHS = 1 + parcel.policy.maxStrikes

test('of twenty jobs and one that kills its worker the one has failed as poison, and the twenty are done', async (context) => {
  const { mill, start } = await openTestMill(context, { maintenance: false })
  const items = Array.from({ length: INNOCENTS + 1 }, (_none, n) => ({
    definition: parcel,
    input: n === 4 ? 'bomb' : 'plain',
  }))
  const added = await mill.enqueueMany(items)
  const ids = added.map(({ job }) => job.id)
  const [bombId = ''] = ids.splice(4, 1)
  for (let deaths = 0; deaths < DEATHS; deaths += 1) {
    assert.equal((await start('bomb-carrier').ended()).signal, 'SIGKILL')
    if (deaths > 0) continue
    // Whoever died last has left ten jobs, whose holder is known to be dead at the next sweep.
    const { jobsReaped } = await mill.maintenance.runOnce()
    assert.equal(jobsReaped, 10)
  }
  start('bomb-carrier')
  const bomb = await mill.waitFor(bombId)
  assert.deepEqual(
    { state: bomb.state, code: bomb.error?.code, failures: bomb.failures, strikes: bomb.strikes },
    { state: 'failed', code: 'poison', failures: 0, strikes: parcel.policy.maxStrikes },
  )
  assert.deepEqual(
    bomb.attempts.map(({ outcome }) => outcome),
    Array.from({ length: DEATHS }, () => 'lost'),
  )
  assert.equal(bomb.lostAttempts, DEATHS)
  let beside = 0
  for (const id of ids) {
    const { state, failures, strikes, lostAttempts } = await mill.waitFor(id)
    assert.deepEqual({ state, failures, strikes }, { state: 'completed', failures: 0, strikes: 0 })
    beside += lostAttempts
  }
  assert.ok(beside >= 9, `${beside} attempts of others were cut off with it`)
})
