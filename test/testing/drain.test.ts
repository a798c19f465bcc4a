import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob, handle } from 'millrace'
import { openTestMill, runJob } from 'millrace/testing'
import { bakeBread, bakeBreadInto, burningOven, sendMail } from './bakery-jobs.ts'

describe('drain', () => {
  test('works off what is due, one job after another in their order, and what that enqueues', async () => {
    await using kit = await openTestMill()
    const sent: string[] = []
    const mailer = handle(sendMail, ({ input }) => {
      sent.push(input.to)
    })
    const baker = handle(bakeBread)
      .phase('mix', () => null)
      .phase('bake', () => null)
      .phase('wrap', async ({ input }) => {
        await kit.mill.enqueue(sendMail, { to: 'customer' })
        return { baked: input.loaves }
      })
    await kit.mill.enqueue(sendMail, { to: 'second' })
    await kit.mill.enqueue(sendMail, { to: 'first' }, { priority: -1 })
    await kit.mill.enqueue(bakeBread, { loaves: 1 })

    const report = await kit.drain([mailer, baker])

    assert.deepEqual(sent, ['first', 'second', 'customer'])
    assert.deepEqual([report.claimed, report.completed, report.movedMs], [4, 4, 0])
  })

  test('leaves what waits for its time, unless it is asked to move the clock', async () => {
    await using kit = await openTestMill()
    const sent: number[] = []
    const mailer = handle(sendMail, () => {
      sent.push(kit.clock.now())
    })
    const begun = kit.clock.now()
    await kit.mill.enqueue(sendMail, { to: 'ann' }, { delay: '2h' })
    await kit.mill.enqueue(sendMail, { to: 'bob' }, { delay: '1h' })

    assert.equal((await kit.drain([mailer])).claimed, 0)
    const report = await kit.drain([mailer], { withScheduled: true })

    assert.deepEqual([report.completed, report.movedMs], [2, 7_200_000])
    assert.deepEqual(
      sent.map((at) => at - begun),
      [3_600_000, 7_200_000],
    )
  })

  test('leaves jobs of other types alone', async () => {
    await using kit = await openTestMill()
    await kit.mill.enqueue(bakeBread, { loaves: 1 })
    assert.equal((await kit.drain([handle(sendMail, () => null)])).claimed, 0)
    await kit.assertEnqueued(bakeBread, { state: 'queued' })
  })

  test('goes through the retries of a job that fails', async () => {
    await using kit = await openTestMill()
    await kit.mill.enqueue(bakeBread, { loaves: 2 })
    const report = await kit.drain([burningOven()], { withScheduled: true })
    assert.deepEqual([report.retrying, report.completed, report.failed], [2, 1, 0])
    assert.ok(report.movedMs > 60_000)
  })

  test('gives up on jobs that enqueue themselves without end', async () => {
    await using kit = await openTestMill()
    const again = defineJob('again', { service: 'post' })
    const handler = handle(again, async () => {
      await kit.mill.enqueue(again)
    })
    await kit.mill.enqueue(again)
    await assert.rejects(kit.drain([handler], { atMost: 20 }), {
      code: 'ERR_ASSERTION',
      message: /^drain has begun more than 20 attempts, and there is no end of them/,
    })
  })
})

describe('runJob', () => {
  test('runs a job to its end and gives back all that it made', async () => {
    const ran: string[] = []
    const { job, logs, artifacts, events } = await runJob(bakeBreadInto(ran), { loaves: 4 }, { owner: 'ann' })
    assert.deepEqual([job.state, job.output, job.owner], ['completed', { baked: 4 }, 'ann'])
    assert.deepEqual(ran, ['mix', 'bake', 'wrap'])
    assert.deepEqual(logs, [{ level: 'info', message: 'mixed', fields: { loaves: 4 } }])
    assert.deepEqual(
      artifacts.map(({ name, contentType, bytes }) => [name, contentType, Buffer.from(bytes).toString()]),
      [['crust.txt', 'text/plain', 'brown']],
    )
    assert.equal(events.at(-1)?.name, 'job:completed')
  })

  test('waits for no retry: the clock moves on to it', async () => {
    await using kit = await openTestMill()
    const before = kit.clock.now()
    const { job } = await kit.runJob(burningOven(), { loaves: 2 })
    assert.deepEqual([job.state, job.failures, job.attempts.length], ['completed', 2, 3])
    assert.ok(kit.clock.now() > before + 60_000)
  })

  test('gives back a job that failed, too', async () => {
    const { job } = await runJob(
      handle(sendMail, () => Promise.reject(Object.assign(new Error('no such user'), { status: 404 }))),
      { to: 'nobody' },
    )
    assert.deepEqual([job.state, job.failures, job.error?.message], ['failed', 1, 'no such user'])
  })

  test('says why a job does not come to its end', async () => {
    await using kit = await openTestMill()
    await kit.mill.pauseQueue('mail.send')
    await assert.rejects(
      kit.runJob(
        handle(sendMail, () => null),
        { to: 'ann' },
      ),
      { code: 'ERR_ASSERTION', message: /^runJob: job .* does not come to its end; it is queued\.\nWhy:\n.*paused/ },
    )
  })
})
