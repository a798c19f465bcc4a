import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ClientContext } from '../../src/client/client-context.ts'
import { defineJob } from '../../src/client/define-job.ts'
import { JobManager } from '../../src/client/job-manager.ts'
import { OperatorClient } from '../../src/client/operator-client.ts'
import { ConflictError, InvalidInputError, LeaseLostError, NotFoundError } from '../../src/core/errors.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { openManager } from './open-manager.ts'

const MINUTE = 60_000
const bread = defineJob('bread.bake', { service: 'bakery', retry: { backoff: { base: '1s', jitter: 0 } } })
const cake = defineJob('cake.bake', { service: 'bakery', phases: ['mix', 'bake', 'ice'] })

function lost(act: string): object {
  return { name: 'LeaseLostError', code: 'lease-lost', message: new RegExp(`"${act}" was refused`) }
}

describe('taking a job by hand', () => {
  test('gives a lock, for as long as its type says', async (t) => {
    const { mill, jobs, store } = openManager(t)
    const { job } = await mill.enqueue(bread)
    const started = await jobs.startProcessing(job)
    assert.ok(started.success)
    assert.match(started.lockId, /^lock_[0-9a-z]+_1$/)
    assert.equal(started.lockExpiresAt, (await store.now()) + 15 * MINUTE)
    assert.equal((await mill.get(job)).state, 'running')
  })

  test('is refused to the second, who is told who holds it', async (t) => {
    const { mill, jobs, another, advance, store } = openManager(t)
    const { job } = await mill.enqueue(bread)
    const since = await store.now()
    await jobs.startProcessing(job)
    await advance(MINUTE)
    const refused = await another().startProcessing(job)
    assert.ok(!refused.success)
    const { heldBy, state, message } = refused
    assert.deepEqual([state, heldBy?.by, heldBy?.since, heldBy?.pid], ['processing', 'ann', since, process.pid])
    assert.equal(message, `Job ${job.id} is processing: ann drives it by hand, for another 14m.`)
    await advance(15 * MINUTE)
    const later = await another().startProcessing(job)
    assert.match(later.success ? '' : later.message, /ann drives it by hand, with a lock that ran out 1m ago/)
  })

  test('is refused where a worker runs it, and where it does not wait', async (t) => {
    const { mill, jobs, store } = openManager(t)
    const { job } = await mill.enqueue(bread)
    await store.sessions.open(
      { holder: 1, service: 'bakery', host: 'oven-1', pid: 7, leaseMs: MINUTE, concurrency: 1 },
      () => undefined,
    )
    await store.claims.claim({ holder: 1, types: ['bread.bake'], limit: 1 })
    const refused = await jobs.startProcessing(job)
    assert.match(refused.success ? '' : refused.message, /a worker of "bakery" on oven-1 \(process 7\) runs it/)
    const { job: later } = await mill.enqueue(bread, null, { delay: '1h' })
    const early = await jobs.startProcessing(later)
    assert.deepEqual(early.success ? null : [early.state, early.heldBy, early.message], [
      'scheduled',
      null,
      `Job ${later.id} is scheduled.`,
    ])
  })

  test('is for the service that works on the type, or anybody where nobody does', async (t) => {
    const { mill, store, another } = openManager(t)
    const { job } = await mill.enqueue(bread)
    const web = another({ service: 'web' })
    const free = await web.startProcessing(job)
    assert.ok(free.success)
    await web.releaseJob(job)
    await store.jobTypes.register('bakery', [{ type: bread.name, queue: bread.queue, policy: bread.policy }])
    await assert.rejects(web.startProcessing(job), (error: unknown) => {
      assert.ok(error instanceof ConflictError)
      assert.equal(error.code, 'owner-conflict')
      assert.match(error.message, /which the service "bakery" works on, and this is "web"/)
      return true
    })
    assert.equal((await mill.get(job)).state, 'queued')
  })

  test('asks for a service, an actor that is a text, a job, and a Millrace', async (t) => {
    const { mill, jobs } = openManager(t, null)
    const { job } = await mill.enqueue(bread)
    await assert.rejects(jobs.startProcessing(job), { code: 'option-invalid', path: 'options.service' })
    await assert.rejects(jobs.startProcessing('0199d1c8-0000-7000-8000-000000000001'), { path: 'options.service' })
    const other = new JobManager(mill, { service: 'bakery' })
    await assert.rejects(other.startProcessing('0199d1c8-0000-7000-8000-000000000001'), NotFoundError)
    const started = await other.startProcessing(job)
    assert.ok(started.success)
    const refused = await other.startProcessing(job)
    assert.match(refused.success ? '' : (refused.heldBy?.by ?? ''), new RegExp(`^process ${process.pid} on `))
    assert.throws(() => new JobManager(mill, { actor: '' }), { path: 'options.actor' })
    assert.throws(() => new JobManager({} as OperatorClient), { path: 'mill' })
    assert.throws(() => new JobManager(undefined as unknown as OperatorClient), { path: 'mill' })
  })
})

describe('driving a job by hand', () => {
  test('progress is kept, told, and never falls', async (t) => {
    const { mill, jobs, advance } = openManager(t)
    const { job } = await mill.enqueue(bread)
    await jobs.startProcessing(job)
    const seen: number[] = []
    for (const percent of [10, 10.4, 30, 20, 30.5, 31]) {
      const written = await jobs.updateProgress(job, percent)
      assert.deepEqual(written, { success: true, jobId: job.id, state: 'processing', cancelRequested: false })
      seen.push((await mill.get(job)).progress)
      await advance(1_000)
    }
    assert.deepEqual(seen, [10, 10.4, 30, 30, 30.5, 31])
    const told = (await mill.events({ job })).filter(({ name }) => name === 'job:progress')
    assert.deepEqual(
      told.map(({ detail }) => detail),
      [10, 30, 31].map((percent) => ({ percent, phase: 'run' })),
    )
  })

  test('progress is told once a second at most', async (t) => {
    const { mill, jobs } = openManager(t)
    const { job } = await mill.enqueue(bread)
    await jobs.startProcessing(job)
    for (let percent = 1; percent <= 9; percent += 1) await jobs.updateProgress(job, percent)
    const told = (await mill.events({ job })).filter(({ name }) => name === 'job:progress')
    assert.equal(told.length, 1)
    assert.equal((await mill.get(job)).progress, 9)
  })

  for (const percent of [-1, 100.1, Number.NaN, Number.POSITIVE_INFINITY, '50' as unknown as number]) {
    test(`a progress of ${String(percent)} (${typeof percent}) is refused`, async (t) => {
      const { mill, jobs } = openManager(t)
      const { job } = await mill.enqueue(bread)
      await jobs.startProcessing(job)
      await assert.rejects(jobs.updateProgress(job, percent), { code: 'option-invalid', path: 'progress' })
      assert.equal((await mill.get(job)).progress, 0)
    })
  }

  test('a write says that somebody asked the job to stop', async (t) => {
    const { mill, jobs } = openManager(t)
    const { job } = await mill.enqueue(bread)
    await jobs.startProcessing(job)
    await mill.cancel(job, { actor: 'bob' })
    assert.equal((await jobs.updateProgress(job, 5)).cancelRequested, true)
    const done = await jobs.failJob(job, 'gave up')
    assert.equal(done.state, 'cancelled')
  })

  test('without a lock there is nothing to write under', async (t) => {
    const { mill, jobs, another } = openManager(t)
    const { job } = await mill.enqueue(bread)
    await jobs.startProcessing(job)
    const bob = another()
    await assert.rejects(bob.updateProgress(job, 5), lost('updateProgress'))
    await assert.rejects(bob.completeJob(job, {}), LeaseLostError)
    await jobs.completeJob(job)
    await assert.rejects(jobs.completeJob(job), lost('completeJob'))
  })

  test('whoever has the id of the lock may drive the job', async (t) => {
    const { mill, jobs, another } = openManager(t)
    const { job } = await mill.enqueue(bread)
    const started = await jobs.startProcessing(job)
    assert.ok(started.success)
    await another().updateProgress(job, 5, started.lockId)
    await another().completeJob(job, { output: 'baked' }, started.lockId)
    assert.equal((await mill.get(job)).output, 'baked')
    await assert.rejects(jobs.updateProgress(job, 6), lost('updateProgress'))
  })

  test('a text that is no lock is refused, and one of another job or time is lost', async (t) => {
    const { mill, jobs } = openManager(t)
    const [{ job }, { job: other }] = [await mill.enqueue(bread), await mill.enqueue(bread)]
    const started = await jobs.startProcessing(job)
    assert.ok(started.success)
    await assert.rejects(jobs.updateProgress(job, 5, 'mine'), { code: 'option-invalid', path: 'lockId' })
    await assert.rejects(jobs.updateProgress(job, 5, 7 as unknown as string), InvalidInputError)
    await assert.rejects(jobs.updateProgress(other, 5, started.lockId), LeaseLostError)
    await assert.rejects(jobs.updateProgress(job, 5, started.lockId.replace(/1$/, '2')), LeaseLostError)
    await assert.rejects(jobs.completeJob(other, {}, started.lockId), LeaseLostError)
    await assert.rejects(jobs.failJob('0199d1c8-0000-7000-8000-000000000001', 'x', started.lockId), LeaseLostError)
    await jobs.updateProgress(job, 6)
  })

  test('the lock is made longer, and the time of the attempt with it', async (t) => {
    const { mill, jobs, store, advance } = openManager(t)
    const { job } = await mill.enqueue(bread)
    const started = await jobs.startProcessing(job)
    assert.ok(started.success)
    const { deadlineAt } = await mill.get(job)
    const expiry = async (): Promise<number | undefined> => {
      const { fence: _fence, ...details } = await mill.get(job)
      assert.equal(details.state, 'running')
      const refused = await jobs.startProcessing(job)
      return refused.success ? undefined : refused.heldBy?.expiresAt
    }
    await jobs.extendJobLock(job, undefined, 20 * MINUTE)
    assert.equal(await expiry(), (await store.now()) + 20 * MINUTE)
    assert.equal((await mill.get(job)).deadlineAt, deadlineAt)
    await advance(MINUTE)
    await jobs.extendJobLock(job, started.lockId, 60 * MINUTE)
    assert.equal(await expiry(), (await store.now()) + 60 * MINUTE)
    assert.equal((await mill.get(job)).deadlineAt, (await store.now()) + 60 * MINUTE)
    for (const ms of [0, -1, 1.5, Number.NaN, 31 * 24 * 60 * MINUTE]) {
      await assert.rejects(jobs.extendJobLock(job, undefined, ms), { code: 'option-invalid', path: 'ms' })
    }
  })

  test('a job that is given back may be had by the next, and no failure is counted', async (t) => {
    const { mill, jobs, another } = openManager(t)
    const { job } = await mill.enqueue(bread)
    await jobs.startProcessing(job)
    assert.equal((await jobs.releaseJob(job)).state, 'queued')
    const started = await another().startProcessing(job)
    assert.ok(started.success)
    const { failures, attempt } = await mill.get(job)
    assert.deepEqual({ failures, attempt }, { failures: 0, attempt: 2 })
  })
})

describe('looking after jobs by hand', () => {
  test('a job is completed although one of its phases was finished at the same moment', async (t) => {
    const { mill, jobs } = openManager(t)
    const { job } = await mill.enqueue(cake)
    await jobs.startProcessing(job)
    await Promise.all([jobs.completePhase(job, 1), jobs.completeJob(job)])
    assert.equal((await mill.get(job)).state, 'completed')
  })

  test('a sound job is valid, in every state', async (t) => {
    const { mill, jobs } = openManager(t)
    for (const definition of [bread, cake]) {
      const { job } = await mill.enqueue(definition)
      const valid = async (): Promise<void> =>
        assert.deepEqual(await jobs.validateJobState(job), { isValid: true, issues: [] })
      await valid()
      await jobs.startProcessing(job)
      if (definition === cake) await jobs.completePhase(job, 1)
      await valid()
      await jobs.completeJob(job)
      await valid()
    }
    await assert.rejects(jobs.validateJobState('0199d1c8-0000-7000-8000-000000000001'), NotFoundError)
  })

  test('what is wrong with a job is named', async (t) => {
    const { mill, store } = openManager(t)
    const { job } = await mill.enqueue(bread)
    const auditOne: typeof store.integrity.auditOne = async (...asked) => {
      const audited = await store.integrity.auditOne(...asked)
      const events = { count: 2, lastSeq: 2, finals: 0 }
      return typeof audited === 'string' ? audited : { ...audited, progress: 140, holder: 7, events }
    }
    const broken = new ClientContext({ ...store, integrity: { ...store.integrity, auditOne } }, virtualRuntime())
    const { isValid, issues } = await new JobManager(new OperatorClient(broken)).validateJobState(job)
    assert.equal(isValid, false)
    assert.deepEqual(
      issues.map(({ code }) => code),
      ['progress-out-of-range', 'holder-without-running', 'events-gap'],
    )
  })

  test('stuck jobs are found and counted', async (t) => {
    const { mill, jobs, advance } = openManager(t)
    const { job } = await mill.enqueue(bread)
    const { job: live } = await mill.enqueue(bread)
    await jobs.startProcessing(job)
    await jobs.startProcessing(live)
    assert.equal(await jobs.detectAndRecoverStuckJobs(), 0)
    await advance(14 * MINUTE)
    await jobs.updateProgress(live, 1)
    await advance(MINUTE)
    assert.equal(await jobs.detectAndRecoverStuckJobs(), 1)
    assert.equal((await mill.get(job)).state, 'queued')
    assert.equal((await mill.get(live)).state, 'running')
  })

  test('a job is failed or put back by force, in the name of the manager', async (t) => {
    const { mill, jobs } = openManager(t)
    const { job } = await mill.enqueue(bread)
    await jobs.startProcessing(job)
    assert.equal((await jobs.forceFail(job, 'the oven burns')).state, 'failed')
    assert.match((await mill.get(job)).error?.message ?? '', /^ann failed the job by force: the oven burns/)
    await assert.rejects(jobs.updateProgress(job, 5), LeaseLostError)
    assert.equal((await jobs.forceReset(job, 'it does not')).state, 'queued')
    await assert.rejects(jobs.forceReset(job, ''), { path: 'reason' })
  })
})
