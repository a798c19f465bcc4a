/** A folder of artifacts is one store's: another would take its files for nobody's, and remove them. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'

import { defineJob, handle, openMillrace } from '../../src/index.ts'
import type { Job, Millrace, OpenedArtifact } from '../../src/index.ts'
import { ArtifactFolder } from '../../src/store/artifact-folder.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { writeTree } from '../support/temporary-tree.ts'

const print = defineJob('print', { service: 'press', retry: { maxAttempts: 1 } })
const printing = handle(print, async ({ artifact }) => {
  await artifact.write('page.txt', 'ink')
})
const MARK = 'millrace-store'
const DAY_MS = 86_400_000

/** Runs a job that writes a file, to its end. */
async function printPage(mill: Millrace): Promise<Job> {
  const { job } = await mill.enqueue(print)
  const worker = await mill.work([printing], { manual: true })
  await worker.runOnce()
  await worker.idle()
  await worker.stop()
  return mill.get(job)
}

async function openPage(mill: Millrace, { id }: Job): Promise<OpenedArtifact> {
  const [page] = await mill.artifacts(id)
  assert.ok(page !== undefined)
  return mill.openArtifact(page.id)
}

test('another store is refused the folder of one that has used it, and told whose it is', async (context) => {
  const artifacts = join(writeTree(context, {}), 'files')
  const { mill, open } = await openTestMill(context, { artifacts })
  assert.ok(!existsSync(artifacts), 'nothing is made before there is something to keep')
  await printPage(mill)
  const whose = mill.description.split(' ')[0] ?? ''
  await assert.rejects(openTestMill(context, { artifacts }), (error: Error & { readonly code?: string }) => {
    assert.equal(error.code, 'artifacts-foreign')
    for (const told of [artifacts, whose, MARK]) assert.ok(error.message.includes(told), `${told} in: ${error.message}`)
    return true
  })
  const beside = await open()
  const job = await printPage(beside)
  assert.equal(job.state, 'completed', 'another process of the same store shares it')
  assert.equal(Buffer.from(await (await openPage(mill, job)).bytes()).toString(), 'ink')
})

test('of two stores that were opened before either had used it the later can write nothing, and removes nothing', async (context) => {
  const artifacts = join(writeTree(context, {}), 'files')
  const { mill } = await openTestMill(context, { artifacts })
  const { mill: late } = await openTestMill(context, { artifacts })
  const { path } = await openPage(mill, await printPage(mill))
  assert.ok(path !== null)
  utimesSync(path, 0, (Date.now() - 2 * DAY_MS) / 1_000)
  const failed = await printPage(late)
  assert.deepEqual([failed.state, failed.error?.code], ['failed', 'artifacts-foreign'])
  const folder = new ArtifactFolder(artifacts)
  await folder.belongTo({ storeId: 'another', store: 'sqlite:/another.db' }).catch(() => undefined)
  await assert.rejects(folder.old({ part: 0, parts: 1, ageMs: DAY_MS, now: Date.now() }).next(), {
    code: 'artifacts-foreign',
  })
  await assert.rejects(late.doctor({ repair: true }), { code: 'artifacts-foreign' })
  assert.ok(existsSync(path))
})

test('a folder that bears no mark is taken over with what is in it', async (context) => {
  const artifacts = join(writeTree(context, {}), 'files')
  const { mill, open } = await openTestMill(context, { artifacts })
  const first = await printPage(mill)
  rmSync(join(artifacts, MARK))
  const again = await open()
  assert.equal((await openPage(again, first)).record.name, 'page.txt')
  await printPage(again)
  assert.ok(existsSync(join(artifacts, MARK)))
  await assert.rejects(openTestMill(context, { artifacts }), { code: 'artifacts-foreign' })
})

test('a store in memory leaves no mark, and respects that of another', async (context) => {
  const root = writeTree(context, {})
  for (const run of [1, 2]) {
    await using mill = await openMillrace('sqlite::memory:', { artifacts: join(root, 'loose') })
    assert.equal((await printPage(mill)).state, 'completed', `run ${run}`)
  }
  assert.ok(!readdirSync(join(root, 'loose')).includes(MARK))
  const { mill } = await openTestMill(context, { artifacts: join(root, 'files') })
  await printPage(mill)
  await assert.rejects(openMillrace('sqlite::memory:', { artifacts: join(root, 'files') }), {
    code: 'artifacts-foreign',
  })
})

test('of many that use a folder for the first time at once one store has it, in all of its processes', async (context) => {
  const artifacts = join(writeTree(context, {}), 'files')
  const owners = ['a', 'b', 'c'].map((storeId) => ({ storeId, store: `sqlite:/${storeId}.db` }))
  const tries = await Promise.allSettled(
    [...owners, ...owners, ...owners].map(async (owner, index) => {
      const folder = new ArtifactFolder(artifacts)
      await folder.belongTo(owner)
      await folder.write(`0${index}/x.txt`, Readable.from([Buffer.from('ink')]))
      return owner.storeId
    }),
  )
  const kept = tries.flatMap((tried) => (tried.status === 'fulfilled' ? [tried.value] : []))
  assert.equal(kept.length, 3)
  assert.equal(new Set(kept).size, 1)
  assert.deepEqual(
    readdirSync(artifacts).filter((name) => name.length > 2),
    [MARK],
  )
})
