/** How many statements many plan calls of one moment take: what they do is the store contract's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Plan, PlanValues } from '../../src/core/plan.ts'
import { CHECKPOINT, COMPLETE_ONLY_PHASE, LOG, PROGRESS } from '../../src/core/plans.ts'
import { applyCalls } from '../../src/sqlite/apply-calls.ts'
import { claimJobs } from '../../src/sqlite/claim.ts'
import { Database } from '../../src/sqlite/database.ts'
import { openConnection } from '../../src/sqlite/driver.ts'
import type { Connection, SqlValue } from '../../src/sqlite/driver.ts'
import { enqueueJobs } from '../../src/sqlite/enqueue.ts'
import { migrate } from '../../src/sqlite/migrate.ts'
import { unpackClaim } from '../../src/sqlite/packed-claim.ts'
import { openSession } from '../../src/sqlite/sessions.ts'
import type { ClaimedJob } from '../../src/store/claims.ts'
import { LEASE_MS, newJob, ONE_PHASE, planCall, THREE_PHASES } from '../support/contract-bench.ts'
import type { Act } from '../support/contract-bench.ts'
import { runtime } from './sqlite-bench.ts'

interface Counted {
  readonly db: Database
  /** How many statements have been run since this was last asked. */
  readonly takeCount: () => number
}

function openCounted(): Counted {
  const file = ':memory:'
  const connection = openConnection({ file, readOnly: false, durability: 'full', maxBytes: null })
  migrate(connection, { file, clock: () => 1 })
  let count = 0
  const counting: Connection = {
    prepare(sql) {
      const statement = connection.prepare(sql)
      const counted =
        <Result>(run: (...values: readonly SqlValue[]) => Result) =>
        (...values: readonly SqlValue[]): Result => {
          count += 1
          return run(...values)
        }
      return {
        get: counted(statement.get.bind(statement)),
        all: counted(statement.all.bind(statement)),
        run: counted(statement.run.bind(statement)),
        setReturnArrays: (enabled) => statement.setReturnArrays?.(enabled),
      }
    },
    exec: (sql) => connection.exec(sql),
    get isTransaction() {
      return connection.isTransaction
    },
  }
  const db = new Database(counting, () => runtime.now())
  connection.exec('BEGIN')
  db.beginUnit()
  return {
    db,
    takeCount: () => {
      const taken = count
      count = 0
      return taken
    },
  }
}

const MANY = 100

function runningMany(db: Database, policy = ONE_PHASE): readonly ClaimedJob[] {
  const holder = runtime.key()
  openSession(db, { holder, service: 's', host: 'h', pid: 1, leaseMs: LEASE_MS, concurrency: MANY })
  enqueueJobs(
    db,
    Array.from({ length: MANY }, () => newJob(runtime.uuid(), { policy })),
  )
  return unpackClaim(claimJobs(db, { holder, types: ['map.export'], limit: MANY }), holder).jobs
}

interface Alike {
  readonly plan: Plan
  readonly values: PlanValues
  readonly rest?: (job: number) => Act
}

const ALIKE: readonly Alike[] = [
  { plan: COMPLETE_ONLY_PHASE, values: { output: '1', seenPhase: 0 } },
  { plan: CHECKPOINT, values: { progress: 33, seenPhase: 0 }, rest: (job) => ({ result: `${job}` }) },
  { plan: LOG, values: {}, rest: (job) => ({ detail: `{"line":${job}}` }) },
  { plan: PROGRESS, values: { progress: 10 } },
]

for (const { plan, values, rest = () => ({}) } of ALIKE) {
  test(`a hundred calls of ${plan.name} that are alike take a handful of statements`, () => {
    const { db, takeCount } = openCounted()
    const jobs = runningMany(db, plan === CHECKPOINT ? THREE_PHASES : ONE_PHASE)
    const calls = jobs.map(({ claim }, job) => planCall(plan, claim, values, rest(job)))
    takeCount()
    const results = applyCalls(db, calls)
    assert.equal(results.filter(({ applied }) => applied).length, MANY)
    const count = takeCount()
    assert.ok(count <= 5, `${count} statements`)
  })
}

test('a hundred completions with outputs of their own take a statement each, and one for all their events', () => {
  const { db, takeCount } = openCounted()
  const calls = runningMany(db).map(({ claim }, job) => planCall(COMPLETE_ONLY_PHASE, claim, { output: `${job}` }))
  takeCount()
  applyCalls(db, calls)
  assert.equal(takeCount(), MANY + 1)
})

test('of calls that are alike but for their results each keeps the one that it brings, or none', () => {
  const { db } = openCounted()
  const calls = runningMany(db, THREE_PHASES).map(({ claim }, job) =>
    planCall(CHECKPOINT, claim, { progress: 33 }, job % 50 < 20 ? {} : { result: `${job}` }),
  )
  assert.ok(applyCalls(db, calls).every(({ applied }) => applied))
  const kept = db.all('SELECT result FROM millrace_phases ORDER BY job').map(({ result }) => Number(result))
  assert.deepEqual(
    kept,
    calls.flatMap(({ result }) => (result === undefined ? [] : Number(result))),
  )
})

test('a hundred jobs are claimed, and a hundred are added, in a few statements', () => {
  const { db, takeCount } = openCounted()
  enqueueJobs(db, [newJob(runtime.uuid())])
  takeCount()
  const labels = {}
  enqueueJobs(
    db,
    Array.from({ length: MANY }, () => newJob(runtime.uuid(), { labels })),
  )
  // Ten for the rows; and where the list is going to be, the list, and where the next begins.
  assert.equal(takeCount(), 13)
  const holder = runtime.key()
  openSession(db, { holder, service: 's', host: 'h', pid: 1, leaseMs: LEASE_MS, concurrency: MANY })
  takeCount()
  const claimed = claimJobs(db, { holder, types: ['map.export'], limit: MANY })
  assert.equal(unpackClaim(claimed, holder).jobs.length, MANY)
  const count = takeCount()
  assert.ok(count <= 13, `${count} statements`)
})
