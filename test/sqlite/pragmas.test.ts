import assert from 'node:assert/strict'
import { test } from 'node:test'

import { openConnection } from '../../src/sqlite/driver.ts'
import type { OpenConnection, OwnConnection } from '../../src/sqlite/driver.ts'
import { newFile, openSqlite } from './sqlite-bench.ts'

function read(connection: OwnConnection, name: string): unknown {
  return Object.values(connection.prepare(`PRAGMA ${name}`).get() ?? {})[0]
}

function settings(options: Partial<OpenConnection> & { readonly file: string }, names: readonly string[]): unknown[] {
  const connection = openConnection({ readOnly: false, durability: 'full', maxBytes: null, ...options })
  const values = names.map((name) => read(connection, name))
  connection.close()
  return values
}

const NAMES = ['journal_mode', 'synchronous', 'fullfsync', 'checkpoint_fullfsync', 'busy_timeout', 'trusted_schema']

test('a writer keeps a journal of writes ahead and flushes it with each commit', (t) => {
  const file = newFile(t)
  assert.deepEqual(settings({ file }, NAMES), ['wal', 2, 1, 1, 0, 0])
  assert.deepEqual(settings({ file, durability: 'normal' }, NAMES), ['wal', 1, 1, 1, 0, 0])
})

test('a reader can write nothing', (t) => {
  const file = newFile(t)
  settings({ file }, [])
  const reader = openConnection({ file, readOnly: true, durability: 'full', maxBytes: null })
  assert.equal(read(reader, 'query_only'), 1)
  assert.throws(() => reader.exec('CREATE TABLE x (y)'))
  reader.close()
})

test('a size limit is one of pages', (t) => {
  assert.deepEqual(settings({ file: newFile(t), maxBytes: 1024 * 1024 }, ['max_page_count']), [256])
})

test('the description says what the store is', async (t) => {
  const full = await openSqlite(t)
  assert.match(full.store.description, /^sqlite:.+jobs\.db \(SQLite 3\.\d+\.\d+, WAL, synchronous FULL\)$/)
  const normal = await openSqlite(t, { durability: 'normal', thread: false })
  assert.match(normal.store.description, /synchronous NORMAL/)
  const memory = await openSqlite(t, { url: 'sqlite::memory:' })
  assert.match(memory.store.description, /^sqlite::memory: \(SQLite .+, in memory\)$/)
})
