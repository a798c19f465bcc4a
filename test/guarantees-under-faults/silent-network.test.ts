/**
 * The way between some processes and the server goes silent: nothing arrives in either direction, and nobody is told. What the server has of
 * them, open transactions too, stays as it is.
 */
import { test } from 'node:test'

import { seededWords } from '../../src/runtime/seeded-random.ts'
import { startMillRun } from '../support/mill-run.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { take } from '../support/wait-for-event.ts'

const SILENT_MS = 3_000
const SPOKEN_MS = 1_000
const SILENCES = scaled(1)

test('a silent way to the server costs those behind it their jobs, which others do, and they go on when it speaks again', async (context) => {
  const random = seededWords(seedOf(context))
  const proxy = await openTcpProxy(await postgresUrl())
  const opened = await openTestMill(context, { maintenance: false }, () =>
    postgresDatabase({ options: { statementTimeout: '1s' } }),
  )
  context.after(() => proxy.close())
  const url = proxy.through(opened.database.url)
  const run = await startMillRun({ opened, random, context })
  await run.startWorker({ url })
  await run.startWorker()
  run.produce(opened.mill)
  run.produce(await opened.open({}, url))
  for (let silences = 0; silences < SILENCES; silences += 1) {
    await take(SPOKEN_MS)
    proxy.goSilent()
    await take(SILENT_MS)
    proxy.letPass()
  }
  await take(SPOKEN_MS)
  await run.settle()
})
