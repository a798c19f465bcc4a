/**
 * Connections break all the time, most often around a COMMIT. The moments come from a seed, which is printed; MILLRACE_SEED=<seed> chooses them
 * again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { seededWords } from '../../src/runtime/seeded-random.ts'
import { startMillRun } from '../support/mill-run.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import type { Fate } from '../support/proxied-connection.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { isCommit } from '../support/statements.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { take } from '../support/wait-for-event.ts'

const FOR_MS = scaled(6_000)
/** One exchange of so many breaks. */
const COMMITS = 10
const OTHERS = 100
const FAULTS: readonly Fate[] = ['lose-answer', 'lose-request', 'race']

test('everything is done once over connections that break around one COMMIT in ten', async (context) => {
  const random = seededWords(seedOf(context))
  const proxy = await openTcpProxy(await postgresUrl())
  const opened = await openTestMill(context, { maintenance: false }, () =>
    postgresDatabase({ route: (server) => proxy.through(server) }),
  )
  context.after(() => proxy.close())
  const run = await startMillRun({ opened, random, context })
  await run.startWorker()
  await run.startWorker()
  run.produce(opened.mill)
  run.produce(await opened.open())
  let faults = 0
  proxy.decide((exchange) => {
    if (random() % (isCommit(exchange) ? COMMITS : OTHERS) !== 0) return 'pass'
    faults += 1
    return FAULTS[random() % FAULTS.length] ?? 'pass'
  })
  await take(FOR_MS)
  proxy.letPass()
  context.diagnostic(`${faults} connections broken`)
  await run.settle()
  assert.ok(faults > 0)
})
