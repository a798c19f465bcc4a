/** A store whose connection for listening breaks, also while it begins to listen, listens again by itself, on one connection. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'

import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { take, within } from '../support/wait-for-event.ts'

/** Longer than a store that listens twice would wait before the second time. */
const ANOTHER_TRY_MS = 400

test('a connection that breaks while it begins to listen is replaced by one, and only one', async (context) => {
  const name = `millrace_${randomUUID()}`
  const proxy = await openTcpProxy(await postgresUrl())
  context.after(() => proxy.close())
  const route = (server: string): string => `${proxy.through(server)}?application_name=${name}`
  const opened = await openTestMill(context, {}, (folder) => postgresDatabase(folder, { route }))
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
