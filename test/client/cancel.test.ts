import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { defineJob } from '../../src/client/define-job.ts'
import type { JobClient } from '../../src/client/job-client.ts'
import { ConflictError, ForbiddenError, InvalidInputError, NotFoundError } from '../../src/core/errors.ts'
import { END_OF_GRACE } from '../../src/core/plans.ts'
import { openClient } from './open-client.ts'

const sendMail = defineJob('mail.send', { service: 'workers' })
const exportMap = defineJob('map.export', { service: 'workers', phases: ['load', 'render'] })
const NOBODY = '019b7613-6800-7000-8000-00000000dead'

async function names(client: JobClient, job: { readonly id: string }): Promise<readonly string[]> {
  const events = await client.events({ job })
  return events.map(({ name }) => name)
}

describe('cancel', () => {
  test('of a queued job makes it cancelled for good, with one event that names who and why', async (context) => {
    const { client, store } = openClient(context)
    const { job } = await client.enqueue(exportMap, null)
    const answer = await client.cancel(job, { actor: 'ann', reason: 'wrong region' })
    assert.deepEqual(answer, { success: true, jobId: job.id, state: 'cancelled', cancelledBy: 'ann' })
    const read = await client.get(job)
    assert.equal(read.state, 'cancelled')
    assert.equal(read.cancelledBy, 'ann')
    assert.equal(read.cancelReason, 'wrong region')
    assert.equal(read.cancelledAt, read.finishedAt)
    assert.equal(read.cancelledAt, await store.now())
    assert.deepEqual(
      read.phases.map(({ state }) => state),
      ['cancelled', 'cancelled'],
    )
    assert.equal(read.failures, 0)
    assert.deepEqual(await names(client, job), ['job:queued', 'job:cancelled'])
  })

  test('by nobody in particular is by the system', async (context) => {
    const { client } = openClient(context)
    const { job } = await client.enqueue(sendMail, null, { delay: '1h' })
    const { cancelledBy } = await client.cancel(job.id)
    assert.equal(cancelledBy, 'system')
    assert.equal((await client.get(job)).cancelReason, null)
  })

  test('of a running job is accepted while it runs on, until its worker lets go', async (context) => {
    const { client, claim, apply } = openClient(context)
    const { job } = await client.enqueue(sendMail, null)
    const running = await claim('mail.send')
    const answer = await client.cancel(job, { actor: 'ann' })
    assert.deepEqual(answer, { success: true, jobId: job.id, state: 'running', cancelledBy: 'ann' })
    const stopping = await client.get(job)
    assert.equal(stopping.cancelledAt, null)
    assert.ok(stopping.cancelRequestedAt !== null)
    await apply(running, END_OF_GRACE)
    assert.equal((await client.get(job)).state, 'cancelled')
  })

  test('twice is no error: the answer is the same and the first actor and reason stay', async (context) => {
    const { client, claim } = openClient(context)
    const queued = await client.enqueue(sendMail, null)
    const first = await client.cancel(queued.job, { actor: 'ann', reason: 'wrong' })
    assert.deepEqual(await client.cancel(queued.job, { actor: 'bob', reason: 'late' }), first)
    assert.equal((await client.get(queued.job)).cancelReason, 'wrong')

    const { job } = await client.enqueue(sendMail, null)
    await claim('mail.send')
    const asked = await client.cancel(job, { actor: 'ann' })
    assert.deepEqual(await client.cancel(job, { actor: 'bob' }), asked)
    assert.deepEqual(await names(client, job), ['job:queued', 'job:started', 'job:cancel-requested'])
  })

  test('of a completed or failed job is a conflict that names its state, and changes nothing', async (context) => {
    const { client, complete, fail } = openClient(context)
    const completed = await client.enqueue(sendMail, null)
    await complete('mail.send', null)
    const failed = await client.enqueue(sendMail, null)
    await fail('mail.send', 'no paper')
    for (const [{ job }, state] of [[completed, 'completed'] as const, [failed, 'failed'] as const]) {
      const before = await client.get(job)
      await assert.rejects(client.cancel(job, { actor: 'ann' }), (error) => {
        assert.ok(error instanceof ConflictError)
        assert.equal(error.code, 'job-final')
        assert.equal(error.details['state'], state)
        assert.match(error.message, new RegExp(state))
        return true
      })
      assert.deepEqual(await client.get(job), before)
    }
  })

  test('by a member of the tenant who does not own the job is refused, and by its admin accepted', async (context) => {
    const { client, as } = openClient(context)
    const { job } = await client.enqueue(sendMail, null, { tenant: 'acme', owner: 'ann' })
    const bob = as({ role: 'member', tenant: 'acme', user: 'bob' })
    await assert.rejects(bob.cancel(job), ForbiddenError)
    await assert.rejects(bob.get(job), ForbiddenError)
    assert.equal((await client.get(job)).state, 'queued')
    const { success } = await as({ role: 'admin', tenant: 'acme' }).cancel(job, { actor: 'boss' })
    assert.equal(success, true)
  })

  test('by the owner who names nobody is by the owner', async (context) => {
    const { as } = openClient(context)
    const ann = as({ role: 'member', tenant: 'acme', user: 'ann' })
    const { job } = await ann.enqueue(sendMail)
    assert.equal((await ann.cancel(job)).cancelledBy, 'ann')
  })

  test('of the job of another tenant finds nothing, whatever the role', async (context) => {
    const { client, as } = openClient(context)
    const { job } = await client.enqueue(sendMail, null, { tenant: 'acme', owner: 'ann' })
    const strangers = [
      as({ role: 'admin', tenant: 'umbrella' }),
      as({ role: 'member', tenant: 'umbrella', user: 'ann' }),
    ]
    for (const stranger of strangers) {
      await assert.rejects(stranger.cancel(job), NotFoundError)
      await assert.rejects(stranger.retry(job), NotFoundError)
      await assert.rejects(stranger.explain(job), NotFoundError)
      await assert.rejects(stranger.artifacts(job), NotFoundError)
      await assert.rejects(stranger.waitFor(job), NotFoundError)
      assert.equal((await stranger.list()).jobs.length, 0)
      assert.equal((await stranger.events()).length, 0)
    }
  })

  test('of a job that is not there finds nothing, and of what can be no id neither', async (context) => {
    const { client } = openClient(context)
    await assert.rejects(client.cancel(NOBODY), { code: 'job-not-found' })
    await assert.rejects(client.cancel('order-7'), { code: 'job-not-found' })
    const none = undefined as unknown as string
    await assert.rejects(client.cancel(none), (error) => error instanceof InvalidInputError && error.path === 'job')
  })

  test('takes an id in capitals', async (context) => {
    const { client } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    assert.equal((await client.cancel(job.id.toUpperCase())).jobId, job.id)
  })

  test('refuses an actor and a reason that are none, and changes nothing', async (context) => {
    const { client } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    await assert.rejects(client.cancel(job, { actor: '' }), { code: 'option-invalid', path: 'actor' })
    await assert.rejects(client.cancel(job, { reason: 'r'.repeat(1_001) }), { code: 'too-large', path: 'reason' })
    assert.equal((await client.get(job)).state, 'queued')
  })
})
