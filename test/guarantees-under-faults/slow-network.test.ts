/** Everything that goes to the server, and everything that comes from it, takes its time. */
import { test } from 'node:test'

import { seededWords } from '../../src/runtime/seeded-random.ts'
import { startMillRun, STEADY, STEADY_WORK_MS } from '../support/mill-run.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { take } from '../support/wait-for-event.ts'

/** There, and as much back: from one continent to another. */
const DELAY_MS = 40
const WORK_MS = scaled(STEADY_WORK_MS)

test('a slow way to the server makes work slower, and takes no job from anybody', async (context) => {
  const random = seededWords(seedOf(context))
  const proxy = await openTcpProxy(await postgresUrl())
  const opened = await openTestMill(context, { maintenance: false }, () => postgresDatabase())
  context.after(() => proxy.close())
  const url = proxy.through(opened.database.url)
  const run = await startMillRun({ opened, random, context })
  proxy.delay(DELAY_MS)
  await run.startWorker({ url, options: STEADY })
  await run.startWorker({ options: STEADY })
  run.produce(opened.mill)
  run.produce(await opened.open({}, url))
  await take(WORK_MS)
  await run.settle({ mayLose: false })
})
