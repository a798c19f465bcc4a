import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { handle, openMillrace } from 'millrace'
import { assertionsOn, openTestMill } from 'millrace/testing'
import { bakeBread, bakeBreadInto, sendMail } from './bakery-jobs.ts'

const mailer = handle(sendMail, () => 'sent')

describe('waitForJobCompletion', () => {
  test('gives back the completed job, on a Millrace with a real clock too', async () => {
    await using mill = await openMillrace('sqlite::memory:')
    await mill.work([bakeBreadInto([])])
    const { job } = await mill.enqueue(bakeBread, { loaves: 2 })
    const { state, output } = await assertionsOn(mill).waitForJobCompletion(job, 10_000)
    assert.deepEqual([state, output?.baked], ['completed', 2])
  })

  test('says what the job failed with', async () => {
    await using kit = await openTestMill()
    const { job } = await kit.mill.enqueue(sendMail, { to: 'nobody' })
    await kit.drain([handle(sendMail, () => Promise.reject(Object.assign(new Error('no such user'), { status: 404 })))])
    await assert.rejects(kit.waitForJobCompletion(job, 1_000), (error: Error) => {
      assert.equal(error.name, 'AssertionError')
      assert.equal(
        error.message,
        `Expected job ${job.id} (mail.send) to complete; it failed in the phase run.\nIts error: Error: no such user`,
      )
      assert.equal((error.cause as Error).message, 'no such user')
      return true
    })
  })

  test('says who cancelled it', async () => {
    await using kit = await openTestMill()
    const { job } = await kit.mill.enqueue(sendMail, { to: 'ann' })
    await kit.mill.cancel(job, { actor: 'bob', reason: 'too late' })
    await assert.rejects(kit.waitForJobCompletion(job, 1_000), {
      message: `Expected job ${job.id} (mail.send) to complete; it was cancelled by bob: too late.`,
    })
  })

  test('says why it is not over in time', async () => {
    await using kit = await openTestMill()
    const { job } = await kit.mill.enqueue(sendMail, { to: 'ann' })
    await kit.mill.pauseQueue('mail.send', { actor: 'bob' })
    await assert.rejects(kit.waitForJobCompletion(job, 20), {
      code: 'ERR_ASSERTION',
      actual: 'queued',
      message:
        /^Expected job .* \(mail\.send\) to complete within 20 ms; it is queued\.\nWhy:\n  No service has registered.*\n.*paused by bob/,
    })
  })
})

describe('monitorJobProcessing', () => {
  test('gives back what the function returned, and every attempt that began meanwhile', async () => {
    await using kit = await openTestMill()
    await kit.mill.enqueue(sendMail, { to: 'before' })
    await kit.drain([mailer])
    const monitored = await kit.monitorJobProcessing('post', async () => {
      const { job } = await kit.mill.enqueue(sendMail, { to: 'ann' })
      await kit.drain([mailer])
      return job.id
    })
    assert.deepEqual(
      monitored.processed.map(({ jobId, type, attempt, service }) => [jobId, type, attempt, service]),
      [[monitored.result, 'mail.send', 1, 'post']],
    )
    assert.equal(monitored.processed[0]?.pid, process.pid)
  })

  test('counts attempts that failed, each by whom it was made', async () => {
    await using kit = await openTestMill()
    let tries = 0
    const flaky = handle(sendMail, () => {
      tries += 1
      if (tries === 1) throw new Error('no stamps')
    })
    const { processed } = await kit.monitorJobProcessing('post', async () => {
      await kit.mill.enqueue(sendMail, { to: 'ann' })
      await kit.drain([flaky], { withScheduled: true })
    })
    assert.deepEqual(
      processed.map(({ attempt, service }) => [attempt, service]),
      [
        [1, 'post'],
        [2, 'post'],
      ],
    )
  })

  test('finds the place in a log of whatever length', async () => {
    for (const jobs of [0, 1, 2, 7]) {
      await using kit = await openTestMill()
      for (let job = 0; job < jobs; job += 1) await kit.mill.enqueue(sendMail, { to: `${job}` })
      await kit.drain([mailer])
      const { processed } = await kit.monitorJobProcessing('post', () => kit.runJob(mailer, { to: 'ann' }))
      assert.equal(processed.length, 1)
    }
  })

  test('names every service that processed something', async () => {
    await using kit = await openTestMill()
    const both = kit.monitorJobProcessing('post', async () => {
      await kit.mill.enqueue(sendMail, { to: 'ann' })
      await kit.mill.enqueue(bakeBread, { loaves: 1 })
      await kit.drain([mailer, bakeBreadInto([])])
    })
    await assert.rejects(both, {
      code: 'ERR_ASSERTION',
      message:
        /^Expected the service "post" alone to process jobs\.\nProcessed:\n  .* mail\.send, attempt 1: post\n  .* bread\.bake, attempt 1: bakery$/,
    })
  })

  test('proves nothing where nothing was processed', async () => {
    await using kit = await openTestMill()
    await assert.rejects(
      kit.monitorJobProcessing('post', () => kit.mill.enqueue(sendMail, { to: 'ann' })),
      { message: 'Expected the service "post" to process jobs; no attempt began meanwhile.' },
    )
  })

  test('rejects with what the function throws', async () => {
    await using kit = await openTestMill()
    const error = new Error('not now')
    await assert.rejects(
      kit.monitorJobProcessing('post', () => Promise.reject(error)),
      (thrown) => thrown === error,
    )
  })
})
