/** The death of a worker's process is seen at once by whoever sweeps on the same machine; what only looks like death is left to the lease. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { handle, JobManager } from '../../src/index.ts'
import type { JobHandle } from '../../src/index.ts'
import type { ChildProgram } from '../support/child-program.ts'
import { freezeUntilLost } from '../support/freeze-process.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { parcel } from './programs/parcel-jobs.ts'

const LEASE_MS = 30_000
const onLinux = { skip: process.platform !== 'linux' && 'nothing is known of processes' }

/** A worker in a process of its own that holds so many jobs, under a lease that no test waits for. */
async function holding(opened: TestMill, jobs: number): Promise<{ child: ChildProgram; held: readonly JobHandle[] }> {
  const child = opened.start('courier', { options: { concurrency: jobs } })
  await child.hear('ready')
  const held = await opened.mill.enqueueMany(Array.from({ length: jobs }, () => ({ definition: parcel })))
  await child.hear('holding', { nth: jobs })
  return { child, held: held.map(({ job }) => job) }
}

describe('a worker whose process', onLinux, () => {
  test('was killed has lost its jobs after one sweep, long before its lease is over', async (context) => {
    const opened = await openTestMill(context, { maintenance: false })
    const { mill, work } = opened
    const { child, held } = await holding(opened, 3)
    const beside = await holding(opened, 2)
    await child.kill()
    const { sessionsEnded, jobsReaped } = await mill.maintenance.runOnce()
    assert.deepEqual({ sessionsEnded, jobsReaped }, { sessionsEnded: 1, jobsReaped: 3 })
    const rescuer = await work([handle(parcel, () => 'rescued')])
    for (const job of held) {
      const { output, attempts, finishedAt, startedAt } = await mill.waitFor(job)
      assert.deepEqual([output, attempts.map(({ outcome }) => outcome)], ['rescued', ['lost', 'completed']])
      const [lost] = attempts
      assert.ok((finishedAt ?? 0) - (lost?.startedAt ?? 0) < LEASE_MS, `from ${lost?.startedAt} to ${startedAt}`)
    }
    const sessions = await mill.workers()
    assert.equal(sessions.find(({ pid }) => pid === child.pid)?.state, 'ended')
    assert.equal(sessions.find(({ pid }) => pid === beside.child.pid)?.state, 'live', 'the one beside it lives')
    for (const { id } of beside.held) assert.equal((await mill.get(id)).fence, 1)
    await rescuer.stop({ timeout: '20s' })
  })

  test('was killed has lost its jobs once a manager of jobs has looked for stuck ones', async (context) => {
    const opened = await openTestMill(context, { maintenance: false })
    const { child, held } = await holding(opened, 2)
    const beside = await holding(opened, 1)
    await child.kill()
    const jobs = new JobManager(opened.mill)
    assert.equal(await jobs.detectAndRecoverStuckJobs(), 2)
    for (const { id } of held) assert.equal((await opened.mill.get(id)).state, 'queued')
    for (const { id } of beside.held) assert.equal((await opened.mill.get(id)).state, 'running', 'its worker lives')
    assert.equal(await jobs.detectAndRecoverStuckJobs(), 0)
  })

  test('is stopped keeps its jobs while its lease runs, and goes on with them', async (context) => {
    const opened = await openTestMill(context, { maintenance: false })
    const { mill } = opened
    const { child, held } = await holding(opened, 2)
    child.signal('SIGSTOP')
    for (let sweeps = 0; sweeps < 3; sweeps += 1) {
      assert.equal((await mill.maintenance.runOnce()).sessionsEnded, 0)
    }
    assert.equal((await mill.workers()).find(({ pid }) => pid === child.pid)?.state, 'live')
    child.signal('SIGCONT')
    child.tell('go on')
    for (const job of held) {
      const { output, attempt } = await mill.waitFor(job)
      assert.deepEqual({ output, attempt }, { output: child.pid, attempt: 1 })
    }
  })

  test('is stopped for longer than its lease learns at every handler that the lease was lost', async (context) => {
    const opened = await openTestMill(context, { maintenance: false })
    const { mill, start, work } = opened
    const child = start('courier', { options: { concurrency: 2, lease: 1_000 } })
    await child.hear('ready')
    const held = await mill.enqueueMany([{ definition: parcel }, { definition: parcel }])
    await child.hear('holding', { nth: 2 })
    await freezeUntilLost(child, mill)
    const rescuer = await work([handle(parcel, () => 'rescued')])
    for (const { job } of held) assert.equal((await mill.waitFor(job)).output, 'rescued')
    await rescuer.stop({ timeout: '20s' })
    child.signal('SIGCONT')
    const told = [await child.hear('signalled'), await child.hear('signalled', { nth: 2 })]
    assert.deepEqual(told, ['lease-lost', 'lease-lost'])
    child.tell('go on')
    await child.hear('ended', { nth: 2 })
    for (const { job } of held) assert.equal((await mill.get(job)).output, 'rescued')
  })
})
