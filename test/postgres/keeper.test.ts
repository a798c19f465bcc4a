import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ThreadKeeper } from '../../src/postgres/keeper.ts'
import { openPostgresStore } from '../../src/postgres/open.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import type { NewSession } from '../../src/store/sessions.ts'
import { newSchemaName } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'

const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }

test('a keeper whose thread has died says so, keeps nothing, and is asked nothing', async () => {
  const lost: number[] = []
  const heard = Promise.withResolvers<undefined>()
  const keeper = new ThreadKeeper(
    new URL('data:text/javascript,process.exit(1)'),
    { url: '', schema: '', prepared: false, answerWithinMs: 60_000, pulse: new SharedArrayBuffer(8) },
    {
      onLost: (holder) => {
        lost.push(holder)
        heard.resolve(undefined)
      },
      onBroken: () => {},
    },
  )
  keeper.keep({ holder: 1, leaseMs: 1_000 })
  assert.equal(keeper.gone, false)
  await heard.promise
  keeper.keep({ holder: 2, leaseMs: 1_000 })
  assert.deepEqual([keeper.gone, lost, keeper.interruptionsNow([])], [true, [1, 2], null])
  await keeper.close()
})

test('a store whose keeper has died opens no session, and leaves no row of it', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-keeper-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const threadFile = join(folder, 'dies.mjs')
  writeFileSync(
    threadFile,
    "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(1))\n",
  )
  const url = await postgresUrl()
  const store = await openPostgresStore({
    url,
    schema: newSchemaName(),
    runtime: systemRuntime(),
    logger,
    artifactFolder: folder,
    threadFile,
  })
  context.after(() => store.close())
  const session: NewSession = {
    holder: 1,
    service: 'tests',
    host: 'here',
    pid: 1,
    leaseMs: 10_000,
    concurrency: 1,
    types: [],
    epoch: 0,
    version: null,
  }
  const lost = Promise.withResolvers<void>()
  await store.sessions.open(session, () => lost.resolve())
  await lost.promise
  await assert.rejects(
    store.sessions.open({ ...session, holder: 2 }, () => {}),
    { code: 'internal', message: /restart the process/ },
  )
  assert.equal((await store.sessions.list()).length, 1)
})

test(
  'a session beats for the first time as soon as the thread can, not after a third of its lease',
  { timeout: 20_000 },
  async (context) => {
    const store = await openPostgresStore({
      url: await postgresUrl(),
      schema: newSchemaName(),
      runtime: systemRuntime(),
      logger,
    })
    context.after(() => store.close())
    const session = { holder: 1, service: 'tests', host: 'here', pid: 1, leaseMs: 1_800_000, concurrency: 1 }
    await store.sessions.open(session, () => undefined)
    const hasBeaten = async (): Promise<boolean> =>
      (await store.sessions.list()).some(({ startedAt, beatAt }) => beatAt > startedAt)
    while (!(await hasBeaten()));
  },
)
