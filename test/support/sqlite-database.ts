import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { openSqliteStore } from '../../src/sqlite/open.ts'
import type { OwnConnection, TestDatabase } from './test-database.ts'

/** A file in the folder, which is removed with it. */
export function sqliteDatabase(folder: string): TestDatabase {
  const file = join(folder, 'jobs.db')
  const url = `sqlite:${file}`
  return {
    url,
    options: {},
    flags: [],
    table: (name) => `millrace_${name}`,
    openStore: (params) => openSqliteStore({ url, ...params }),
    connect: async () => ownConnection(file),
    async assertSound() {
      const database = new DatabaseSync(file, { readOnly: true })
      try {
        assert.deepEqual(database.prepare('PRAGMA integrity_check').all(), [{ __proto__: null, integrity_check: 'ok' }])
      } finally {
        database.close()
      }
    },
    drop: () => Promise.resolve(),
  }
}

function ownConnection(file: string): OwnConnection {
  const database = new DatabaseSync(file, { timeout: 10_000 })
  return {
    connection: database,
    async run(sql) {
      database.exec(sql)
    },
    async rows(sql) {
      return database
        .prepare(sql)
        .all()
        .map((row) => ({ ...row }))
    },
    async close() {
      database.close()
    },
  }
}
