import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ClientContext } from '../../src/client/client-context.ts'
import { defineJob } from '../../src/client/define-job.ts'
import { JobClient } from '../../src/client/job-client.ts'
import { ConflictError, ForbiddenError, InvalidInputError } from '../../src/core/errors.ts'
import { CHECKPOINT, FAIL_FINAL, FAIL_RETRY } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { JobDetails } from '../../src/store/jobs.ts'
import { attemptError, openClient } from './open-client.ts'
import type { ClientBench } from './open-client.ts'

const exportMap = defineJob('map.export', { service: 'workers', phases: ['load', 'render', 'store'] })
const sendMail = defineJob('mail.send', { service: 'workers' })

/** A job that loaded, and failed while it rendered. */
async function failedWhileRendering({ client, claim, apply }: ClientBench): Promise<string> {
  const { job } = await client.enqueue(exportMap, { region: 'FRA' })
  const running = await claim('map.export')
  await apply(running, CHECKPOINT, { progress: 100 / 3 }, { result: '{"countries":1}' })
  await apply(running, FAIL_FINAL, {}, { error: attemptError('no paper', 'render') })
  return job.id
}

describe('retry', () => {
  test('goes on at the first phase that is not done, and keeps the results before it', async (context) => {
    const bench = openClient(context)
    const id = await failedWhileRendering(bench)
    const answer = await bench.client.retry(id)
    assert.deepEqual(answer, { jobId: id, state: 'queued', generation: 2, phase: 'render' })
    const job = await bench.client.get(id)
    assert.equal(job.phase, 'render')
    assert.deepEqual(job.phases[0]?.result, { countries: 1 })
    assert.equal(job.failures, 0)
    assert.equal(job.finishedAt, null)
    assert.equal(job.error, null, 'the error belongs to the generation before')
  })

  test('from the start begins afresh', async (context) => {
    const bench = openClient(context)
    const id = await failedWhileRendering(bench)
    assert.equal((await bench.client.retry(id, { fromStart: true })).phase, 'load')
    const job = await bench.client.get(id)
    assert.deepEqual([job.progress, job.phases[0]?.result], [0, null])
  })

  test('from a phase that has been reached begins there, from one that has not is refused', async (context) => {
    const bench = openClient(context)
    const id = await failedWhileRendering(bench)
    for (const from of ['store', 'print']) {
      await assert.rejects(bench.client.retry(id, { from }), (error) => {
        assert.ok(error instanceof InvalidInputError)
        assert.deepEqual([error.code, error.path], ['phase-unknown', 'from'])
        assert.match(error.message, /load, render, got/)
        return true
      })
    }
    assert.equal((await bench.client.get(id)).state, 'failed')
    assert.equal((await bench.client.retry(id, { from: 'load' })).phase, 'load')
  })

  test('of a completed or cancelled job begins its next generation', async (context) => {
    const { client, complete } = openClient(context)
    const completed = await client.enqueue(sendMail)
    await complete('mail.send', { sent: true })
    const cancelled = await client.enqueue(sendMail, 1, { delay: '1h' })
    await client.cancel(cancelled.job)
    for (const { job } of [completed, cancelled]) {
      assert.equal((await client.retry(job)).generation, 2)
      const { state, output, cancelledBy } = await client.get(job)
      assert.deepEqual({ state, output, cancelledBy }, { state: 'queued', output: null, cancelledBy: null })
    }
  })

  test('of a job that is not over is a conflict that names its state', async (context) => {
    const { client, claim } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    await assert.rejects(client.retry(job), { name: 'ConflictError', code: 'job-not-final' })
    await claim('mail.send')
    await assert.rejects(client.retry(job), (error) => {
      assert.ok(error instanceof ConflictError)
      assert.equal(error.details['state'], 'running')
      return true
    })
  })

  test('while another unfinished job holds the unique key is a conflict', async (context) => {
    const { client } = openClient(context)
    const first = await client.enqueue(sendMail, 1, { unique: 'ann' })
    await client.cancel(first.job)
    await client.enqueue(sendMail, 2, { unique: 'ann' })
    await assert.rejects(client.retry(first.job), { name: 'ConflictError', code: 'unique-held' })
  })

  test('looks again when the job moved between its look and its act', async (context) => {
    const bench = openClient(context)
    const id = await failedWhileRendering(bench)
    let looks = 0
    const stale = async (jobId: string): Promise<JobDetails | 'not-found' | 'forbidden'> => {
      const details = await bench.store.jobs.get(jobId, OPERATOR)
      looks += 1
      return looks === 1 && typeof details === 'object' ? { ...details, fence: details.fence - 1 } : details
    }
    const store = { ...bench.store, jobs: { ...bench.store.jobs, get: stale } }
    const client = new JobClient(new ClientContext(store, bench.runtime), OPERATOR)
    assert.equal((await client.retry(id)).generation, 2)
    assert.equal(looks, 2)
  })

  test('from a phase and from the start at once is refused, and the phase is for operators', async (context) => {
    const bench = openClient(context)
    const id = await failedWhileRendering(bench)
    await assert.rejects(bench.client.retry(id, { fromStart: true, from: 'load' }), { code: 'option-invalid' })
    const yes = 'yes' as unknown as boolean
    await assert.rejects(bench.client.retry(id, { fromStart: yes }), { path: 'fromStart' })
    const admin = bench.as({ role: 'admin', tenant: '' })
    await assert.rejects(admin.retry(id, { from: 'load' }), ForbiddenError)
    assert.equal((await admin.retry(id)).phase, 'render')
  })
})

describe('runNow', () => {
  test('queues a scheduled and a retrying job at once', async (context) => {
    const { client, claim, apply } = openClient(context)
    const scheduled = await client.enqueue(exportMap, 1, { delay: '1h' })
    const retrying = await client.enqueue(sendMail)
    await apply(await claim('mail.send'), FAIL_RETRY, { delayMs: 60_000 }, { error: attemptError('busy', 'run') })
    for (const { job } of [scheduled, retrying]) {
      assert.deepEqual(await client.runNow(job), { jobId: job.id, state: 'queued' })
      assert.equal((await client.get(job)).state, 'queued')
    }
  })

  test('of a queued job changes nothing, of any other is a conflict', async (context) => {
    const { client, claim } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    assert.deepEqual(await client.runNow(job), { jobId: job.id, state: 'queued' })
    await claim('mail.send')
    await assert.rejects(client.runNow(job), { name: 'ConflictError', code: 'job-not-waiting' })
  })
})

describe('who retries a job, or lets it run now', () => {
  test('stands with the event, and is the system where nobody is named', async (context) => {
    const { client, complete } = openClient(context)
    const { job } = await client.enqueue(sendMail, null, { delay: '1h' })
    await client.runNow(job, { actor: 'ann' })
    await complete('mail.send', 'sent')
    await client.retry(job, { actor: 'bob' })
    await complete('mail.send', 'sent')
    await client.retry(job)
    const events = await client.events({ job })
    assert.deepEqual(
      events.filter(({ name }) => name === 'job:queued').map(({ detail }) => detail),
      [
        { cause: 'run-now', actor: 'ann' },
        { cause: 'retry', actor: 'bob' },
        { cause: 'retry', actor: 'system' },
      ],
    )
  })

  test('is the user of a client, who can name nobody else', async (context) => {
    const { complete, store, runtime } = openClient(context)
    const ann = new JobClient(new ClientContext(store, runtime), { role: 'member', tenant: 'acme', user: 'ann' }, 'ann')
    const { job } = await ann.enqueue(sendMail, null, { delay: '1h' })
    await assert.rejects(ann.runNow(job, { actor: 'bob' }), ForbiddenError)
    await ann.runNow(job)
    await complete('mail.send', 'sent')
    await assert.rejects(ann.retry(job, { actor: 'bob' }), ForbiddenError)
    await ann.retry(job, { actor: 'ann' })
    const queued = (await ann.events({ job })).filter(({ name }) => name === 'job:queued')
    assert.deepEqual(
      queued.map(({ detail }) => detail['actor']),
      ['ann', 'ann'],
    )
    await assert.rejects(ann.retry(job, { actor: '' }), InvalidInputError)
    await assert.rejects(ann.runNow(job, { by: 'ann' } as object), { code: 'option-invalid' })
  })
})
