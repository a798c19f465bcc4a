/** Drivers of applications differ in what they make of a statement: what runs on their connections keeps to what all of them know. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Database } from '../../src/sqlite/database.ts'
import { openConnection } from '../../src/sqlite/driver.ts'
import type { Connection } from '../../src/sqlite/driver.ts'
import { enqueueJobs } from '../../src/sqlite/enqueue.ts'
import { migrate } from '../../src/sqlite/migrate.ts'
import { newJob } from '../support/contract-bench.ts'
import { runtime } from './sqlite-bench.ts'

test("jobs that are added through the application's connection use no numbered parameters", () => {
  const file = ':memory:'
  const connection = openConnection({ file, readOnly: false, durability: 'full', maxBytes: null })
  migrate(connection, { file, clock: () => 1 })
  const strict: Connection = {
    prepare(sql) {
      assert.doesNotMatch(sql, /\?\d/)
      return connection.prepare(sql)
    },
    exec: (sql) => connection.exec(sql),
    get isTransaction() {
      return connection.isTransaction
    },
  }
  const db = new Database(strict, () => runtime.now(), false)
  db.beginUnit()
  const jobs = Array.from({ length: 25 }, (_, index) => newJob(runtime.uuid(), { priority: index % 2 }))
  const outcomes = enqueueJobs(db, jobs)
  assert.equal(outcomes.length, 25)
  const count = connection.prepare('SELECT count(*) AS jobs FROM millrace_jobs').get()
  assert.equal(count?.['jobs'], 25)
  connection.close()
})
