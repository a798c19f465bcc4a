import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'

import { MillraceError } from '../../src/core/errors.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { newFile, newFolder, openSqlite, runtime } from './sqlite-bench.ts'
import { spawnProgram } from './programs.ts'

function codeOf(settled: PromiseSettledResult<unknown>): string {
  return settled.status === 'rejected' && settled.reason instanceof MillraceError ? settled.reason.code : settled.status
}

function connectionTo(file: string): DatabaseSync {
  return new DatabaseSync(file)
}

test('a program that ends by itself with a commit pending commits it first', async (t) => {
  const file = newFile(t)
  for (const ending of ['enqueue', 'enqueue-close', 'enqueue-transaction', 'idle'] as const) {
    const program = await spawnProgram(t, 'ender', { file, ending })
    assert.equal(await program.ended(), 0, ending)
  }
  const b = await openSqlite(t, { file })
  assert.equal((await b.store.jobs.counts({ scope: OPERATOR })).queued, 31)
})

test('close carries out what has been called, and refuses what is called after it', async (t) => {
  const b = await openSqlite(t)
  const calls = Array.from({ length: 600 }, () => b.store.jobs.enqueue([b.job()]))
  const read = b.store.jobs.counts({ scope: OPERATOR })
  const closed = b.store.close()
  const late = b.store.jobs.enqueue([b.job()])
  await assert.rejects(late, { code: 'store-closed' })
  assert.equal((await Promise.all(calls)).length, 600)
  await read
  await closed
  await assert.rejects(b.store.now(), { code: 'store-closed' })
  await b.store.close()
  const again = await openSqlite(t, { file: b.file })
  assert.equal((await again.store.jobs.counts({ scope: OPERATOR })).queued, 600)
})

test('a thread file that is no store of this version is refused when the store is opened', async (t) => {
  const folder = newFolder(t)
  const files = {
    'ends.mjs': '',
    'throws.mjs': 'throw new Error("not me")',
    'babbles.mjs':
      'import { parentPort } from "node:worker_threads"; parentPort.postMessage({ kind: "hello" }); setInterval(() => {}, 1000)',
  }
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text)
    await assert.rejects(openSqlite(t, { threadFile: join(folder, name) }), { code: 'thread-missing' }, name)
  }
})

test('a thread that dies refuses what is pending and what comes, and its sessions are lost', async (t) => {
  const folder = newFolder(t)
  const deadly = join(folder, 'deadly.mjs')
  const thread = JSON.stringify(new URL('../../src/sqlite/thread.ts', import.meta.url).href)
  writeFileSync(
    deadly,
    `import { parentPort, workerData } from 'node:worker_threads'
    if (workerData.role === 'writer') parentPort.on('message', (message) => {
      if (JSON.stringify(message).includes('poisonous')) process.exit(1)
    })
    await import(${thread})`,
  )
  const b = await openSqlite(t, { threadFile: deadly })
  let lost = 0
  await b.session({}, () => {
    lost += 1
  })
  const calls = await Promise.allSettled([b.add({ input: '"poisonous"' }), b.add()])
  assert.deepEqual(calls.map(codeOf), ['internal', 'internal'])
  await assert.rejects(b.add(), (error) => error instanceof MillraceError && error.code === 'internal')
  await assert.rejects(
    b.store.transactions.run(connectionTo(b.file), () => undefined),
    { code: 'internal' },
  )
  assert.equal(lost, 1)
  assert.match(b.logged.join('\n'), /thread of the store has died/)
  await b.store.close()
})

test('a call that cannot be posted is refused alone', async (t) => {
  const b = await openSqlite(t)
  const unpostable = { ...b.job(), labels: { a: (() => 1) as unknown as string } }
  const [bad, good] = await Promise.allSettled([b.store.jobs.enqueue([unpostable]), b.add()])
  assert.equal(codeOf(bad), 'internal')
  assert.equal(good.status, 'fulfilled')
})

test('an open store keeps no program alive', async (t) => {
  const file = newFile(t)
  const startedAt = runtime.monotonic()
  for (const thread of [true, false]) {
    const program = await spawnProgram(t, 'ender', { file, ending: 'idle', thread })
    assert.equal(await program.ended(), 0)
  }
  assert.ok(runtime.monotonic() - startedAt < 20_000)
})
