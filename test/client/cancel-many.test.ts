import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ClientContext } from '../../src/client/client-context.ts'
import { defineJob } from '../../src/client/define-job.ts'
import { JobClient } from '../../src/client/job-client.ts'
import { ForbiddenError, InvalidInputError } from '../../src/core/errors.ts'
import { COMPLETE_ONLY_PHASE, FAIL_RETRY } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { openClient } from './open-client.ts'
import type { ClientBench } from './open-client.ts'

const sendMail = defineJob('mail.send', { service: 'workers' })
const exportMap = defineJob('map.export', { service: 'workers' })

const NONE = { cancelled: 0, stopping: 0, alreadyStopping: 0, alreadyFinal: 0, skipped: 0 } as const

/** One job of each unfinished state, one that is being stopped, and one that completed, all of one type; and one of another. */
async function openMixed(bench: ClientBench): Promise<void> {
  const { client, claim, apply, complete } = bench
  const add = async (): Promise<void> => void (await client.enqueue(sendMail, 1, { tenant: 'acme', owner: 'ann' }))
  await add()
  await complete('mail.send', 1)
  await add()
  await apply(await claim('mail.send'), FAIL_RETRY, { delayMs: 60_000 })
  await add()
  const { claim: stopping } = await claim('mail.send')
  await client.cancel(stopping.jobId)
  await add()
  await claim('mail.send')
  await add()
  await client.enqueue(sendMail, 1, { delay: '1h', owner: 'bob', tenant: 'acme' })
  await client.enqueue(exportMap, 1)
}

/** A client on the same jobs, where something happens between its look and its act. */
function withHaste(bench: ClientBench, meanwhile: () => Promise<unknown>): JobClient {
  const { store, runtime } = bench
  const list: typeof store.jobs.list = async (query) => {
    const page = await store.jobs.list(query)
    await meanwhile()
    return page
  }
  return new JobClient(new ClientContext({ ...store, jobs: { ...store.jobs, list } }, runtime), OPERATOR)
}

describe('cancelMany', () => {
  test('cancels what waits, stops what runs, and counts each job once', async (context) => {
    const bench = openClient(context)
    await openMixed(bench)
    const { client } = bench
    const preview = await client.cancelMany({ type: sendMail }, { preview: true })
    assert.deepEqual(preview, { preview: true, waiting: 3, running: 2 })
    const before = (await client.events({ limit: 500 })).length
    const answer = await client.cancelMany({ type: sendMail }, { actor: 'olga', reason: 'no mail today' })
    assert.deepEqual(answer, { preview: false, ...NONE, cancelled: 3, stopping: 1, alreadyStopping: 1, more: false })
    assert.equal((await client.events({ limit: 500 })).length, before + 4, 'the preview told nothing')
    const counts = await client.counts({ type: sendMail })
    assert.deepEqual([counts.cancelled, counts.running, counts.completed], [3, 2, 1])
    const { jobs } = await client.list({ state: 'cancelled' })
    for (const job of jobs) assert.deepEqual([job.cancelledBy, job.cancelReason], ['olga', 'no mail today'])
    assert.equal((await client.counts({ type: exportMap })).queued, 1)
  })

  test('keeps to the filter, whatever it names', async (context) => {
    const bench = openClient(context)
    await openMixed(bench)
    const { client } = bench
    const filters = [
      { owner: 'bob' },
      { state: 'scheduled' },
      { state: ['scheduled', 'retrying'] },
      { tenant: '' },
    ] as const
    const counts = [1, 0, 1, 1]
    for (const [index, filter] of filters.entries()) {
      assert.equal((await client.cancelMany(filter)).cancelled, counts[index], JSON.stringify(filter))
    }
    assert.deepEqual(await client.cancelMany({ labels: { course: 'c-1' } }), { preview: false, ...NONE, more: false })
  })

  test('goes through thousands in batches, each job once, and takes no more than the limit', async (context) => {
    const { client } = openClient(context)
    const many = Array.from({ length: 1_203 }, (_, index) => ({ definition: sendMail, input: index }))
    await client.enqueueMany(many)
    const some = await client.cancelMany({ type: sendMail }, { limit: 600 })
    assert.deepEqual([some.cancelled, some.more], [600, true])
    const { jobs } = await client.list({ state: 'queued', limit: 1 })
    assert.equal((await client.get(jobs[0] ?? '')).input, 602, 'the newest are first')
    const rest = await client.cancelMany({ type: sendMail })
    assert.deepEqual([rest.cancelled, rest.more], [603, false])
  })

  test('leaves a job alone that is over by then, and does not stop one that has started where it was to wait', async (context) => {
    const bench = openClient(context)
    const { client, claim, apply } = bench
    const { job: first } = await client.enqueue(sendMail, 1)
    const { job: second } = await client.enqueue(sendMail, 2)
    const hasty = withHaste(bench, async () => {
      await apply(await claim('mail.send'), COMPLETE_ONLY_PHASE, { output: '1' })
      await claim('mail.send')
    })
    const answer = await hasty.cancelMany({ state: ['queued', 'scheduled'] })
    assert.deepEqual(answer, { preview: false, ...NONE, alreadyFinal: 1, skipped: 1, more: false })
    assert.equal((await client.get(first)).state, 'completed')
    assert.equal((await client.get(second)).cancelRequestedAt, null)
    const { job: third } = await client.enqueue(sendMail, 3)
    const other = withHaste(bench, async () => client.cancel(third, { actor: 'ann' }))
    const { alreadyFinal, stopping } = await other.cancelMany({ type: sendMail })
    assert.deepEqual([alreadyFinal, stopping], [1, 1])
    assert.equal((await client.get(third)).cancelledBy, 'ann')
  })

  test('touches what the caller may touch, in the own name', async (context) => {
    const bench = openClient(context)
    await openMixed(bench)
    const ann = bench.as({ role: 'member', tenant: 'acme', user: 'ann' })
    const eve = bench.as({ role: 'admin', tenant: 'other' })
    for (const client of [eve, bench.as({ role: 'member', tenant: 'other', user: 'ann' })]) {
      assert.deepEqual(await client.cancelMany({ type: sendMail }), { preview: false, ...NONE, more: false })
      assert.deepEqual(await client.cancelMany({ owner: 'ann' }, { preview: true }), {
        preview: true,
        waiting: 0,
        running: 0,
      })
    }
    await assert.rejects(ann.cancelMany({ type: sendMail }, { actor: 'bob' }), ForbiddenError)
    assert.deepEqual(await ann.cancelMany({ tenant: 'acme', owner: 'bob' }), { preview: false, ...NONE, more: false })
    const { cancelled, stopping, alreadyStopping } = await ann.cancelMany({ tenant: 'acme' })
    assert.deepEqual([cancelled, stopping, alreadyStopping], [2, 1, 1])
    const { jobs } = await bench.client.list({ state: 'cancelled' })
    assert.ok(jobs.every((job) => job.owner === 'ann' && job.cancelledBy === 'ann'))
  })

  test('refuses a filter that says nothing, a final state and options that it does not know, and changes nothing', async (context) => {
    const { client } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    const bad: readonly (readonly [object, object, string])[] = [
      [{}, {}, 'filter'],
      [{ state: 'completed' }, {}, 'state'],
      [{ state: ['queued', 'failed'] }, {}, 'state'],
      [{ state: 'processing' }, {}, 'state'],
      [{ type: '' }, {}, 'type'],
      [{ typ: 'mail.send' }, {}, 'filter.typ'],
      [{ type: sendMail }, { limit: 0 }, 'limit'],
      [{ type: sendMail }, { preview: 1 }, 'preview'],
      [{ type: sendMail }, { dryRun: true }, 'options.dryRun'],
      [{ type: sendMail }, { reason: '' }, 'reason'],
    ]
    for (const [filter, options, path] of bad) {
      await assert.rejects(
        client.cancelMany(filter, options),
        (error) => error instanceof InvalidInputError && error.path === path,
        path,
      )
    }
    assert.equal((await client.get(job)).eventSeq, 1)
  })
})
