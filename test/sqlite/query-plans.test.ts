/** Every statement of the adapter, collected by driving every operation, must find its rows through an index. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import * as plans from '../../src/core/plans.ts'
import { compileMany, compilePlain } from '../../src/sqlite/compile.ts'
import type { Connection } from '../../src/sqlite/driver.ts'
import { STARTED } from '../../src/store/event-lists.ts'
import { ONE_PHASE } from '../support/contract-bench.ts'
import { PLAIN_PLANS, collect, openRecorded } from './recorded-statements.ts'
import type { Recorded } from './recorded-statements.ts'

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
    assert.match(planFor('WHERE c.lane = ? AND c.state = 2'), /INDEX millrace_jobs_ready \(lane=\?\)/)
    assert.match(planFor('run_at <= ? ORDER BY run_at'), /INDEX millrace_jobs_waiting \(run_at<\?\)/)
    assert.match(planFor('min(run_at)'), /INDEX millrace_jobs_waiting_type \(type=\?\)/)
    assert.match(planFor('holder = ? AND suspect = 1'), /INDEX millrace_jobs_held \(holder=\?\)/)
    assert.match(planFor('e.job = ifnull((SELECT n'), /INDEX millrace_events_job \(job=\?/)
    assert.match(planFor('unique_key = ? AND unique_key'), /INDEX millrace_jobs_unique/)
    const updates = statements.filter((sql) => sql.startsWith('UPDATE millrace_jobs'))
    assert.ok(updates.length > 40)
    for (const sql of updates) {
      const [first = ''] = planOf(recorded.connection, sql)
      assert.match(first, /(INDEX millrace_jobs_id \(id=\?\)|INTEGER PRIMARY KEY \(rowid(=\?|>\? AND rowid<\?)\))/, sql)
    }
  }
})

test('the statements for many jobs are among them, and find each job by its key', () => {
  const recorded = openRecorded()
  recorded.connection.exec(MANY)
  for (const analyzed of [false, true]) {
    if (analyzed) recorded.connection.exec('ANALYZE')
    const statements = collect(recorded)
    for (const [form, search] of [
      ['listSql', 'SEARCH millrace_jobs USING INTEGER PRIMARY KEY (rowid=?)'],
      ['rangeSql', 'SEARCH millrace_jobs USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)'],
    ] as const) {
      // A job of three phases is not completed, so some are tried and undone: the statement is the same.
      const plain = PLAIN_PLANS.map((plan) => compilePlain(plan)?.many)
      for (const many of [...plain, compileMany(plans.CLAIM, STARTED), compileMany(plans.PROMOTE)]) {
        const sql = many?.[form] ?? ''
        assert.ok(statements.includes(sql), `it was not driven: ${sql}`)
        assert.equal(planOf(recorded.connection, sql)[0], search, sql)
      }
    }
    const copies = statements.filter((sql) => /^INSERT INTO millrace_(events|phases) .*json_each/.test(sql))
    assert.equal(copies.filter((sql) => sql.startsWith('INSERT INTO millrace_events')).length, 3)
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
