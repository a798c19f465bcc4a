/** What becomes of a store whose disk is full, whose file is damaged or not its own, or whose folder is not there. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { MillraceError } from '../../src/core/errors.ts'
import { CANCEL, COMPLETE_ONLY_PHASE, FAIL_FINAL, RELEASE } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { fileOfUrl, isNetworkFileSystem } from '../../src/sqlite/location.ts'
import { newFile, newFolder, openSqlite, until } from './sqlite-bench.ts'
import type { SqliteBench } from './sqlite-bench.ts'

const BALLAST = JSON.stringify('x'.repeat(100_000))
const MEBIBYTE = 1024 * 1024

function codeOf(error: unknown): string {
  return error instanceof MillraceError ? error.code : String(error)
}

/** Enqueues until it is refused, and says how. */
async function fillUp(b: SqliteBench): Promise<string> {
  for (let n = 0; n < 1_000; n += 1) {
    const [outcome] = await Promise.allSettled([b.store.jobs.enqueue([b.job({ type: 'ballast', input: BALLAST })])])
    if (outcome.status === 'rejected') return codeOf(outcome.reason)
  }
  throw new Error('there was always room')
}

async function endsJobsWhileFull(b: SqliteBench, free: () => Promise<void>): Promise<void> {
  const holder = await b.session()
  const running = []
  for (let n = 0; n < 4; n += 1) await b.add()
  for (const job of await b.claim(holder, 4)) running.push(job)
  const [completed, released, failed, cancelled] = running
  assert.ok(completed && released && failed && cancelled)
  assert.equal(await fillUp(b), 'store-full')
  await assert.rejects(b.add(), { code: 'store-full', message: /Free some room/ })
  await b.must(COMPLETE_ONLY_PHASE, completed.claim, { output: '1' })
  await b.must(RELEASE, released.claim)
  await b.must(FAIL_FINAL, failed.claim)
  await b.must(CANCEL, cancelled.claim.jobId, { actor: 'ann', reason: null })
  const states = await b.store.jobs.states(running.map(({ claim }) => claim.jobId))
  assert.deepEqual([...states.values()], ['completed', 'queued', 'failed', 'running'])
  await free()
  await until(
    'jobs are taken on again',
    () =>
      b.add().then(
        () => true,
        () => false,
      ),
    8_000,
  )
  assert.ok((await b.claim(holder)).length > 0)
}

for (const thread of [true, false]) {
  test(`with its size limit reached a store ends jobs, takes on none, and goes on when there is room, thread: ${thread}`, async (t) => {
    const b = await openSqlite(t, { thread, maxBytes: 2 * MEBIBYTE })
    await endsJobsWhileFull(b, async () => {
      const connection = new DatabaseSync(b.file)
      await b.store.transactions.run(connection, () => {
        connection.exec('DELETE FROM millrace_bodies WHERE job IN (SELECT n FROM millrace_jobs WHERE type <> 1)')
      })
      connection.close()
    })
  })
}

test('calls that share a commit with one for which there is no room are carried out once', async (t) => {
  const b = await openSqlite(t, { maxBytes: MEBIBYTE })
  const { claim } = await b.running()
  assert.equal(await fillUp(b), 'store-full')
  const other = await openSqlite(t, { maxBytes: MEBIBYTE })
  const held = await other.running()
  const input = JSON.stringify('x'.repeat(250_000))
  const calls = await Promise.allSettled([
    other.must(COMPLETE_ONLY_PHASE, held.claim, { output: '1' }),
    ...Array.from({ length: 8 }, () => other.store.jobs.enqueue([other.job({ input })])),
  ])
  assert.equal(calls[0].status, 'fulfilled')
  assert.equal((await other.eventNames(held.claim.jobId)).filter((name) => name === 'job:completed').length, 1)
  const created = calls.slice(1).filter(({ status }) => status === 'fulfilled').length
  assert.ok(created < 8, `${created} of 8`)
  assert.equal((await other.store.jobs.counts({ scope: OPERATOR })).queued, created)
  await b.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
})

/** Mounts something on a new folder until the test ends; null where this may not be done here. */
function mount(t: TestContext, ...commands: readonly (readonly string[])[]): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-mount-'))
  t.after(() => {
    spawnSync('umount', ['-l', folder])
    rmdirSync(folder)
  })
  const mounted = commands.every((options) => spawnSync('mount', [...options, folder]).status === 0)
  return mounted ? folder : null
}

test('on a full disk a store ends jobs, takes on none, and goes on when there is room', async (t) => {
  const disk = mount(t, ['-t', 'tmpfs', '-o', `size=${32 * MEBIBYTE}`, 'tmpfs'])
  if (disk === null) return t.skip('a small disk can only be mounted by root on Linux')
  const ballast = join(disk, 'ballast')
  // As much as the reserve, which the ends of jobs may have used up by then.
  writeFileSync(ballast, Buffer.alloc(8 * MEBIBYTE))
  const b = await openSqlite(t, { file: join(disk, 'jobs.db') })
  await endsJobsWhileFull(b, () => {
    rmSync(ballast)
    return Promise.resolve()
  })
  await b.store.close()
  assert.deepEqual(readdirSync(disk), ['jobs.db'], 'nothing is left beside the database')
})

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

function overwrite(file: string, at: number, bytes: number): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, Buffer.alloc(bytes, 0xa5), 0, bytes, at)
  closeSync(descriptor)
}

/** A closed database with so many jobs in it. */
async function closedDatabase(t: TestContext, jobs: number = 1): Promise<string> {
  const b = await openSqlite(t)
  await b.store.jobs.enqueue(Array.from({ length: jobs }, () => b.job()))
  await b.store.close()
  return b.file
}

for (const thread of [true, false]) {
  test(`a database whose schema is damaged is refused and not touched, thread: ${thread}`, async (t) => {
    const file = await closedDatabase(t)
    overwrite(file, 100, 3_000)
    const before = hashOf(file)
    await assert.rejects(openSqlite(t, { file, thread }), { code: 'store-damaged', message: /backup/ })
    assert.equal(hashOf(file), before)
  })

  test(`a database with damaged pages is read where it can be, and written no more, thread: ${thread}`, async (t) => {
    const file = await closedDatabase(t, 2_000)
    const page = new DatabaseSync(file)
    const { rootpage } = page.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'millrace_jobs_id'").get() ?? {}
    page.close()
    overwrite(file, (Number(rootpage) - 1) * 4_096, 4_096)
    const b = await openSqlite(t, { file, thread })
    await assert.rejects(b.store.jobs.get(b.job().id, OPERATOR), { code: 'store-damaged' })
    assert.equal((await b.store.queues.list()).length, 1, 'other tables can be read')
    await assert.rejects(b.add(), { code: 'store-damaged' })
    const before = hashOf(file)
    await assert.rejects(b.store.queues.pause('map.export', 'ann'), { code: 'store-damaged' })
    await b.store.close()
    assert.equal(hashOf(file), before)
  })
}

test('a file that is no database is refused and not touched', async (t) => {
  const file = newFile(t)
  for (const text of ['x', 'a letter to a friend, long enough to be taken for a header', '\0'.repeat(5_000)]) {
    writeFileSync(file, text)
    await assert.rejects(openSqlite(t, { file }), { code: 'store-foreign' })
    assert.equal(readFileSync(file, 'latin1'), text)
    assert.deepEqual(readdirSync(dirname(file)), ['jobs.db'])
  }
  writeFileSync(file, '')
  await (await openSqlite(t, { file })).add()
})

test("another application's database is shared with it, each with its own tables", async (t) => {
  const file = newFile(t)
  const application = new DatabaseSync(file)
  application.exec('CREATE TABLE jobs (name TEXT); INSERT INTO jobs VALUES (1)')
  const b = await openSqlite(t, { file })
  await b.add()
  application.exec("INSERT INTO jobs VALUES ('two')")
  assert.equal(application.prepare('SELECT count(*) AS jobs FROM jobs').get()?.['jobs'], 2)
  application.close()
})

const REFUSED_SCHEMAS = {
  'store-newer': "INSERT INTO millrace_migrations VALUES (9999, '9999_add_wings', 'x', 0)",
  'store-foreign': "UPDATE millrace_migrations SET checksum = 'x' WHERE version = 1",
} as const

for (const [code, sql] of Object.entries(REFUSED_SCHEMAS)) {
  test(`a database that has another history of migrations is refused with ${code} and not touched`, async (t) => {
    const file = await closedDatabase(t)
    const connection = new DatabaseSync(file)
    connection.exec(sql)
    connection.exec('PRAGMA journal_mode = DELETE')
    connection.close()
    const before = hashOf(file)
    for (const thread of [true, false]) await assert.rejects(openSqlite(t, { file, thread }), { code })
    assert.equal(hashOf(file), before)
  })
}

test("another application's tables under our names are refused and not touched", async (t) => {
  for (const sql of [
    'CREATE TABLE millrace_jobs (x)',
    'CREATE TABLE millrace_migrations (x)',
    'CREATE VIEW millrace_x AS SELECT 1',
  ]) {
    const file = newFile(t)
    const application = new DatabaseSync(file)
    application.exec(sql)
    application.close()
    const before = hashOf(file)
    await assert.rejects(openSqlite(t, { file }), { code: 'store-foreign' })
    assert.equal(hashOf(file), before, sql)
  }
})

test('a place where no database can be is refused with the reason', async (t) => {
  const folder = newFolder(t)
  const file = join(folder, 'file')
  writeFileSync(file, '')
  mkdirSync(join(folder, 'folder.db'))
  const places = {
    [join(folder, 'missing', 'jobs.db')]: /its folder .+ is not there/,
    [join(file, 'jobs.db')]: /is not a folder/,
    [join(folder, 'folder.db')]: /it is not a file/,
  }
  for (const [place, message] of Object.entries(places)) {
    await assert.rejects(openSqlite(t, { file: place }), { code: 'store-unwritable', message })
  }
  for (const url of ['sqlite:', 'jobs.db', 'sqlite:./a.db?mode=ro', 'postgres://x']) {
    assert.throws(() => fileOfUrl(url), { code: 'url-invalid' })
  }
})

test('a database or a folder that may not be written is refused', async (t) => {
  const file = await closedDatabase(t)
  // Even root may not write there.
  const view = mount(t, ['--bind', dirname(file)], ['-o', 'remount,ro,bind'])
  if (view === null) return t.skip('a read-only view can only be mounted by root on Linux')
  for (const name of [basename(file), 'new.db']) {
    await assert.rejects(openSqlite(t, { file: join(view, name) }), { code: 'store-unwritable' })
  }
})

test('a link to a database is followed to where its journal is', async (t) => {
  const file = await closedDatabase(t)
  const link = join(newFolder(t), 'link.db')
  symlinkSync(file, link)
  const b = await openSqlite(t, { file: link })
  await b.add()
  assert.deepEqual(readdirSync(dirname(link)), ['link.db'])
  assert.ok(statSync(`${file}-wal`).size > 0)
})

test('file systems of other machines are known by their numbers', () => {
  const kinds = { nfs: 0x6969, smb: 0x517b, cifs: 0xff534d42, smb2: 0xfe534d42, '9p': 0x01021997, ceph: 0x00c36400 }
  for (const [kind, type] of Object.entries(kinds)) assert.ok(isNetworkFileSystem('linux', type), kind)
  const local = {
    ext4: 0xef53,
    xfs: 0x58465342,
    btrfs: 0x9123683e,
    tmpfs: 0x01021994,
    overlay: 0x794c7630,
    zfs: 0x2fc12fc1,
  }
  for (const [kind, type] of Object.entries(local)) assert.ok(!isNetworkFileSystem('linux', type), kind)
  assert.ok(!isNetworkFileSystem('darwin', 0x6969), 'other systems number them otherwise')
})
