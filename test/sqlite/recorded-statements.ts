/** Every operation of the adapter, driven over a connection that notes the statements. */
import assert from 'node:assert/strict'

import type { Claim } from '../../src/core/job-row.ts'
import type { Plan, PlanValues } from '../../src/core/plan.ts'
import * as plans from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import { JOB_STATES } from '../../src/core/states.ts'
import { compilePlain } from '../../src/sqlite/compile.ts'
import { Database } from '../../src/sqlite/database.ts'
import { openConnection } from '../../src/sqlite/driver.ts'
import type { Connection, OwnConnection } from '../../src/sqlite/driver.ts'
import { migrate } from '../../src/sqlite/migrate.ts'
import { READS, WRITES } from '../../src/sqlite/operations.ts'
import type { Answer, Arguments, WriteName } from '../../src/sqlite/operations.ts'
import { packCall, packNewJobs } from '../../src/sqlite/packed-calls.ts'
import { packRuns } from '../../src/sqlite/packed-runs.ts'
import { unpackClaim } from '../../src/sqlite/packed-claim.ts'
import { BELONGINGS } from '../../src/store/integrity.ts'
import type { NewJob } from '../../src/store/jobs.ts'
import { ONE_PHASE, THREE_PHASES, newJob, planCall } from '../support/contract-bench.ts'
import { runtime } from './sqlite-bench.ts'

export interface Recorded {
  readonly db: Database
  readonly statements: ReadonlySet<string>
  readonly connection: OwnConnection
}

export function openRecorded(): Recorded {
  const file = ':memory:'
  const connection = openConnection({ file, readOnly: false, durability: 'full', maxBytes: null })
  migrate(connection, { file, clock: () => 1 })
  const statements = new Set<string>()
  const recording: Connection = {
    prepare: (sql) => {
      statements.add(sql)
      return connection.prepare(sql)
    },
    exec: (sql) => connection.exec(sql),
    get isTransaction() {
      return connection.isTransaction
    },
  }
  return { db: new Database(recording, () => runtime.now()), statements, connection }
}

/** Plans that have a short way for many calls. */
export const PLAIN_PLANS: readonly Plan[] = plans.PLANS.filter((plan) => compilePlain(plan) !== null)

const LONG = JSON.stringify('x'.repeat(1_000))
const SCOPES: readonly Scope[] = [
  OPERATOR,
  { role: 'admin', tenant: 'acme' },
  { role: 'member', tenant: 'acme', user: 'ann' },
]

function makeJob(changes: Partial<NewJob> = {}): NewJob {
  return newJob(runtime.uuid(), { tenant: 'acme', owner: 'ann', labels: { course: 'c1', level: 'a' }, ...changes })
}

/** One call alone in its transaction. */
function write<Name extends WriteName>(db: Database, name: Name, args: Arguments<Name>): Answer<Name> {
  const run = WRITES[name] as unknown as (db: Database, calls: readonly Arguments<Name>[]) => readonly Answer<Name>[]
  const [answer] = run(db, [args])
  return answer as Answer<Name>
}

function enqueue(db: Database, ...jobs: readonly NewJob[]): void {
  write(db, 'jobs.enqueue', packNewJobs(jobs))
}

/** Claims a new job, as often as it takes. */
function running(db: Database, holder: number, changes: Partial<NewJob> = {}): Claim {
  enqueue(db, makeJob({ type: 'driven', ...changes }))
  const claimed = write(db, 'claims.claim', { holder, types: ['driven'], limit: 1 })
  const [job] = unpackClaim(claimed, holder).jobs
  assert.ok(job !== undefined)
  return job.claim
}

function driveWrites(db: Database): void {
  const holder = runtime.key()
  const session = { holder, service: 's', host: 'h', pid: 1, leaseMs: 30_000, concurrency: 1 }
  write(db, 'sessions.open', session)
  write(db, 'sessions.beat', holder)
  write(db, 'queues.pause', ['q', 'ann'])
  write(db, 'queues.resume', ['q', 'ann'])
  enqueue(db, makeJob({ key: 'k', uniqueKey: 'u', input: LONG }), makeJob({ delayMs: 1_000 }))
  enqueue(db, makeJob({ key: 'k', input: LONG }), makeJob({ uniqueKey: 'u' }))
  const act = (plan: Plan, target: Claim | string, values: PlanValues = {}, rest = {}): void => {
    write(db, 'claims.apply', packRuns([planCall(plan, target, values, rest)]))
  }
  const values = { holder, delayMs: 0, timeoutMs: 1, phase: 0, progress: 1, seenGeneration: 1, seenFence: 1 }
  for (const plan of plans.PLANS) {
    const claim = running(db, holder)
    for (const scope of SCOPES) act(plan, claim.jobId, values, { scope })
    act(plan, claim, values)
  }
  const phased = running(db, holder, { policy: THREE_PHASES, type: 'driven' })
  act(plans.ADOPT_PHASES, phased, { phase: 0, phaseCount: 2 }, { phaseNames: ['a', 'b'] })
  act(plans.CHECKPOINT, phased, { progress: 1 }, { result: '1' })
  const artifact = { id: runtime.uuid(), name: 'n', contentType: 't', sizeBytes: 1, sha256: 'ab'.repeat(32), path: 'p' }
  act(plans.ARTIFACT, phased, {}, { artifact: { ...artifact, expiresInMs: null, phase: 'a' } })
  act(plans.FAIL_FINAL, phased)
  act(plans.RETRY, phased.jobId, { phase: 1, seenGeneration: 1, seenFence: 1 })
  const over = running(db, holder)
  act(plans.COMPLETE_ONLY_PHASE, over, { output: LONG })
  write(db, 'retention.purge', [{ id: over.jobId, finishedAt: runtime.now() }])
  write(db, 'retention.sweepUp', { eventsMs: 0, sessionsMs: 0, limit: 1 })
  write(db, 'cleanupTurns.begin', { key: 1, isWhole: true, apartMs: 0, leaseMs: 1_000 })
  write(db, 'cleanupTurns.keep', [1, 1_000])
  write(db, 'cleanupTurns.end', [1, null])
  for (const belonging of BELONGINGS) {
    write(db, 'integrity.dropStrays', [belonging, [belonging === 'key' ? '["",1,"k"]' : '1']])
  }
  write(db, 'integrity.repairJob', over.jobId)
  const completed = running(db, holder)
  act(plans.COMPLETE_ONLY_PHASE, completed, { output: LONG })
  act(plans.RETRY, completed.jobId, { phase: 0, seenGeneration: 1, seenFence: 1 }, { input: LONG })
  const audit = { id: runtime.uuid(), actor: 'ann', reason: null, detail: null }
  act(plans.FORCE_FAIL, running(db, holder).jobId, {}, { audit })
  enqueue(db, makeJob({ type: 'by-hand' }))
  const { jobs: byHand } = READS['jobs.list'](db, { scope: OPERATOR, type: 'by-hand', limit: 1, after: null })
  const lock = { holder: runtime.key(), service: 's', host: 'h', pid: 1, by: 'ann' }
  const take = { jobId: byHand[0]?.id ?? '', scope: OPERATOR, lock }
  const taken = write(db, 'claims.take', take)
  assert.ok(taken.outcome === 'taken')
  act(plans.PROGRESS, taken.claim, values, { byHand: { lockMs: null } })
  write(db, 'claims.take', take)
  act(plans.FAIL_FINAL, taken.claim, values, { byHand: { lockMs: null } })
  const overdue = running(db, holder)
  act(plans.EXTEND, overdue, { timeoutMs: -100_000 })
  write(db, 'claims.sweep', { graceMs: 0, random: 0 })
  running(db, holder)
  write(db, 'sessions.end', holder)
  write(db, 'claims.sweep', { graceMs: 0, random: 0, dead: [{ holder, pid: 1, startTick: 1 }] })
  write(db, 'jobTypes.register', ['s', [{ type: 'driven', queue: 'driven', policy: ONE_PHASE }]])
  write(db, 'jobTypes.register', ['u', [{ type: 'driven', queue: 'driven', policy: ONE_PHASE }]])
  write(db, 'jobTypes.noteEntities', [
    { jobId: runtime.uuid(), status: null },
    { jobId: runtime.uuid(), status: 'PROCESSING' },
  ])
  write(db, 'jobTypes.transfer', { type: 'driven', from: 's', to: 'u', actor: 'ann', reason: null })
}

/** So many that each kind of call is carried out by its statements for many jobs. */
const ALIKE = 12

/** Whether the keys of jobs count on or not: there is a statement for each. */
const ORDERS: readonly (readonly string[])[] = [['listed'], ['listed', 'between']]

/** Claims as many jobs, in one call. */
function runningAlike(db: Database, holder: number, types: readonly string[]): readonly Claim[] {
  const labels = {}
  const jobs = Array.from({ length: ALIKE }, () => types.map((type) => makeJob({ type, policy: THREE_PHASES, labels })))
  enqueue(db, ...jobs.flat())
  const claimed = write(db, 'claims.claim', { holder, types: ['listed'], limit: ALIKE })
  const claims = unpackClaim(claimed, holder).jobs.map(({ claim }) => claim)
  assert.equal(claims.length, ALIKE)
  return claims
}

function driveLists(db: Database): void {
  const holder = runtime.key()
  write(db, 'sessions.open', { holder, service: 's', host: 'h', pid: 1, leaseMs: 30_000, concurrency: ALIKE })
  const values = { delayMs: 0, timeoutMs: 1, phase: 0, progress: 1 }
  for (const plan of PLAIN_PLANS) {
    for (const rest of [{}, { detail: '{}' }, ...(plan === plans.CHECKPOINT ? [{ result: '1' }] : [])]) {
      for (const types of ORDERS) {
        const calls = runningAlike(db, holder, types).map((claim) => [[packCall(planCall(plan, claim, values, rest))]])
        WRITES['claims.apply'](db, calls)
      }
    }
  }
  enqueue(db, ...Array.from({ length: ALIKE }, () => makeJob({ runAt: 1 })), makeJob({ delayMs: 1 }))
  const told = runningAlike(db, holder, ['listed']).map((claim, line) =>
    planCall(plans.LOG, claim, {}, { detail: `{"line":${line}}` }),
  )
  WRITES['claims.apply'](
    db,
    told.map((call) => [[packCall(call)]]),
  )
  db.connection.exec('UPDATE millrace_jobs SET run_at = 9e15 WHERE state IN (1, 4)')
  enqueue(db, ...Array.from({ length: ALIKE }, () => makeJob({ delayMs: 1 })))
  db.connection.exec('UPDATE millrace_jobs SET run_at = 0 WHERE state = 1 AND run_at < 9e15')
  write(db, 'claims.sweep', { graceMs: 0, random: 0 })
  enqueue(db, makeJob({ type: 'doubted' }))
  db.connection.exec('UPDATE millrace_jobs SET suspect = 1 WHERE n = (SELECT max(n) FROM millrace_jobs)')
  write(db, 'claims.claim', { holder, types: ['doubted'], limit: 1 })
  // Jobs of two lanes, with labels, long inputs, and lists of phases that differ.
  const both = [
    makeJob({ type: 'one', labels: { a: 'b' }, input: LONG }),
    makeJob({ type: 'two', policy: THREE_PHASES }),
  ]
  enqueue(db, ...both, makeJob({ type: 'two' }))
  write(db, 'claims.claim', { holder, types: ['one', 'two'], limit: ALIKE })
}

function driveReads(db: Database): void {
  const id = runtime.uuid()
  const [known] = READS['jobs.list'](db, { scope: OPERATOR, limit: 1, after: null }).jobs
  const filters = [
    {},
    { type: 'driven' },
    { queue: 'driven' },
    { tenant: 'acme' },
    { tenant: '' },
    { tenant: 'acme', owner: 'ann' },
    { labels: { course: 'c1' } },
    { labels: { course: 'c1', level: 'a' } },
    ...JOB_STATES.map((state) => ({ states: [state] })),
    { states: ['completed', 'failed', 'cancelled'] as const },
  ]
  for (const scope of SCOPES) {
    READS['jobs.get'](db, [known?.id ?? id, scope])
    for (const filter of filters) {
      READS['jobs.list'](db, { ...filter, scope, limit: 10, after: null })
      READS['jobs.counts'](db, { ...filter, scope })
    }
    for (const jobId of [null, id]) READS['events.read'](db, { scope, after: 0, limit: 10, jobId })
    for (const jobId of [null, id]) READS['audit.list'](db, { scope, after: null, limit: 10, jobId })
    READS['artifacts.list'](db, [known?.id ?? id, scope])
    READS['artifacts.get'](db, [id, scope])
  }
  for (const from of ['oldest', 'newest'] as const) {
    READS['retention.finished'](db, {
      type: 'map.export',
      state: 'completed',
      from,
      until: null,
      limit: 10,
      after: null,
    })
  }
  READS['retention.artifactPaths'](db, [id])
  READS['integrity.audit'](db, { after: null, limit: 10 })
  READS['integrity.auditOne'](db, [id, OPERATOR])
  for (const belonging of BELONGINGS) READS['integrity.strays'](db, [belonging, { after: null, limit: 10 }])
  READS['integrity.artifacts'](db, { after: null, limit: 10 })
  READS['jobs.states'](db, [id])
  READS['claims.interruptions'](db, [{ jobId: id, holder: 1, fence: 1 }])
  READS['sessions.ofProcesses'](db, { bootId: 'b', namespaces: 'n', host: 'h' })
  READS['sessions.list'](db)
  READS['sessions.holder'](db, 1)
  READS['jobTypes.list'](db)
  READS['jobTypes.refusals'](db)
  READS['jobTypes.evidence'](db, { endedLimit: 10, entityLimit: 10 })
  READS['queues.list'](db)
  READS['events.latest'](db)
  READS['cleanupTurns.latest'](db)
  READS.now(db)
}

/** Collects the statements; what the driving wrote is rolled back. */
export function collect({ db, connection, statements }: Recorded): readonly string[] {
  connection.exec('BEGIN')
  db.beginUnit()
  driveWrites(db)
  driveLists(db)
  driveReads(db)
  connection.exec('ROLLBACK')
  db.forget()
  return [...statements].filter((sql) => !sql.startsWith('PRAGMA'))
}
