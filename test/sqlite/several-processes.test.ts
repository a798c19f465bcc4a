import assert from 'node:assert/strict'
import { test } from 'node:test'

import { OPERATOR } from '../../src/core/scope.ts'
import { ONE_PHASE } from '../support/contract-bench.ts'
import { scaled } from '../support/scale.ts'
import { spawnProgram } from './programs.ts'
import { newFile, openSqlite } from './sqlite-bench.ts'

interface Written {
  readonly commits: number
  readonly errors: readonly string[]
}

for (const thread of [true, false]) {
  test(`two busy processes are never told of a lock, and each gets a fair share, threads: ${thread}`, async (t) => {
    const file = newFile(t)
    const programs = await Promise.all([1, 2].map(() => spawnProgram(t, 'busy', { file, thread })))
    const written = (await Promise.all(programs.map((program) => program.ask('write')))) as readonly Written[]
    const commits = written.map((each) => each.commits)
    assert.deepEqual(
      written.flatMap(({ errors }) => errors),
      [],
    )
    // SQLite's own way of waiting gave one of two busy writers a thirtieth of what the other got.
    assert.ok(Math.min(...commits) > Math.max(...commits) * 0.1, `commits: ${commits.join(' and ')}`)
    const b = await openSqlite(t, { file })
    const { queued } = await b.store.jobs.counts({ scope: OPERATOR })
    assert.equal(
      queued,
      commits.reduce((sum, each) => sum + each, 0),
    )
  })
}

test('processes that open one new file at the same moment all open it', async (t) => {
  for (let round = 0; round < scaled(1); round += 1) {
    const file = newFile(t)
    await Promise.all(Array.from({ length: 4 }, () => spawnProgram(t, 'holder', { file, leaseMs: 30_000 })))
    const b = await openSqlite(t, { file })
    assert.equal((await b.store.sessions.list()).length, 4)
  }
})

test('stores that are opened at the same moment on one new file all open', async (t) => {
  const file = newFile(t)
  const benches = await Promise.all(
    Array.from({ length: 6 }, (_, index) => openSqlite(t, { file, thread: index % 3 !== 0 })),
  )
  await Promise.all(benches.map((b) => b.add()))
  assert.equal((await benches[0]?.store.jobs.counts({ scope: OPERATOR }))?.queued, 6)
})

test('what another process registers or pauses counts at once', async (t) => {
  const b = await openSqlite(t)
  for (const thread of [true, false]) {
    const neighbour = await openSqlite(t, { file: b.file, thread })
    const type = `type.${thread}`
    const id = await b.add({ type })
    const details = async (): Promise<string | null> => {
      const job = await neighbour.store.jobs.get(id, OPERATOR)
      return typeof job === 'string' ? job : job.service
    }
    assert.equal(await details(), null)
    await b.register({ ...ONE_PHASE, timeoutMs: 777 }, type)
    assert.equal(await details(), 'workers')
    await b.store.queues.pause(type, 'ann')
    const holder = await neighbour.session()
    assert.deepEqual(await neighbour.claim(holder, 1, [type]), [])
    await b.store.queues.resume(type, 'ann')
    assert.equal((await neighbour.take(holder, [type])).policy.timeoutMs, 777)
    const refused = await neighbour.store.jobTypes.register('others', [{ type, queue: type, policy: ONE_PHASE }])
    assert.deepEqual(refused, { accepted: false, type, service: 'workers' })
  }
})
