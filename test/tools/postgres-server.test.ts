/** The server that tests are handed: PostgreSQL as it is, and gone with whoever started it. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import pg from 'pg'

import { postgresUrl, startPostgres } from '../support/postgres-server.ts'
import { within } from '../support/wait-for-event.ts'

const PROGRAM = join(import.meta.dirname, 'programs/server-owner.ts')

interface Watch {
  readonly folder: string
  /** Resolves when the server has gone. */
  readonly gone: Promise<void>
}

async function watch(url: string): Promise<Watch> {
  const client = new pg.Client({ connectionString: url })
  // That the server goes is an error of the connection.
  client.on('error', () => undefined)
  const gone = new Promise<void>((resolve) => {
    client.once('end', resolve)
  })
  await client.connect()
  const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory')
  return { folder: rows[0]?.data_directory ?? '', gone }
}

/** None of the surroundings' servers. */
function withoutServer(context: TestContext): void {
  for (const name of ['DATABASE_URL', 'MILLRACE_TEST_POSTGRES']) {
    const before = process.env[name]
    delete process.env[name]
    context.after(() => {
      if (before !== undefined) process.env[name] = before
    })
  }
}

describe('the PostgreSQL server of the tests', () => {
  test('has the settings that PostgreSQL comes with, and is gone with its folder once it is stopped', async (context) => {
    withoutServer(context)
    const server = await startPostgres()
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    const { rows } = await client.query<{ name: string; setting: string }>(
      `SELECT name, setting FROM pg_settings
       WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'listen_addresses', 'max_connections')`,
    )
    await client.end()
    assert.deepEqual(Object.fromEntries(rows.map(({ name, setting }) => [name, setting])), {
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      listen_addresses: '127.0.0.1',
      max_connections: '300',
    })
    const { folder, gone } = await watch(server.url)
    assert.ok(existsSync(folder))
    await server.stop()
    await within('the end of the server', gone)
    assert.ok(!existsSync(folder))
    await server.stop()
  })

  test('is started once for a process, and goes with it, however that ends', async (context) => {
    withoutServer(context)
    for (const ending of ['by itself', 'SIGKILL'] as const) {
      const owner = fork(PROGRAM, { stdio: 'inherit' })
      const [urls] = (await once(owner, 'message')) as [readonly string[]]
      assert.equal(new Set(urls).size, 1)
      const { gone } = await watch(urls[0] ?? '')
      if (ending === 'by itself') owner.disconnect()
      else owner.kill(ending)
      await within(`the end of the server of a process that ended ${ending}`, gone)
    }
  })

  test('is the one that the run has handed over, or that DATABASE_URL names', async (context) => {
    withoutServer(context)
    process.env['DATABASE_URL'] = 'postgres://named@nowhere/jobs'
    const server = await startPostgres()
    assert.equal(server.url, 'postgres://named@nowhere/jobs')
    await server.stop()
    process.env['MILLRACE_TEST_POSTGRES'] = 'postgres://handed@nowhere/jobs'
    assert.equal(await postgresUrl(), 'postgres://handed@nowhere/jobs')
    delete process.env['DATABASE_URL']
    delete process.env['MILLRACE_TEST_POSTGRES']
  })
})
