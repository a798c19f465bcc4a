/** Telling other processes of commits: how often, and that nothing is left untold. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import pg from 'pg'

import { Notices } from '../../src/postgres/notices.ts'
import { openLoneClient } from '../../src/postgres/driver.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { newSchemaName, postgresDatabase } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { nextTurn, take, within } from '../support/wait-for-event.ts'

interface Telling {
  readonly notices: Notices
  readonly runtime: VirtualRuntime
  /** Resolves once so many notices have been heard by another process, and lets time pass meanwhile. */
  readonly heard: (count: number) => Promise<void>
  readonly count: () => number
}

async function openTelling(context: TestContext): Promise<Telling> {
  const url = await postgresUrl()
  const schema = newSchemaName()
  const runtime = virtualRuntime()
  const other = new pg.Client({ connectionString: url })
  await other.connect()
  context.after(() => other.end())
  await other.query(`LISTEN "millrace_${schema}"`)
  let count = 0
  other.on('notification', () => (count += 1))
  const notices = new Notices({
    schema,
    runtime,
    listens: true,
    onChange: () => undefined,
    connect: async () => {
      const client = await openLoneClient({ url, answerWithinMs: 10_000 })
      return { client, close: () => client.end() }
    },
  })
  await notices.open()
  context.after(() => notices.close())
  const heard = (wanted: number): Promise<void> =>
    within(
      `notice ${wanted}`,
      passUntil(() => count >= wanted),
    )
  // The answer to a notice may come after it: from then on the next one has its time.
  const passUntil = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) {
      await runtime.advance(1)
      await nextTurn()
    }
  }
  return { notices, runtime, heard, count: () => count }
}

describe('a process', () => {
  test('tells of all that it commits within a millisecond by one more notice', async (context) => {
    const { notices, runtime, heard, count } = await openTelling(context)
    notices.tell()
    for (let commits = 0; commits < 10; commits += 1) notices.tell()
    await heard(1)
    for (let commits = 0; commits < 10; commits += 1) notices.tell()
    await heard(2)
    await notices.close()
    await runtime.advance(10)
    assert.equal(count(), 2)
  })

  test('lets a notice ride behind a statement, but not right after another, and tells of what follows', async (context) => {
    const { notices, runtime, heard, count } = await openTelling(context)
    assert.notEqual(notices.ride(), null)
    assert.equal(notices.ride(), null)
    notices.tell()
    await runtime.advance(0)
    assert.equal(count(), 0, 'the one that rides is the first')
    await heard(1)
  })

  test('tells what it has committed last before it closes', async (context) => {
    const { notices, heard } = await openTelling(context)
    notices.ride()
    notices.tell()
    await notices.close()
    await heard(1)
    assert.equal(notices.ride(), null)
  })
})

test('of new jobs whose statement has broken a connection the others are told all the same', async (context) => {
  const proxy = await openTcpProxy(await postgresUrl())
  const { mill, database } = await openTestMill(context, { maintenance: false }, () =>
    postgresDatabase({ route: (server) => proxy.through(server) }),
  )
  context.after(() => proxy.close())
  await mill.enqueue('grind', {})
  const schema = /^"?(\w+)/.exec(database.table('jobs'))?.[1] ?? ''
  const other = new pg.Client({ connectionString: await postgresUrl() })
  await other.connect()
  context.after(() => other.end())
  await other.query(`LISTEN "millrace_${schema}"`)
  const told = once(other, 'notification')
  let broken = 0
  // No notice may ride so soon after the last one was told.
  await take(20)
  proxy.decide(({ statements }) => {
    if (broken > 0 || !statements.some((sql) => sql.includes('INSERT INTO'))) return 'pass'
    broken += 1
    return 'lose-request'
  })
  await mill.enqueue('grind', {})
  assert.equal(broken, 1)
  await within('a notice', told, 5_000)
})
