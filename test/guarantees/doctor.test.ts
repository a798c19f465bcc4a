/** Whatever is wrong with a store is found, and what can be put right without losing anything is. */
import assert from 'node:assert/strict'
import { utimesSync, writeFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob, handle } from '../../src/index.ts'
import type { Artifact, DoctorProgress, DoctorReport, Handler } from '../../src/index.ts'
import { DAMAGES, ON_POSTGRES, commitsOf } from '../support/job-damages.ts'
import type { Damage } from '../support/job-damages.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { HANDLERS as SMITHS, JOBS } from './programs/smithy-handlers.ts'

const one = defineJob('one', { service: 'press' })
const two = defineJob('two', { service: 'press', phases: ['ink', 'dry'] })
const HANDLERS: readonly Handler[] = [
  handle(one, () => 1),
  handle(two)
    .phase('ink', () => 1)
    .phase('dry', () => 2),
]

const LOST_ID = '019b7613-6800-7000-8000-00000000dead'

interface Patient extends TestMill {
  readonly damage: (sql: string) => Promise<void>
  /** The job's name in a statement on its own row, and in one on what belongs to it. */
  readonly row: (id: string) => string
  readonly belongs: (id: string) => string
  readonly make: (job: Damage['job']) => Promise<string>
}

async function openPatient(context: TestContext): Promise<Patient> {
  const place = await openTestMill(context, { maintenance: false })
  const { mill, database, connect } = place
  const own = await connect()
  await own.run(ON_POSTGRES ? dropChecks(database.table('jobs')) : 'PRAGMA ignore_check_constraints = ON')
  const row = (id: string): string => (ON_POSTGRES ? `'${id}'` : `x'${id.replaceAll('-', '')}'`)
  const drain = async (): Promise<void> => {
    const worker = await mill.work(HANDLERS, { manual: true })
    await worker.runOnce()
    await worker.stop()
  }
  return {
    ...place,
    damage: (sql) => own.run(sql),
    row,
    belongs: (id) => (ON_POSTGRES ? row(id) : `(SELECT n FROM ${database.table('jobs')} WHERE id = ${row(id)})`),
    async make(kind) {
      const definition = kind === 'two-phases' ? two : one
      const { job } = await mill.enqueue(definition, undefined, kind === 'scheduled' ? { delay: '1d' } : {})
      if (kind === 'completed' || kind === 'two-phases') await drain()
      if (kind === 'cancelled') await mill.cancel(job)
      return job.id
    },
  }
}

/** Constraints would not let such a job be. */
function dropChecks(table: string): string {
  return `DO $$ DECLARE name text; BEGIN FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = '${table}'::regclass AND contype = 'c'
    LOOP EXECUTE 'ALTER TABLE ${table} DROP CONSTRAINT ' || quote_ident(name); END LOOP; END $$`
}

function codesOf({ findings }: DoctorReport, isRepaired: boolean): readonly string[] {
  return findings
    .filter(({ code, repaired }) => repaired === isRepaired && code !== 'constraint-missing')
    .map(({ code, subject }) => `${code} ${subject}`)
    .toSorted()
}

test('every impossible state of a job is found, and put right where there is one right way', async (context) => {
  const { mill, damage, database, row, belongs, make } = await openPatient(context)
  const jobs: { readonly id: string; readonly harm: Damage }[] = []
  // Jobs that complete come first, since whoever waits is worked off with them.
  const inOrder = DAMAGES.toSorted((left, right) => Number(isDone(right)) - Number(isDone(left)))
  for (const harm of inOrder) jobs.push({ id: await make(harm.job), harm })
  for (const { id, harm } of jobs) {
    const set = `UPDATE ${database.table('jobs')} SET ${harm.set} WHERE id = ${row(id)}`
    await damage(harm.sql?.(database.table).replaceAll('$job', belongs(id)) ?? set)
  }
  const found = jobs.map(({ id, harm }) => `${harm.code} ${id}`).toSorted()
  const looked = await mill.doctor()
  assert.deepEqual(codesOf(looked, false), found)
  assert.equal(looked.jobs, jobs.length)
  assert.equal(looked.isSound, false)
  for (const { id, harm } of jobs) {
    const { isValid, issues } = await mill.validate(id)
    assert.deepEqual([isValid, issues.map(({ code }) => code)], [false, [harm.code]])
    assert.equal(issues[0]?.repairable, harm.repaired !== undefined)
  }
  assert.deepEqual(codesOf(await mill.doctor(), false), found, 'looking changes nothing')
  const repaired = await mill.doctor({ repair: true })
  const safe = jobs.filter(({ harm }) => harm.repaired !== undefined)
  assert.deepEqual(codesOf(repaired, true), safe.map(({ id, harm }) => `${harm.code} ${id}`).toSorted())
  for (const { id, harm } of safe) {
    assert.deepEqual(await mill.validate(id), { isValid: true, issues: [] })
    const { state, attempts } = await mill.get(id)
    assert.equal(state, harm.repaired)
    const last = (await mill.events({ job: id })).at(-1)
    if (harm.code === 'running-without-holder') {
      assert.deepEqual([last?.name, last?.detail], ['job:queued', { cause: 'repair' }])
      assert.deepEqual(
        attempts.map(({ outcome }) => outcome),
        ['lost'],
      )
    }
    if (harm.code === 'cancel-forgotten')
      assert.deepEqual([last?.name, last?.detail['cancelledBy']], ['job:cancelled', 'ann'])
  }
  const left = await mill.doctor({ repair: true })
  assert.deepEqual(
    codesOf(left, false),
    found.filter((each) => !codesOf(repaired, true).includes(each)),
  )
})

function isDone({ job }: Damage): boolean {
  return job === 'completed' || job === 'two-phases'
}

const LONG = 'x'.repeat(2_000)

const GONE = 'input = NULL'

for (const [what, input, set, isFound] of [
  ['short input is gone', 'a', GONE, true],
  ['long input is gone', LONG, GONE, true],
  ['input is no JSON any more', 'a', "input = '{'", false],
] as const) {
  test(`a job whose ${what} is not run without it, but fails for good until it is given another`, async (context) => {
    const { mill, damage, database, row, belongs, work } = await openPatient(context)
    const { job } = await mill.enqueue(one, input)
    const isApart = input === LONG && !ON_POSTGRES
    await damage(
      isApart
        ? `DELETE FROM millrace_bodies WHERE job = ${belongs(job.id)}`
        : `UPDATE ${database.table('jobs')} SET ${set} WHERE id = ${row(job.id)}`,
    )
    assert.deepEqual(codesOf(await mill.doctor(), false), isFound ? [`field-missing ${job.id}`] : [])
    const inputs: unknown[] = []
    await work([handle(one, (its) => inputs.push(its.input))])
    const failed = await mill.waitFor(job)
    assert.deepEqual([failed.state, failed.input, inputs], ['failed', null, []])
    assert.deepEqual([failed.error?.code, failed.error?.verdict?.fatal], ['input-lost', true])
    await mill.retry(job, { fromStart: true, input: 'another' })
    assert.equal((await mill.waitFor(job)).state, 'completed')
    assert.deepEqual(inputs, ['another'])
    assert.deepEqual(await mill.validate(job), { isValid: true, issues: [] })
  })
}

test('nor is it in a thread of its own', async (context) => {
  const { mill, damage, database, row, work } = await openPatient(context)
  const { job } = await mill.enqueue(JOBS.thread, 'where')
  await damage(`UPDATE ${database.table('jobs')} SET ${GONE} WHERE id = ${row(job.id)}`)
  await work(SMITHS.filter(({ isolation }) => isolation === 'thread'))
  const { state, error } = await mill.waitFor(job)
  assert.deepEqual([state, error?.code, error?.verdict?.fatal], ['failed', 'input-lost', true])
})

test('a cleanup puts the same right by itself', async (context) => {
  const { mill, damage, database, row, make } = await openPatient(context)
  const id = await make('queued')
  await damage(`UPDATE ${database.table('jobs')} SET progress = -1, deadline_at = 5 WHERE id = ${row(id)}`)
  assert.equal((await mill.cleanup.runOnce()).validationIssuesFixed, 2)
  assert.deepEqual((await mill.validate(id)).issues, [])
})

test('what belongs to no job is found and cleared away', async (context) => {
  const { mill, damage, database, make, row } = await openPatient(context)
  const { table } = database
  const kept = await make('completed')
  const lost = ON_POSTGRES ? `'${LOST_ID}'` : '99'
  const log = ON_POSTGRES
    ? '(commit, idx, job, seq, code, at, attempt) SELECT min(n), 1,'
    : '(job, seq, code, at, attempt) SELECT'
  const from = ON_POSTGRES ? ` FROM ${commitsOf(table)}` : ''
  const strays: Readonly<Record<string, string>> = {
    label: `INSERT INTO ${table('labels')} (job, name, content) VALUES (${lost}, 'a', 'b')`,
    phase: `INSERT INTO ${table('phases')} (job, ordinal, generation, attempt, finished_at, result) VALUES (${lost}, 0, 1, 1, 1, '1')`,
    attempt: `INSERT INTO ${table('attempts')} (job, attempt, generation, outcome, phase, progress, started_at, ended_at) VALUES (${lost}, 1, 1, 1, 'run', 0, 1, 1)`,
    event: `INSERT INTO ${table('events')} ${log} ${lost}, 1, 2, 1, 0${from}`,
    artifact:
      `INSERT INTO ${table('artifacts')} (id, job, generation, attempt, phase, name, content_type, size_bytes, sha256, path, created_at) ` +
      `VALUES (${row(LOST_ID)}, ${lost}, 1, 1, 'run', 'x', 'text/plain', 1, ${ON_POSTGRES ? "decode(repeat('ab', 32), 'hex')" : 'zeroblob(32)'}, 'aa/x', 1)`,
    key:
      `INSERT INTO ${table('keys')} (tenant, type, key, job, input_hash, held_until) ` +
      `VALUES ('', 1, 'k', ${row(LOST_ID)}, ${ON_POSTGRES ? "''::bytea" : "x''"}, 1)`,
    ...(ON_POSTGRES ? {} : { body: "INSERT INTO millrace_bodies (job, kind, body) VALUES (99, 1, 'x')" }),
  }
  for (const sql of Object.values(strays)) await damage(sql)
  if (ON_POSTGRES) await damage(`UPDATE ${commitsOf(table)} SET events = 2 WHERE n = 1`)
  const wanted = Object.keys(strays).map((name) => `stray-${name} null`)
  const codes = codesOf(await mill.doctor(), false).filter((each) => each.startsWith('stray'))
  assert.deepEqual(codes, wanted.toSorted())
  const repaired = await mill.doctor({ repair: true })
  assert.deepEqual(codesOf(repaired, true), wanted.toSorted())
  assert.deepEqual(codesOf(await mill.doctor(), false), [])
  assert.equal((await mill.get(kept)).state, 'completed')
  assert.equal((await mill.events({ job: kept })).length, 3)
})

/** Runs one job whose handler writes artifacts of these names, each with its own name as its bytes. */
async function writeArtifacts({ mill }: Patient, ...names: readonly string[]): Promise<readonly Artifact[]> {
  const write = handle(one, async ({ artifact }) => {
    for (const name of names) await artifact.write(name, name)
  })
  const { job } = await mill.enqueue(one, undefined)
  const worker = await mill.work([write], { manual: true })
  await worker.runOnce()
  await worker.stop()
  return mill.artifacts(job)
}

test('bytes of artifacts that are missing or cut off are told, and those that belong to none are removed', async (context) => {
  const patient = await openPatient(context)
  const { mill, openStore, damage, database } = patient
  const [gone = '', cut = ''] = (await writeArtifacts(patient, 'gone', 'cut', 'whole')).map(({ id }) => id)
  const { artifacts, retention } = await openStore()
  const paths = await retention.artifactPaths([gone, cut])
  for (const path of paths.values()) await artifacts.bytes.remove(path)
  await artifacts.bytes.write(paths.get(cut) ?? '', Readable.from([Buffer.from('i')]))
  const orphan = `ad/${LOST_ID}.txt`
  await artifacts.bytes.write(orphan, Readable.from([Buffer.from('i')]))
  const file = artifacts.bytes.fileOf(orphan)
  if (file === null) await damage(`UPDATE ${database.table('artifact_chunks')} SET written_at = 1`)
  else utimesSync(file, 0, 0)
  const wanted = [`artifact-bytes-cut ${cut}`, `artifact-bytes-missing ${gone}`, `bytes-orphaned ${orphan}`]
  assert.deepEqual(codesOf(await mill.doctor(), false), wanted)
  assert.deepEqual(codesOf(await mill.doctor({ repair: true }), true), wanted.slice(2))
  assert.deepEqual(codesOf(await mill.doctor(), false), wanted.slice(0, 2))
})

test('bytes of artifacts that have changed are told by a deep look, which reads them all', async (context) => {
  const patient = await openPatient(context)
  const { mill, openStore, damage, database, command } = patient
  const [changed, gone] = await writeArtifacts(patient, 'changed', 'gone', 'whole')
  assert.ok(changed !== undefined && gone !== undefined)
  const { artifacts, retention } = await openStore()
  const paths = await retention.artifactPaths([changed.id, gone.id])
  const path = paths.get(changed.id) ?? ''
  const file = artifacts.bytes.fileOf(path)
  if (file !== null) writeFileSync(file, 'CHANGED')
  else await damage(`UPDATE ${database.table('artifact_chunks')} SET bytes = 'CHANGED' WHERE path = '${path}'`)
  await artifacts.bytes.remove(paths.get(gone.id) ?? '')
  const missing = `artifact-bytes-missing ${gone.id}`
  assert.deepEqual(codesOf(await mill.doctor({ repair: true }), false), [missing], 'as many as they were')

  const told: DoctorProgress[] = []
  const report = await mill.doctor({ deep: true, repair: true, onProgress: (progress) => told.push(progress) })
  assert.deepEqual(codesOf(report, false), [`artifact-bytes-damaged ${changed.id}`, missing])
  const finding = report.findings.find(({ subject }) => subject === changed.id)
  assert.match(finding?.message ?? '', new RegExp(`${changed.jobId}.*${path}`))
  assert.equal(finding?.repair, null)
  const bytesTotal = 'changed'.length + 'gone'.length + 'whole'.length
  assert.deepEqual(
    [told[0], told.at(-1)],
    [
      { bytesRead: 0, bytesTotal },
      { bytesRead: bytesTotal, bytesTotal },
    ],
  )

  const child = command('doctor', '--deep')
  assert.equal((await child.exit).code, 1)
  assert.match(child.output, /artifact-bytes-damaged.*\n.*A person has to choose/)
})

test('a session that nobody has ended long after its lease is ended', async (context) => {
  const { mill, damage, database } = await openPatient(context)
  await damage(
    `INSERT INTO ${database.table('sessions')} (holder, service, host, pid, concurrency, lease_ms, started_at, beat_at, expires_at) ` +
      "VALUES (7, 'press', 'gone', 1, 1, 1, 1, 1, 2)",
  )
  assert.deepEqual(codesOf(await mill.doctor(), false), ['session-overdue null'])
  assert.equal((await mill.doctor({ repair: true })).findings.filter(({ repaired }) => repaired).length, 1)
  assert.deepEqual(codesOf(await mill.doctor(), false), [])
})

test('an index, a view and a constraint that are missing are told, and the first two are made again', async (context) => {
  const { mill, database, connect } = await openTestMill(context, { maintenance: false })
  const { run: damage } = await connect()
  assert.deepEqual((await mill.doctor()).findings, [])
  const named = (name: string): string => database.table('jobs').replace(/jobs$/, name)
  const bare = (name: string): string => (ON_POSTGRES ? name : `millrace_${name}`)
  await damage(`DROP INDEX ${named('jobs_tenant')}; DROP VIEW ${named('job_view')}`)
  await damage(
    ON_POSTGRES
      ? dropChecks(database.table('types'))
      : 'ALTER TABLE millrace_types RENAME COLUMN policy TO rules; ALTER TABLE millrace_types RENAME COLUMN rules TO policy; ALTER TABLE millrace_types ADD COLUMN extra TEXT',
  )
  const wanted = [`index-missing ${bare('jobs_tenant')}`, `view-missing ${bare('job_view')}`]
  const report = await mill.doctor()
  assert.deepEqual(codesOf(report, false), wanted)
  const constraint = report.findings.find(({ code }) => code === 'constraint-missing')
  assert.deepEqual([constraint?.subject, constraint?.repair], [bare('types'), null])
  assert.deepEqual(codesOf(await mill.doctor({ repair: true }), true), wanted)
  assert.deepEqual(codesOf(await mill.doctor(), false), [])
})

test(
  'on PostgreSQL a log that is numbered wrongly is told, and goes on where it can',
  { skip: !ON_POSTGRES && 'a SQLite log has no numbers of its own' },
  async (context) => {
    const { mill, damage, database, make } = await openPatient(context)
    const commits = commitsOf(database.table)
    const head = database.table('events').replace('events', 'log_head')
    // Each with an event in a row beside the one that a list tells.
    const lost = await make('cancelled')
    const kept = await make('cancelled')
    const other = await make('cancelled')
    assert.equal((await mill.events()).length, 6)
    await damage(
      `DELETE FROM ${commits} WHERE n = (SELECT commit FROM ${database.table('events')} WHERE job = '${lost}')`,
    )
    await damage(`UPDATE ${head} SET position = 1`)
    await damage(
      `UPDATE ${commits} SET events = 3 WHERE n = (SELECT commit FROM ${database.table('events')} WHERE job = '${kept}')`,
    )
    const { findings } = await mill.doctor()
    assert.deepEqual(
      findings.filter(({ code }) => code.startsWith('log-')).map(({ code, repair }) => [code, repair !== null]),
      [
        ['log-head-behind', true],
        ['log-commit-missing', true],
        ['log-place-taken', false],
      ],
    )
    await mill.doctor({ repair: true })
    assert.deepEqual(
      codesOf(await mill.doctor(), false).map((each) => each.split(' ')[0]),
      ['log-place-taken'],
    )
    const told = (await mill.events()).map(({ jobId }) => jobId)
    assert.deepEqual(told.toSorted(), [lost, lost, kept, kept, other, other].toSorted())
    assert.equal(told.at(-1), lost)
  },
)

test('the command tells what is wrong, repairs it if it is told to, and says by its exit code whether all is sound', async (context) => {
  const { damage, database, row, make, command } = await openPatient(context)
  const id = await make('queued')
  const run = async (...args: readonly string[]): Promise<readonly [number | null, string]> => {
    const child = command(...args)
    const { code } = await child.exit
    return [code, child.output]
  }
  await damage(`UPDATE ${database.table('jobs')} SET progress = 150 WHERE id = ${row(id)}`)
  const [invalid, issues] = await run('validate', id)
  assert.equal(invalid, 1)
  assert.match(issues, /progress-out-of-range/)
  const [broken, text] = await run('doctor')
  assert.equal(broken, 1)
  assert.match(text, /progress-out-of-range.*\n.*Safe to repair/)
  const [, json] = await run('doctor', '--repair', '--json')
  const report = JSON.parse(json) as DoctorReport
  assert.deepEqual(codesOf(report, true), [`progress-out-of-range ${id}`])
  assert.deepEqual(await run('validate', id), [0, 'The job is sound.\n'])
})

test('red flags are told too, and make no store unsound', async (context) => {
  const { mill } = await openTestMill(context)
  await mill.enqueue('nobody.works', 1)
  const { redFlags, isSound } = await mill.doctor()
  assert.deepEqual(
    redFlags.map(({ code, type }) => [code, type]),
    [['no-owner', 'nobody.works']],
  )
  assert.equal(isSound, true)
})
