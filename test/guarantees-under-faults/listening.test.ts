/** A store whose connection for listening breaks, also while it begins to listen, listens again by itself, on one connection. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'

import { handle } from '../../src/index.ts'
import { greet } from '../guarantees/programs/crowd-jobs.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { Announcements, take, within } from '../support/wait-for-event.ts'

/** Longer than a store that listens twice would wait before the second time. */
const ANOTHER_TRY_MS = 400

test('a connection that breaks while it begins to listen is replaced by one, and only one', async (context) => {
  const name = `millrace_${randomUUID()}`
  const proxy = await openTcpProxy(await postgresUrl())
  context.after(() => proxy.close())
  const route = (server: string): string => `${proxy.through(server)}?application_name=${name}`
  const opened = await openTestMill(context, {}, () => postgresDatabase({ route }))
  const { rows } = await opened.connect()
  const listening = `SELECT count(*)::integer AS connections FROM pg_stat_activity WHERE application_name = '${name}' AND query ~ 'LISTEN|pg_notify'`

  for (const fate of ['lose-request', 'lose-answer', 'race'] as const) {
    let tries = 0
    const again = Promise.withResolvers<void>()
    proxy.decide(({ statements }) => {
      if (statements[0]?.startsWith('LISTEN') !== true) return 'pass'
      tries += 1
      if (tries === 2) again.resolve()
      return tries === 1 ? fate : 'pass'
    })
    proxy.cut()
    await within('listening again', again.promise)
    await take(ANOTHER_TRY_MS)
    assert.deepEqual(await rows(listening), [{ connections: 1 }], fate)
  }
})

const ROUNDS = 15

test('a store that committed while it could tell nobody tells of that, and of all that follows, once it can', async (context) => {
  const proxy = await openTcpProxy(await postgresUrl())
  const opened = await openTestMill(context, {}, () => postgresDatabase())
  context.after(() => proxy.close())
  const begun = new Announcements()
  const worker = await opened.work([handle(greet, ({ jobId }) => begun.tell(jobId))])
  await opened.mill.run(greet)
  const teller = await opened.open({}, proxy.through(opened.database.url))
  proxy.cut()
  const waits: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const calledAt = performance.now()
    const { job } = await teller.enqueue(greet)
    await begun.hear(job.id)
    waits.push(performance.now() - calledAt)
    await opened.mill.waitFor(job)
    // So that nothing but the notice makes it look again.
    await worker.idle()
  }
  const sorted = waits.toSorted((one, other) => one - other)
  context.diagnostic(
    `the first begun after ${waits[0]?.toFixed(0)} ms, half of them after ${sorted[Math.floor(ROUNDS / 2)]?.toFixed(0)} ms`,
  )
  // Whoever is told of nothing looks every second.
  assert.ok((sorted[Math.floor(ROUNDS / 2)] ?? Number.NaN) < 250, waits.join(', '))
})
