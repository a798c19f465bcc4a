import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { test } from 'node:test'

import { defineJob } from '../../src/client/define-job.ts'
import { COMPLETE_ONLY_PHASE, LOG } from '../../src/core/plans.ts'
import { handle } from '../../src/worker/handler.ts'
import { startWorker } from '../../src/worker/start-worker.ts'
import { scaled } from '../support/scale.ts'
import { elapsed, openSqlite, runtime } from './sqlite-bench.ts'

/** SQLite's file format, section 4.1: a header, then frames; each commit ends with a frame that says how large the database is now. */
const WAL_HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const PAGE_BYTES = 4_096

function commitsIn(file: string): number {
  if (statSync(`${file}-wal`).size === 0) return 0
  const wal = readFileSync(`${file}-wal`)
  const salt = wal.readBigUInt64BE(16)
  let commits = 0
  for (let at = WAL_HEADER_BYTES; at < wal.length; at += FRAME_HEADER_BYTES + PAGE_BYTES) {
    if (wal.readBigUInt64BE(at + 8) !== salt) break
    if (wal.readUInt32BE(at + 4) !== 0) commits += 1
  }
  return commits
}

for (const thread of [true, false]) {
  const where = thread ? 'on the thread' : "on the caller's thread"

  test(`a thousand calls that are under way at once share a few transactions, ${where}`, async (t) => {
    const b = await openSqlite(t, { thread })
    const before = commitsIn(b.file)
    await Promise.all(Array.from({ length: 1_000 }, () => b.store.jobs.enqueue([b.job()])))
    const commits = commitsIn(b.file) - before
    assert.ok(commits > 0 && commits < 25, `${commits} commits`)
  })

  test(`a lone call commits by itself, at once, ${where}`, async (t) => {
    const b = await openSqlite(t, { thread })
    const before = commitsIn(b.file)
    for (let n = 0; n < 5; n += 1) await b.add()
    assert.equal(commitsIn(b.file) - before, 5)
  })

  test(`a job that comes while a worker of the process is idle is added and claimed in one commit, ${where}`, async (t) => {
    const b = await openSqlite(t, { thread })
    const press = defineJob('press', { service: 'mill' })
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const begun: (() => void)[] = []
    const handlers = [
      handle(press, () => {
        begun.shift()?.()
        return ended
      }),
    ]
    const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }
    const worker = await startWorker({ store: b.store, runtime, logger, service: 'mill', handlers, concurrency: 5 })
    const commits: number[] = []
    await worker.idle()
    for (let round = 0; round < 3; round += 1) {
      // A worker that has just been busy lets others have their turn first.
      await elapsed(10)
      const started = new Promise<void>((resolve) => begun.push(resolve))
      const before = commitsIn(b.file)
      const job = b.job({ type: press.name, queue: press.queue, policy: press.policy })
      await Promise.all([started, b.store.jobs.enqueue([job])])
      commits.push(commitsIn(b.file) - before)
    }
    end()
    await worker.stop()
    assert.deepEqual(commits, [1, 1, 1])
  })

  test(`a lone call whose answer must leave no trace leaves none, and the next call works, ${where}`, async (t) => {
    const b = await openSqlite(t, { thread })
    const first = await b.add({ key: 'k', input: '1' })
    const holder = await b.session()
    const before = commitsIn(b.file)
    const other = { type: 'new.type', queue: 'new.queue', labels: { course: 'c1' } }
    for (let round = 0; round < 3; round += 1) {
      const refused = await b.store.jobs.enqueue([b.job(other), b.job({ key: 'k', input: '2' }), b.job(other)])
      assert.deepEqual(
        refused.map(({ outcome }) => outcome),
        ['created', 'key-reused', 'created'],
      )
      assert.equal(refused[1]?.id, first)
    }
    assert.equal(commitsIn(b.file), before)
    assert.deepEqual(
      (await b.store.queues.list()).map(({ name }) => name),
      ['map.export'],
    )
    const id = await b.add(other)
    assert.equal((await b.details(id)).queue, 'new.queue')
    assert.equal((await b.take(holder, ['new.type'])).claim.jobId, id)
    const { queued, running } = await b.store.jobs.counts({ scope: { role: 'operator' } })
    assert.deepEqual([queued, running], [1, 1])
  })

  test(`a lone call that fails is refused, leaves no trace, and the next call works, ${where}`, async (t) => {
    const b = await openSqlite(t, { thread })
    const twice = await b.add()
    const before = commitsIn(b.file)
    const type = { type: 'new.type', queue: 'new.queue' }
    await assert.rejects(b.store.jobs.enqueue([b.job(type), b.job({ id: twice })]), { code: 'internal' })
    assert.equal(commitsIn(b.file), before)
    assert.equal((await b.details(await b.add(type))).queue, 'new.queue')
    const { queued } = await b.store.jobs.counts({ scope: { role: 'operator' } })
    assert.equal(queued, 2)
  })

  test(`a call that fails is refused alone, and those that share its commit are carried out once, ${where}`, async (t) => {
    const b = await openSqlite(t, { thread })
    const { claim } = await b.running()
    const twice = b.job()
    const [first, second, third, bad, completed, logged] = await Promise.allSettled([
      b.store.jobs.enqueue([twice]),
      b.store.jobs.enqueue([twice]),
      b.store.jobs.enqueue([b.job()]),
      b.store.jobs.enqueue([b.job({ priority: 0.5 })]),
      b.act(COMPLETE_ONLY_PHASE, claim, { output: '1' }),
      b.act(LOG, claim),
    ])
    assert.equal(first.status, 'fulfilled')
    assert.equal(second.status, 'rejected', 'an id is used once')
    assert.equal(third.status, 'fulfilled')
    assert.equal(bad.status, 'rejected', 'half a priority is none')
    assert.partialDeepStrictEqual(completed, { status: 'fulfilled', value: { applied: true } })
    assert.partialDeepStrictEqual(logged, { status: 'fulfilled', value: { applied: false, refusal: 'lease-lost' } })
    assert.equal((await b.details(claim.jobId)).state, 'completed')
    assert.equal((await b.events(claim.jobId)).filter(({ name }) => name === 'job:completed').length, 1)
    const counts = await b.store.jobs.counts({ scope: { role: 'operator' } })
    assert.deepEqual([counts.queued, counts.completed], [2, 1])
  })
}

test('what a call that failed had looked up or added is not believed afterwards', async (t) => {
  const b = await openSqlite(t)
  const type = { type: 'new.type', queue: 'new.queue' }
  await assert.rejects(b.store.jobs.enqueue([b.job(type), b.job({ ...type, priority: 0.5 })]))
  const id = await b.add(type)
  assert.equal((await b.details(id)).queue, 'new.queue')
  assert.equal((await b.claim(await b.session(), 1, ['new.type']))[0]?.claim.jobId, id)
})

test('refusals of one enqueue leave no trace, and their neighbours stand', async (t) => {
  const b = await openSqlite(t)
  await b.store.jobs.enqueue([b.job({ key: 'k', input: '1' })])
  const [refused, created] = await Promise.all([
    b.store.jobs.enqueue([b.job({ input: '2' }), b.job({ key: 'k', input: '2' })]),
    b.store.jobs.enqueue([b.job({ input: '3' })]),
  ])
  assert.deepEqual(
    refused.map(({ outcome }) => outcome),
    ['created', 'key-reused'],
  )
  assert.equal(created[0]?.outcome, 'created')
  const { queued } = await b.store.jobs.counts({ scope: { role: 'operator' } })
  assert.equal(queued, 2)
})

test('calls of one kind are carried out in the order they were made, however many messages they travel in', async (t) => {
  const b = await openSqlite(t)
  const { claim } = await b.running()
  const count = scaled(700)
  const logs = Array.from({ length: count }, (_, n) => b.act(LOG, claim, {}, { detail: JSON.stringify({ n }) }))
  await Promise.all(logs)
  const told = (await b.events(claim.jobId)).filter(({ name }) => name === 'job:log')
  assert.deepEqual(
    told.map(({ detail }) => (JSON.parse(detail ?? '{}') as { n?: number }).n),
    Array.from({ length: count }, (_, n) => n),
  )
})
