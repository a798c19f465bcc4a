/** A sweep goes by the sessions that have ended; what they left behind later, or what somebody has done by hand, is found all the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { openPlace } from './open-place.ts'

/** As a claim leaves it. */
const TAKE = (id: string, holder: number): string =>
  `UPDATE millrace.jobs SET state = 3, bundled = false, holder = ${holder}, fence = 1, attempt = 1, event_seq = 1, started_at = run_at, ` +
  `phase_started_at = run_at, session = (SELECT n FROM millrace.sessions WHERE holder = ${holder}) WHERE id = '${id}'`

test('a claim that is committed after its session has ended, and after a sweep, is taken back by the next', async (context) => {
  const { bench, sql } = await openPlace(context)
  const id = await bench.add()
  const holder = await bench.session()
  await bench.store.sessions.end(holder)
  assert.equal((await bench.sweep()).jobsReaped, 0)
  await sql(TAKE(id, holder))
  assert.equal((await bench.sweep()).jobsReaped, 1)
  assert.equal((await bench.details(id)).state, 'queued')
})

test('a job whose holder nobody knows is taken back by the first sweep of a process', async (context) => {
  const { bench, sql } = await openPlace(context)
  const id = await bench.add()
  await sql(TAKE(id, 7))
  assert.equal((await bench.sweep()).jobsReaped, 1)
  assert.equal((await bench.details(id)).state, 'queued')
})

test('a job that a transaction of somebody else keeps locked for long is taken back once that has ended', async (context) => {
  const { bench, sql } = await openPlace(context)
  const { claim } = await bench.running()
  await bench.store.sessions.end(claim.holder)
  await sql('BEGIN')
  await sql('SELECT 1 FROM millrace.jobs WHERE id = $1 FOR UPDATE', claim.jobId)
  for (let hours = 0; hours < 2; hours += 1) {
    assert.equal((await bench.sweep()).jobsReaped, 0)
    bench.advance(3_600_000)
  }
  await sql('COMMIT')
  assert.equal((await bench.sweep()).jobsReaped, 1)
  assert.equal((await bench.details(claim.jobId)).state, 'queued')
})
