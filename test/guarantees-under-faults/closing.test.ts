/** A Millrace whose server does not answer is closed in time all the same, and its process ends by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import pg from 'pg'

import { openMillrace } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import { within } from '../support/wait-for-event.ts'
import { MULES, muleHandler } from '../guarantees/programs/stubborn-jobs.ts'

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined }

interface Behind extends TestMill {
  readonly proxy: TcpProxy
  /** The database by way of the proxy. */
  readonly url: string
}

async function openBehindProxy(context: TestContext): Promise<Behind> {
  const proxy = await openTcpProxy(await postgresUrl())
  const opened = await openTestMill(context, {}, () => postgresDatabase({ options: { statementTimeout: '1s' } }))
  context.after(() => proxy.close())
  return { ...opened, proxy, url: proxy.through(opened.database.url) }
}

interface Closed {
  readonly code: string
  readonly details: { readonly timeoutMs: number; readonly unfinished: readonly string[] }
}

test('a process whose server has fallen silent closes in time, says so, and ends by itself', async (context) => {
  const { mill, start, proxy, url } = await openBehindProxy(context)
  const closer = start('closer', { url })
  await closer.hear('ready')
  const { job } = await mill.enqueue(MULES.inline, null)
  await mill.waitFor(job, { state: 'running' })
  proxy.goSilent()
  closer.tell('close', { timeout: '1s' })
  const { code, details } = await closer.hear<Closed>('closed')
  assert.equal(code, 'close-timeout')
  assert.deepEqual([details.unfinished.at(0), details.unfinished.at(-1)], ['workers', 'store'])
  assert.deepEqual(await closer.ended(), { code: 0, signal: null }, closer.output)
})

test('a process that had nothing under way when its server fell silent leaves no connection behind either', async (context) => {
  const { start, proxy, url } = await openBehindProxy(context)
  const closer = start('closer', { url })
  await closer.hear('ready')
  proxy.goSilent()
  closer.tell('close', { timeout: '1s' })
  assert.equal((await closer.hear<Closed>('closed')).code, 'close-timeout')
  assert.deepEqual(await closer.ended(), { code: 0, signal: null }, closer.output)
})

test('a worker that is being started is given up when the server does not answer', async (context) => {
  const { open, proxy, url } = await openBehindProxy(context)
  const mill = await open({}, url)
  proxy.goSilent()
  const refused = assert.rejects(mill.work([muleHandler]))
  await assert.rejects(within('the closing', mill.close({ timeout: '1s' }), 5_000), {
    code: 'close-timeout',
    details: { timeoutMs: 1_000, unfinished: ['workers being started', 'store'] },
  })
  await within('the end of the start', refused, 5_000)
})

test('a pool of the application’s that does not answer holds up no closing', async (context) => {
  const { database, proxy, url } = await openBehindProxy(context)
  const pool = new pg.Pool({ connectionString: url })
  pool.on('error', () => undefined)
  const mill = await openMillrace({ pool }, { ...database.options, logger: SILENT })
  proxy.goSilent()
  const refused = assert.rejects(mill.counts())
  await assert.rejects(within('the closing', mill.close({ timeout: '1s' }), 5_000), { code: 'close-timeout' })
  await within('the refusal', refused, 5_000)
})
