/** A pooler stands between: a client has another connection of the server's for each transaction, which others have had before. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { seededWords } from '../../src/runtime/seeded-random.ts'
import { startMillRun } from '../support/mill-run.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { openTransactionPooler } from '../support/transaction-pooler.ts'
import { take, within } from '../support/wait-for-event.ts'

const WORK_MS = scaled(1_500)
/** Of the server's: fewer than there are connections of clients. */
const CONNECTIONS = 4

/** Two workers, two producers and a subscriber, all of them by way of the pooler. */
async function workThrough(context: TestContext, route: (server: string) => string): Promise<void> {
  const opened = await openTestMill(context, { maintenance: false }, () =>
    postgresDatabase({ route, options: { pooler: true } }),
  )
  const run = await startMillRun({ opened, random: seededWords(seedOf(context)), context })
  await run.startWorker()
  await run.startWorker()
  run.produce(opened.mill)
  run.produce(await opened.open())
  await take(WORK_MS)
  await run.settle()
}

test('workers, producers and subscribers work through a pooler that lends connections by transaction', async (context) => {
  const server = await postgresUrl()
  const pooler = await openTransactionPooler(server, CONNECTIONS)
  context.after(() => pooler.close())
  await workThrough(context, (url) => pooler.through(url))
  assert.deepEqual(pooler.prepared, [], 'nothing is kept on a connection')
  assert.ok(pooler.lent > 100, `connections were lent ${pooler.lent} times`)
})

const PGBOUNCER = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'pgbouncer'))
  .find((path) => existsSync(path))

test(
  'and through PgBouncer',
  { skip: PGBOUNCER === undefined && 'pgbouncer is not installed here' },
  async (context) => {
    const server = new URL(await postgresUrl())
    const port = await freePort()
    const folder = mkdtempSync(join(tmpdir(), 'millrace-pgbouncer-'))
    const { username, password, hostname } = server
    const target = `host=${hostname} port=${server.port} user=${username} password=${decodeURIComponent(password)}`
    const settings = [
      `[databases]\n* = ${target}`,
      `[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\nauth_type = any`,
      `pool_mode = transaction\ndefault_pool_size = ${CONNECTIONS}\nmax_client_conn = 100`,
    ]
    writeFileSync(join(folder, 'pgbouncer.ini'), `${settings.join('\n')}\n`)
    chmodSync(folder, 0o755)
    // It refuses to run as root.
    const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
    const pgbouncer = spawn(PGBOUNCER ?? '', [...asNobody, join(folder, 'pgbouncer.ini')], { stdio: 'pipe' })
    const ended = new Promise((resolve) => pgbouncer.once('close', resolve))
    context.after(async () => {
      pgbouncer.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true })
    })
    await within('the start of PgBouncer', hearsItself(pgbouncer.stderr))
    const through = (url: string): string => {
      const pooled = new URL(url)
      pooled.hostname = '127.0.0.1'
      pooled.port = `${port}`
      return pooled.href
    }
    await workThrough(context, through)
  },
)

/** Resolves once it says that it is up. */
async function hearsItself(log: NodeJS.ReadableStream): Promise<void> {
  let said = ''
  for await (const chunk of log) {
    said += String(chunk)
    if (said.includes('process up')) return void log.resume()
  }
  throw new Error(`PgBouncer has ended: ${said}`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => {
    server.close(resolve)
  })
  return port
}
