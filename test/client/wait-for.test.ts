import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'

import { ClientContext } from '../../src/client/client-context.ts'
import { defineJob } from '../../src/client/define-job.ts'
import { JobClient } from '../../src/client/job-client.ts'
import { JobCancelledError, MillraceError, NotFoundError } from '../../src/core/errors.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { openClient } from './open-client.ts'

const sendMail = defineJob('mail.send', { service: 'workers' })
const measure = defineJob('map.measure', {
  service: 'workers',
  input: z.object({ region: z.string() }),
  output: z.object({ at: z.string().transform((text) => new Date(text)) }),
})

/** Whatever waits in microtasks and in this turn of the event loop has had its go. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) {
    const { promise, resolve } = Promise.withResolvers<void>()
    setImmediate(resolve)
    await promise
  }
}

describe('waitFor', () => {
  test('resolves with the job once it is over, its output parsed', async (context) => {
    const { client, complete } = openClient(context)
    const { job } = await client.enqueue(measure, { region: 'FRA' })
    const waiting = client.waitFor(job)
    await complete('map.measure', { at: '2026-01-01T00:00:00.000Z' })
    const done = await waiting
    assert.equal(done.state, 'completed')
    assert.equal(done.output?.at.getTime(), Date.UTC(2026, 0, 1))
  })

  test('resolves at once for a job that is over already', async (context) => {
    const { client, complete } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    await complete('mail.send', null)
    assert.equal((await client.waitFor(job.id)).state, 'completed')
  })

  test('resolves for a failed and for a cancelled job too', async (context) => {
    const { client, fail } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    const waiting = client.waitFor(job)
    await fail('mail.send', 'no paper')
    assert.equal((await waiting).state, 'failed')
    const second = await client.enqueue(sendMail)
    const stopping = client.waitFor(second.job)
    await client.cancel(second.job)
    assert.equal((await stopping).state, 'cancelled')
  })

  test('with states waits for one of these, and passes over others', async (context) => {
    const { client, claim } = openClient(context)
    const { job } = await client.enqueue(sendMail, 1, { delay: '1h' })
    const waiting = client.waitFor(job, { state: ['running', 'failed'] })
    await client.runNow(job)
    await claim('mail.send')
    assert.equal((await waiting).state, 'running')
  })

  test('after its time throws wait-timeout, which names the present state', async (context) => {
    const { client, advance, claim } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    await claim('mail.send')
    const waiting = client.waitFor(job, { timeout: '5s' })
    const refused = assert.rejects(waiting, (error) => {
      assert.ok(error instanceof MillraceError)
      assert.equal(error.code, 'wait-timeout')
      assert.equal(error.details['state'], 'running')
      assert.match(error.message, /it is running/)
      return true
    })
    await settled()
    await advance(5_000)
    await refused
  })

  test('waits 30 seconds unless told otherwise', async (context) => {
    const { client, advance } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    const waiting = client.waitFor(job)
    let over = false
    const refused = assert.rejects(waiting, { code: 'wait-timeout' }).then(() => (over = true))
    await settled()
    await advance(29_999)
    assert.equal(over, false)
    await advance(1)
    await refused
  })

  test('leaves no timer behind', async (context) => {
    const { client, complete, runtime } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    await complete('mail.send', null)
    await client.waitFor(job)
    assert.equal(runtime.waiting, 0)
  })

  test('throws NotFoundError for a job that is not there, and when it is deleted meanwhile', async (context) => {
    const { client, store, runtime } = openClient(context)
    await assert.rejects(client.waitFor('019b7613-6800-7000-8000-00000000dead'), NotFoundError)
    const { job } = await client.enqueue(sendMail)
    let gone = false
    const listeners = new Set<() => void>()
    const purging = {
      ...store,
      jobs: { ...store.jobs, states: (ids: readonly string[]) => store.jobs.states(gone ? [] : ids) },
      onChange: (listener: () => void) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }
    const other = new JobClient(new ClientContext(purging, runtime), OPERATOR)
    const waiting = assert.rejects(other.waitFor(job), NotFoundError)
    await settled()
    gone = true
    for (const listener of listeners) listener()
    await waiting
    assert.equal(listeners.size, 0, 'nobody listens once nobody waits')
  })

  test('by a thousand costs one read a change', async (context) => {
    const { client, calls, claim, complete } = openClient(context)
    const { job: other } = await client.enqueue(sendMail, 1)
    await claim('mail.send')
    const jobs = await client.enqueueMany(
      Array.from({ length: 10 }, () => ({ definition: measure, input: { region: 'FRA' } })),
    )
    const waiting = jobs.flatMap(({ job }) => Array.from({ length: 100 }, () => client.waitFor(job)))
    await settled()
    const before = calls('states')
    assert.ok(before <= 2, `${before} reads to begin with`)
    await client.cancel(other)
    await settled()
    assert.equal(calls('states'), before + 1)
    for (let count = 0; count < 10; count += 1) await complete('map.measure', { at: '2026-01-01' })
    const done = await Promise.all(waiting)
    assert.equal(done.length, 1_000)
    assert.ok(calls('states') <= before + 21, `${calls('states') - before} reads for 21 changes`)
  })

  test('is told when the Millrace is closed', async (context) => {
    const { client, close } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    const waiting = assert.rejects(client.waitFor(job), { code: 'store-closed' })
    await settled()
    await close()
    await waiting
    await assert.rejects(client.get(job), { code: 'store-closed' })
    await assert.rejects(client.enqueue(sendMail), { code: 'store-closed' })
  })

  test('is told when the store can not be read', async (context) => {
    const { store, runtime, client } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    const broken = { ...store, jobs: { ...store.jobs, states: () => Promise.reject(new RangeError('no disk')) } }
    const other = new JobClient(new ClientContext(broken, runtime), OPERATOR)
    await assert.rejects(other.waitFor(job), /no disk/)
  })

  test('refuses a state that there is none of', async (context) => {
    const { client } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    const processing = 'processing' as unknown as 'running'
    await assert.rejects(client.waitFor(job, { state: processing }), { path: 'state' })
    await assert.rejects(client.waitFor(job, { state: [] }), { path: 'state' })
  })
})

describe('run', () => {
  test('enqueues, waits, and gives back the output', async (context) => {
    const { client, complete } = openClient(context)
    const running = client.run(measure, { region: 'FRA' }, { timeout: 'none' })
    await settled()
    await complete('map.measure', { at: '2026-01-01' })
    const { at } = await running
    assert.equal(at.getUTCFullYear(), 2026)
  })

  test('throws job-failed with the error of the job as its cause', async (context) => {
    const { client, fail } = openClient(context)
    const running = client.run(sendMail, null)
    await settled()
    const refused = assert.rejects(running, (error) => {
      assert.ok(error instanceof MillraceError && error.cause instanceof Error)
      assert.equal(error.code, 'job-failed')
      assert.match(error.message, /failed: no paper$/)
      const { name, message, stack } = error.cause
      assert.deepEqual({ name, message }, { name: 'TypeError', message: 'no paper' })
      assert.match(stack ?? '', /at press/)
      assert.equal('code' in error.cause && error.cause.code, 'E_PRESS')
      return true
    })
    await fail('mail.send', 'no paper')
    await refused
  })

  test('throws JobCancelledError where somebody cancels the job', async (context) => {
    const { client } = openClient(context)
    const running = client.run(sendMail, null)
    await settled()
    const refused = assert.rejects(running, (error) => {
      assert.ok(error instanceof JobCancelledError)
      assert.deepEqual([error.cancelledBy, error.reason], ['ann', 'wrong'])
      return true
    })
    const { jobs } = await client.list()
    for (const job of jobs) await client.cancel(job, { actor: 'ann', reason: 'wrong' })
    await refused
  })
})
