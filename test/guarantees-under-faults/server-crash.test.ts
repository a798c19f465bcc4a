/**
 * The server crashes between a COMMIT and its answer, before anything of the transaction has reached the disk. Numbers of transactions that
 * are nowhere on the disk are given out again after a crash: whoever only asked what became of the number would be told of somebody else's.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { CANCEL } from '../../src/core/plans.ts'
import { openProxiedBench } from '../support/proxied-bench.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { isCommit } from '../support/statements.ts'
import { within } from '../support/wait-for-event.ts'

test('a job whose COMMIT a crash has swallowed is there once, whoever was given its number', async (context) => {
  const server = await startPostgres()
  if (server.restart === null) return context.skip('the server is not ours to crash')
  const { proxied, straight, proxy } = await openProxiedBench(context, { server: server.url })
  context.after(() => server.stop())
  for (const others of [0, 5]) {
    const held = Promise.withResolvers<void>()
    proxy.decide((exchange) => {
      if (!isCommit(exchange)) return 'pass'
      held.resolve()
      return 'hold'
    })
    const job = proxied.job({ key: proxied.runtime.uuid() })
    const enqueued = proxied.store.jobs.enqueue([job])
    await within('the COMMIT of the enqueue', held.promise)
    proxy.refuse()
    await server.restart()
    // These take the numbers that the crash has made free.
    for (let n = 0; n < others; n += 1) await straight.must(CANCEL, await straight.add(), { actor: 'ann' })
    proxy.letPass()
    assert.deepEqual(await enqueued, [{ outcome: 'created', id: job.id, state: 'queued' }])
    assert.deepEqual(await straight.eventNames(job.id), ['job:queued'])
  }
})
