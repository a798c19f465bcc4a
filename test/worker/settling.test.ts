/** A worker whose store is slower than its handlers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPERATOR } from '../../src/core/scope.ts'
import { handle } from '../../src/worker/handler.ts'
import { nextTurn } from '../support/wait-for-event.ts'
import { openWorkplace } from './open-workplace.ts'
import { enqueueInputs, quick, runningInStore } from './quick-worker.ts'

const JOBS = 6_000
const CONCURRENCY = 100
/** Results that may be on their way, and the most that a worker has in hand beside them. */
const MOST_HELD = 4_000 + 1_000

test('a worker takes no more jobs while thousands of results wait for the store, and goes on when they are in it', async (context) => {
  const place = await openWorkplace(context)
  const gate = Promise.withResolvers<undefined>()
  place.faults.apply = () => gate.promise
  await enqueueInputs(
    place,
    Array.from({ length: JOBS }, (_, index) => index),
  )
  let ran = 0
  const worker = await place.start([handle(quick, () => void (ran += 1))], { concurrency: CONCURRENCY })
  for (let before = -1; ran > before;) {
    before = ran
    for (let turns = 0; turns < 50; turns += 1) await nextTurn()
  }
  assert.ok(ran >= 4_000 && ran <= MOST_HELD, `${ran} ran`)
  assert.ok((await runningInStore(place)) <= MOST_HELD)
  gate.resolve(undefined)
  await worker.idle()
  assert.equal((await place.store.jobs.counts({ scope: OPERATOR })).completed, JOBS)
})
