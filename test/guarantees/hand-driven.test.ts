/** Jobs that people drive by hand, from a web handler or a script: one driver at a time, nobody writes late, and what is stuck is found. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob, handle, JobManager, LeaseLostError } from '../../src/index.ts'
import type { Written } from '../../src/index.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { eventsOf } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'

const MINUTE = 60_000
const review = defineJob('film.review', { service: 'studio', timeout: 'none' })
const cut = defineJob('film.cut', { service: 'studio', phases: ['load', 'cut', 'store'] })

interface Studio extends TestMill {
  readonly runtime: VirtualRuntime
  readonly ann: JobManager
  readonly bob: JobManager
}

/** Nobody looks after the store but the test, which moves its clock from what it really is. */
async function openStudio(context: TestContext): Promise<Studio> {
  const runtime = virtualRuntime({ startAt: systemRuntime().now() })
  const opened = await openTestMill(context, { runtime, maintenance: false, service: 'studio' })
  const ann = new JobManager(opened.mill, { actor: 'ann' })
  return { ...opened, runtime, ann, bob: new JobManager(await opened.open(), { actor: 'bob' }) }
}

describe('a job that is driven by hand', () => {
  test('is had by one of those who want it, and the others are told who has it', async (context) => {
    const { mill, open } = await openTestMill(context, { service: 'studio', maintenance: false })
    const names = ['ann', 'bob', 'cid']
    const others = [await open(), await open()]
    const managers = [mill, ...others].map((one, index) => new JobManager(one, { actor: names[index] ?? '' }))
    for (let round = 0; round < 5; round += 1) {
      const { job } = await mill.enqueue(review)
      const answers = await Promise.all(managers.map((manager) => manager.startProcessing(job)))
      const winner = answers.findIndex(({ success }) => success)
      assert.equal(answers.filter(({ success }) => success).length, 1, 'one has it')
      for (const answer of answers) if (!answer.success) assert.equal(answer.heldBy?.by, names[winner])
      for (const [index, manager] of managers.entries()) {
        if (index !== winner) await assert.rejects(manager.updateProgress(job, 5), LeaseLostError)
      }
      await managers[winner]?.completeJob(job, { output: names[winner] })
      const { attempt, output } = await mill.get(job)
      assert.deepEqual({ attempt, output }, { attempt: 1, output: names[winner] })
    }
  })

  test('is not worked on by a worker too', async (context) => {
    const { mill, work } = await openTestMill(context, { service: 'studio' })
    const ann = new JobManager(mill, { actor: 'ann' })
    const count = 30
    const worked: string[] = []
    const items = Array.from({ length: count }, () => ({ definition: review, input: null }))
    const enqueued = await mill.enqueueMany(items)
    const starting = work([handle(review, ({ jobId }) => worked.push(jobId))], { concurrency: 3 })
    const answers = await Promise.all(enqueued.toReversed().map(({ job }) => ann.startProcessing(job)))
    await starting
    const taken = answers.filter(({ success }) => success).map(({ jobId }) => jobId)
    for (const id of taken) await ann.completeJob(id)
    for (const { job } of enqueued) {
      const { state, attempt, releasedAttempts } = await mill.waitFor(job)
      // What a worker that is held up has taken ahead it gives back unbegun.
      assert.deepEqual({ state, attempt }, { state: 'completed', attempt: 1 + releasedAttempts })
    }
    assert.deepEqual(
      [...taken, ...worked].toSorted(),
      enqueued.map(({ job }) => job.id).toSorted(),
      'each has one driver',
    )
  })

  test('is as good as any other to those who watch it', async (context) => {
    const { mill, ann } = await openStudio(context)
    const { job } = await mill.enqueue(cut)
    await mill.pauseQueue('film.cut')
    await ann.startProcessing(job)
    assert.deepEqual(await mill.workers(), [], 'its driver is no worker')
    assert.match((await mill.explain(job)).summary, /^The job is running: ann drives it by hand/)
    await ann.updateProgress(job, 20)
    await ann.completePhase(job, { frames: 3 })
    await ann.completeJob(job, { filePath: 'film.mp4', metadata: { minutes: 90 } })
    const { state, output, phases, worker } = await mill.waitFor(job)
    assert.deepEqual([state, output], ['completed', { filePath: 'film.mp4', metadata: { minutes: 90 } }])
    assert.deepEqual(
      phases.map((phase) => [phase.state, phase.result]),
      [
        ['done', { frames: 3 }],
        ['done', null],
        ['done', output],
      ],
    )
    assert.equal(worker?.service, 'studio')
    assert.deepEqual(
      (await eventsOf(mill, job)).map(({ name }) => name),
      [
        'job:queued',
        'job:started',
        'job:progress',
        'phase:completed',
        'phase:completed',
        'phase:completed',
        'job:completed',
      ],
    )
  })

  test('is put back when the process of its driver was killed, but not before its lock has run out', async (context) => {
    const { mill, ann, bob, start, runtime } = await openStudio(context)
    const driver = start('hand-driver')
    const { job } = await mill.enqueue(review)
    await driver.hear('ready')
    driver.tell('take', job.id)
    const taken = await driver.hear<{ readonly success: boolean; readonly lockId: string }>('taken')
    assert.ok(taken.success)
    await driver.kill()
    assert.equal(await ann.detectAndRecoverStuckJobs(), 0)
    await runtime.advance(14 * MINUTE)
    assert.equal(await ann.detectAndRecoverStuckJobs(), 0)
    assert.equal((await bob.startProcessing(job)).success, false)
    await runtime.advance(2 * MINUTE)
    assert.equal(await ann.detectAndRecoverStuckJobs(), 1)
    assert.ok((await bob.startProcessing(job)).success)
    await assert.rejects(ann.completeJob(job, {}, taken.lockId), LeaseLostError)
    await bob.completeJob(job, { output: 'by bob' })
    const { output, failures, strikes, suspect, attempts } = await mill.get(job)
    assert.deepEqual(
      { output, failures, strikes, suspect },
      { output: 'by bob', failures: 0, strikes: 0, suspect: false },
    )
    assert.deepEqual(
      attempts.map(({ outcome }) => outcome),
      ['lost', 'completed'],
    )
  })
})

type Late = (jobs: JobManager, id: string, lockId: string) => Promise<Written | object>

const LATE_WRITES: Readonly<Record<string, Late>> = {
  progress: (jobs, id, lockId) => jobs.updateProgress(id, 99, lockId),
  extension: (jobs, id, lockId) => jobs.extendJobLock(id, lockId, 60 * MINUTE),
  'phase result': (jobs, id, lockId) => jobs.completePhase(id, 'late', lockId),
  completion: (jobs, id, lockId) => jobs.completeJob(id, { output: 'late' }, lockId),
  failure: (jobs, id, lockId) => jobs.failJob(id, 'late', lockId),
  release: (jobs, id, lockId) => jobs.releaseJob(id, lockId),
  transition: (jobs, id, lockId) => jobs.transitionJobState(id, 'processing', 'cancelled', { lockId }),
}

describe('a driver who has lost the job', () => {
  test('can write nothing to it, whoever has it now', async (context) => {
    const { mill, ann, bob, runtime, dump } = await openStudio(context)
    const { job } = await mill.enqueue(cut)
    const started = await ann.startProcessing(job)
    assert.ok(started.success)
    await runtime.advance(16 * MINUTE)
    assert.equal(await bob.detectAndRecoverStuckJobs(), 1)
    await bob.startProcessing(job)
    const before = await dump()
    for (const [name, write] of Object.entries(LATE_WRITES)) {
      await assert.rejects(write(ann, job.id, started.lockId), LeaseLostError, name)
      assert.deepEqual(await dump(), before, `a late ${name} changes nothing`)
    }
    await bob.completeJob(job)
  })
})

describe('a job whose driver is silent', () => {
  test('is its own for as long as it writes, also with a lock that has run out', async (context) => {
    const { mill, ann, runtime } = await openStudio(context)
    const { job } = await mill.enqueue(review)
    await ann.startProcessing(job)
    await ann.extendJobLock(job, undefined, 120 * MINUTE)
    await runtime.advance(119 * MINUTE)
    assert.equal(await ann.detectAndRecoverStuckJobs(), 0, 'a live lock is never stuck')
    await ann.updateProgress(job, 10)
    for (let percent = 20; percent <= 90; percent += 10) {
      await ann.extendJobLock(job, undefined, 1)
      await runtime.advance(9 * MINUTE)
      assert.match((await mill.explain(job)).summary, /the lock of ann ran out 4m ago/)
      assert.equal(await ann.detectAndRecoverStuckJobs(), 0)
      await ann.updateProgress(job, percent)
    }
    await ann.completeJob(job)
  })

  test('has failed if it had come some way, and can be retried', async (context) => {
    const { mill, ann, bob, runtime } = await openStudio(context)
    const { job } = await mill.enqueue(review)
    await ann.startProcessing(job)
    await ann.updateProgress(job, 40)
    await runtime.advance(15 * MINUTE)
    assert.equal(await bob.detectAndRecoverStuckJobs(), 1)
    const { state, error } = await mill.get(job)
    assert.deepEqual([state, error?.code], ['failed', 'lock-expired'])
    assert.match(error?.message ?? '', /^ann drove the job by hand .*the progress at 40 %.*then retry it\.$/)
    await mill.retry(job)
    assert.ok((await bob.startProcessing(job)).success)
    await bob.completeJob(job)
  })

  test('goes on from a finished phase, also with a worker', async (context) => {
    const { mill, ann, runtime, work } = await openStudio(context)
    const { job } = await mill.enqueue(cut)
    await ann.startProcessing(job)
    await ann.completePhase(job, 'loaded by ann')
    await ann.updateProgress(job, 50)
    await runtime.advance(15 * MINUTE)
    const handler = handle(cut)
      .phase('load', () => 'loaded again')
      .phase('cut', ({ results }) => `${results.load} and cut`)
      .phase('store', ({ results }) => `${results.cut} and stored`)
    const worker = await work([handler], { manual: true, lease: '365d' })
    await mill.maintenance.runOnce()
    await worker.runOnce()
    assert.equal((await mill.get(job)).output, 'loaded by ann and cut and stored')
  })

  test('is treated as its type says', async (context) => {
    const { mill, ann, runtime } = await openStudio(context)
    const quick = defineJob('film.tag', {
      service: 'studio',
      lock: { duration: '1m', quiet: '30s', progressed: 'requeue' },
    })
    const { job } = await mill.enqueue(quick)
    const started = await ann.startProcessing(job)
    assert.ok(started.success)
    await ann.updateProgress(job, 40)
    await runtime.advance(MINUTE - 1)
    assert.equal(await ann.detectAndRecoverStuckJobs(), 0)
    await runtime.advance(1)
    assert.equal(await ann.detectAndRecoverStuckJobs(), 1)
    assert.equal((await mill.get(job)).state, 'queued')
  })
})
