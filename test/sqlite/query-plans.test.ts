/** Every statement of the adapter, collected by driving every operation, must find its rows through an index. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

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
import { unpackClaim } from '../../src/sqlite/packed-claim.ts'
import { BELONGINGS } from '../../src/store/integrity.ts'
import type { NewJob } from '../../src/store/jobs.ts'
import { ONE_PHASE, THREE_PHASES, newJob, planCall } from '../support/contract-bench.ts'
import { runtime } from './sqlite-bench.ts'

/** What may be read from end to end, and why. */
const MAY_SCAN: readonly (readonly [pattern: RegExp, because: string])[] = [
  [/^SCAN (millrace_types|millrace_queues)\b/, 'as many rows as there are types or queues, and all are asked for'],
  [
    /^SCAN millrace_sessions USING INDEX millrace_sessions_open$/,
    'open sessions and locks: is there a lock without a job?',
  ],
  [/^SCAN s$/, 'the list of sessions: all are asked for'],
  [/^SCAN millrace_entities$/, 'of each type a few: those that are unfinished'],
  [/^SCAN (latest|e)$/, 'as many rows as the statement limits itself to'],
  [/^SCAN [lqrt]\b/, 'lanes, queues, refusals and types are few'],
  [/^SCAN millrace_labels\b/, 'stops at the first row: is there any label?'],
  [/^SCAN millrace_sessions$/, 'as many rows as there were workers lately'],
  [/^SCAN sqlite_sequence$/, 'has a row for each of two tables'],
  [/^SCAN millrace_(events|event_lists)$/, 'stops at the last row: when was the latest event?'],
  [/^SCAN millrace_jobs USING (COVERING )?INDEX/, 'all jobs are counted, each through its partial index'],
  [/^SCAN j$/, 'jobs are counted by a type or a queue, for which there is no index'],
  [/^SCAN (wanted|s|json_each) VIRTUAL TABLE/, 'the types, or the jobs, that one transaction names'],
  [/^SCAN \d+-ROW VALUES CLAUSE$/, 'the jobs that one statement adds'],
]

interface Recorded {
  readonly db: Database
  readonly statements: ReadonlySet<string>
  readonly connection: OwnConnection
}

function openRecorded(): Recorded {
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
const PLAIN_PLANS: readonly Plan[] = plans.PLANS.filter((plan) => compilePlain(plan) !== null)

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
    write(db, 'claims.apply', packCall(planCall(plan, target, values, rest)))
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

/** So many that each kind of call is carried out by its statements for lists. */
const ALIKE = 12

/** Claims as many jobs, in one call. */
function runningAlike(db: Database, holder: number): readonly Claim[] {
  const labels = {}
  enqueue(db, ...Array.from({ length: ALIKE }, () => makeJob({ type: 'listed', policy: THREE_PHASES, labels })))
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
      const calls = runningAlike(db, holder).map((claim) => packCall(planCall(plan, claim, values, rest)))
      WRITES['claims.apply'](db, calls)
    }
  }
  enqueue(db, ...Array.from({ length: ALIKE }, () => makeJob({ runAt: 1 })), makeJob({ delayMs: 1 }))
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
function collect({ db, connection, statements }: Recorded): readonly string[] {
  connection.exec('BEGIN')
  db.beginUnit()
  driveWrites(db)
  driveLists(db)
  driveReads(db)
  connection.exec('ROLLBACK')
  db.forget()
  return [...statements].filter((sql) => !sql.startsWith('PRAGMA'))
}

function planOf(connection: Connection, sql: string): readonly string[] {
  return connection
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all()
    .map(({ detail }) => String(detail))
}

/** One of a hundred runs, ten wait, most are done; twenty tenants, a thousand courses. */
const MANY = `
  WITH RECURSIVE ten(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM ten LIMIT 10)
    INSERT INTO millrace_types (n, name, queue, policy) SELECT value, 't' || value, 'q', '${JSON.stringify(ONE_PHASE)}' FROM ten;
  INSERT INTO millrace_queues (n, name) VALUES (1, 'q');
  INSERT INTO millrace_lanes (n, type, queue) SELECT n, n, 1 FROM millrace_types;
  INSERT INTO millrace_phase_lists (n, names) VALUES (1, '["run"]');
  WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s LIMIT 100000),
    j(i, state) AS (SELECT i, CASE WHEN i % 100 < 80 THEN 5 WHEN i % 100 < 88 THEN 6 WHEN i % 100 < 96 THEN 2
      WHEN i % 100 < 97 THEN 3 ELSE 1 END FROM s)
    INSERT INTO millrace_jobs (n, id, type, lane, state, priority, run_at, holder, phase, phase_count, phase_list, created_at,
      updated_at, started_at, finished_at, tenant, owner, unique_key, event_seq, input, created_in)
    SELECT i, randomblob(16), 1 + i % 10, 1 + i % 10, state, i % 3, i + 4000000000000 * (state = 1), CASE WHEN state = 3 THEN i / 500 END, state = 5, 1, 1, i,
      i, i, CASE WHEN state > 4 THEN i END, 'tenant' || (i % 20), 'user' || (i % 500), 'k' || i, 2, '{}', i - (i - 1) % 10 FROM j;
  INSERT INTO millrace_labels SELECT n, 'course', 'c' || (n % 1000) FROM millrace_jobs;
  INSERT INTO millrace_labels SELECT n, 'level', 'a' FROM millrace_jobs;
  INSERT INTO millrace_event_lists (position, events, code, seq, attempt, at, jobs)
    SELECT DISTINCT created_in, 10, 2, 1, 0, created_in, json_array(json_array(0, created_in, 10)) FROM millrace_jobs;
  INSERT INTO millrace_events (position, job, seq, code, at, attempt) SELECT 100000 + n, n, 2, 3, n, 1 FROM millrace_jobs;
  INSERT INTO millrace_phases (job, ordinal, generation, attempt, finished_at, result) SELECT n, 0, 1, 1, n, '1' FROM millrace_jobs;`

function assertIndexed(recorded: Recorded, statements: readonly string[]): void {
  const used = new Set<RegExp>()
  for (const sql of statements) {
    for (const step of planOf(recorded.connection, sql).filter((detail) => detail.startsWith('SCAN'))) {
      const allowed = MAY_SCAN.find(([pattern]) => pattern.test(step))
      assert.ok(allowed !== undefined || /^SCAN (CONSTANT|\d+ CONSTANT)/.test(step), `${step}\n  in ${sql}`)
      if (allowed !== undefined) used.add(allowed[0])
    }
  }
  for (const [pattern] of MAY_SCAN) assert.ok(used.has(pattern), `nothing scans ${String(pattern)} any more`)
}

test('in a small database every statement finds its rows through an index', () => {
  const recorded = openRecorded()
  const statements = collect(recorded)
  assert.ok(statements.length > 100, `${statements.length} statements`)
  assertIndexed(recorded, statements)
})

test('in a large database that has been analyzed it still does, and pages of jobs need no sorting', () => {
  const recorded = openRecorded()
  recorded.connection.exec(MANY)
  recorded.connection.exec('ANALYZE')
  const statements = collect(recorded)
  assertIndexed(recorded, statements)
  for (const sql of statements) {
    const sorts = planOf(recorded.connection, sql).some((step) => step.startsWith('USE TEMP B-TREE FOR ORDER BY'))
    // The few jobs that run are sorted, a page of each type that ended in a state, or what is merged of three states.
    const few = /millrace_jobs_held|VALUES \(\d\)|IN \(5, 6, 7\)/.test(sql)
    assert.ok(!sorts || few || !sql.includes('LIMIT'), `${sql} sorts what may be many rows`)
  }
})

test('the log goes on from a position list by list, and in each from there on', () => {
  const recorded = openRecorded()
  recorded.connection.exec(MANY)
  for (const analyzed of [false, true]) {
    if (analyzed) recorded.connection.exec('ANALYZE')
    const reads = collect(recorded).filter((sql) => sql.includes('ORDER BY list.position, r.id, j.n'))
    assert.equal(reads.length, 3, 'one for each kind of scope')
    for (const sql of reads) {
      const [list, , , , job, sort, ...more] = planOf(recorded.connection, sql)
      assert.equal(list, 'SEARCH list USING INTEGER PRIMARY KEY (rowid>?)')
      assert.match(job ?? '', /^SEARCH j USING .*rowid>\? AND rowid<\?\)$/)
      // One list at a time.
      assert.deepEqual([sort, more], ['USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY', []])
    }
  }
})

test('the statements on the way of every job use the index that is made for them', () => {
  const recorded = openRecorded()
  recorded.connection.exec(MANY)
  for (const analyzed of [false, true]) {
    if (analyzed) recorded.connection.exec('ANALYZE')
    const statements = collect(recorded)
    const planFor = (part: string): string => {
      const sql = statements.find((text) => text.includes(part))
      assert.ok(sql !== undefined, part)
      return planOf(recorded.connection, sql).join('; ')
    }
    assert.match(planFor('WHERE lane = ? AND state = 2'), /INDEX millrace_jobs_ready \(lane=\?\)/)
    assert.match(planFor('run_at <= ? ORDER BY run_at'), /INDEX millrace_jobs_waiting \(run_at<\?\)/)
    assert.match(planFor('min(run_at)'), /INDEX millrace_jobs_waiting_type \(type=\?\)/)
    assert.match(planFor('holder = ? AND suspect = 1'), /INDEX millrace_jobs_held \(holder=\?\)/)
    assert.match(planFor('e.job = ifnull((SELECT n'), /INDEX millrace_events_job \(job=\?/)
    assert.match(planFor('unique_key = ? AND unique_key'), /INDEX millrace_jobs_unique/)
    const updates = statements.filter((sql) => sql.startsWith('UPDATE millrace_jobs'))
    assert.ok(updates.length > 40)
    for (const sql of updates) {
      const [first = ''] = planOf(recorded.connection, sql)
      assert.match(first, /(INDEX millrace_jobs_id \(id=\?\)|INTEGER PRIMARY KEY \(rowid=\?\))/, sql)
    }
  }
})

test('the statements for lists of jobs are among them, and find each job by its key', () => {
  const recorded = openRecorded()
  recorded.connection.exec(MANY)
  for (const analyzed of [false, true]) {
    if (analyzed) recorded.connection.exec('ANALYZE')
    const statements = collect(recorded)
    const updates = statements.filter((sql) => /^UPDATE millrace_jobs .* IN \(SELECT value FROM json_each/.test(sql))
    for (const plan of PLAIN_PLANS) {
      const { listSql = '' } = compilePlain(plan) ?? {}
      // A job of three phases is not completed, so some are tried and undone: the statement is the same.
      assert.ok(updates.includes(listSql), `no list of ${plan.name}`)
    }
    // Besides, claims and promotions.
    assert.ok(updates.length >= new Set(PLAIN_PLANS.map((plan) => compilePlain(plan)?.listSql)).size + 1)
    for (const sql of updates) {
      const steps = planOf(recorded.connection, sql)
      assert.match(steps[0] ?? '', /^SEARCH millrace_jobs USING INTEGER PRIMARY KEY \(rowid=\?\)$/, sql)
    }
    const copies = statements.filter((sql) => /^INSERT INTO millrace_(events|phases) .*json_each/.test(sql))
    assert.equal(copies.filter((sql) => sql.startsWith('INSERT INTO millrace_events')).length, 2)
    assert.ok(copies.some((sql) => sql.startsWith('INSERT INTO millrace_phases')))
    for (const sql of copies) {
      const steps = planOf(recorded.connection, sql)
      assert.deepEqual(
        steps.map((step) => step.replace(/ VIRTUAL TABLE.*/, '')),
        ['SCAN s', 'SEARCH j USING INTEGER PRIMARY KEY (rowid=?)'],
        sql,
      )
    }
    const added = statements.find((sql) => /^INSERT INTO millrace_events .*n BETWEEN/.test(sql)) ?? ''
    assert.deepEqual(planOf(recorded.connection, added), [
      'SEARCH millrace_jobs USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)',
    ])
  }
})
