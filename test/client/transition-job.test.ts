import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { ManagedState } from '../../src/client/by-hand.ts'
import { ClientContext } from '../../src/client/client-context.ts'
import { defineJob } from '../../src/client/define-job.ts'
import { JobManager } from '../../src/client/job-manager.ts'
import { OperatorClient } from '../../src/client/operator-client.ts'
import type { TransitionFields } from '../../src/client/transition-job.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { openManager } from './open-manager.ts'
import type { ManagerBench } from './open-manager.ts'

const bread = defineJob('bread.bake', {
  service: 'bakery',
  retry: { maxAttempts: 2, backoff: { base: '1m', jitter: 0 } },
})

const STATES: readonly ManagedState[] = [
  'scheduled',
  'queued',
  'processing',
  'retrying',
  'completed',
  'failed',
  'cancelled',
]

/** A job in the state, driven there by hand. */
async function jobIn(state: ManagedState, { mill, jobs }: ManagerBench): Promise<string> {
  const { job } = await mill.enqueue(bread, null, state === 'scheduled' ? { delay: '1h' } : {})
  const { id } = job
  if (state === 'scheduled' || state === 'queued') return id
  if (state === 'cancelled') return (await mill.cancel(id)).jobId
  await jobs.startProcessing(id)
  if (state === 'completed') await jobs.completeJob(id)
  if (state === 'retrying') await jobs.failJob(id, 'no power')
  if (state === 'failed') await jobs.failJob(id, 'the oven is not found')
  return id
}

/** Every way that there is, with what it needs. */
const WAYS: Readonly<Partial<Record<ManagedState, Readonly<Partial<Record<ManagedState, TransitionFields>>>>>> = {
  scheduled: { queued: {}, failed: {}, cancelled: {} },
  queued: { processing: {}, failed: {}, cancelled: {} },
  processing: {
    processing: { progress: 40 },
    queued: {},
    retrying: { error: new Error('no power') },
    completed: { output: 'bread' },
    failed: {},
    cancelled: {},
  },
  retrying: { queued: {}, failed: {}, cancelled: {} },
  completed: { queued: {} },
  failed: { queued: { fromStart: true } },
  cancelled: { queued: {} },
}

describe('moving a job from state to state', () => {
  for (const from of STATES) {
    for (const to of STATES) {
      const fields = WAYS[from]?.[to]
      test(`from ${from} to ${to} ${fields === undefined ? 'there is no way' : 'it goes'}`, async (t) => {
        const bench = openManager(t)
        const id = await jobIn(from, bench)
        const before = await bench.mill.get(id)
        if (fields === undefined) {
          await assert.rejects(bench.jobs.transitionJobState(id, from, to, {}, 'why'), {
            name: 'ConflictError',
            code: 'transition-refused',
          })
          assert.deepEqual(await bench.mill.get(id), before)
          return
        }
        const moved = await bench.jobs.transitionJobState(id, from, to, fields, 'why')
        assert.deepEqual([moved.success, moved.jobId, moved.state], [true, id, to])
        const { state } = await bench.mill.get(id)
        assert.equal(state === 'running' ? 'processing' : state, to)
      })
    }
  }

  test('a job that is in another state stays as it is', async (t) => {
    const bench = openManager(t)
    const id = await jobIn('processing', bench)
    await assert.rejects(bench.jobs.transitionJobState(id, 'queued', 'cancelled'), {
      code: 'transition-refused',
      message: `Job ${id} was left as it is: it is processing, not queued.`,
    })
    assert.equal((await bench.mill.get(id)).cancelRequestedAt, null)
  })

  test('a lock is given on the way to processing, and needed on the way out', async (t) => {
    const bench = openManager(t)
    const { jobs, states, another } = bench
    const id = await jobIn('queued', bench)
    const { lockId } = await jobs.transitionJobState(id, 'queued', 'processing')
    await assert.rejects(another().transitionJobState(id, 'processing', 'completed'), { code: 'lease-lost' })
    await assert.rejects(states.transitionJobState(id, 'processing', 'completed', {}), { path: 'lockId' })
    const stranger = { lockId: 'lock_1_1' }
    const refused = { success: false, jobId: id, reason: 'lease-lost' }
    for (const to of ['completed', 'failed', 'queued', 'retrying', 'cancelled'] as const) {
      assert.deepEqual(await states.transitionJobState(id, 'processing', to, stranger), refused, to)
    }
    assert.equal((await bench.mill.get(id)).cancelRequestedAt, null, 'nor was it asked to stop')
    assert.ok(lockId !== undefined)
    await another().transitionJobState(id, 'processing', 'completed', { lockId })
  })

  test('the reason says why, and who did it', async (t) => {
    const bench = openManager(t)
    const cancelled = await jobIn('processing', bench)
    await bench.jobs.transitionJobState(cancelled, 'processing', 'cancelled', {}, 'wrong flour')
    const { cancelledBy, cancelReason } = await bench.mill.get(cancelled)
    assert.deepEqual([cancelledBy, cancelReason], ['ann', 'wrong flour'])
    const failed = await jobIn('processing', bench)
    await bench.jobs.transitionJobState(failed, 'processing', 'failed', {}, 'wrong flour')
    assert.equal((await bench.mill.get(failed)).error?.message, 'wrong flour')
    const forced = await jobIn('queued', bench)
    const nameless = new JobManager(bench.mill)
    await assert.rejects(nameless.transitionJobState(forced, 'queued', 'failed'), { path: 'reason' })
    await nameless.transitionJobState(forced, 'queued', 'failed', {}, 'wrong flour')
    const waiting = await jobIn('queued', bench)
    await nameless.transitionJobState(waiting, 'queued', 'cancelled')
    assert.equal((await bench.mill.get(waiting)).cancelledBy, 'system')
  })

  test('the last failure is not tried again', async (t) => {
    const bench = openManager(t)
    const id = await jobIn('retrying', bench)
    await bench.advance(60_000)
    await bench.jobs.startProcessing(id)
    await assert.rejects(bench.jobs.transitionJobState(id, 'processing', 'retrying'), { code: 'transition-refused' })
    await bench.jobs.transitionJobState(id, 'processing', 'failed')
    assert.equal((await bench.mill.get(id)).error?.message, 'no reason was given')
  })

  test('a job that somebody else has taken meanwhile is refused', async (t) => {
    const bench = openManager(t)
    const id = await jobIn('queued', bench)
    const both = await Promise.allSettled([
      bench.jobs.transitionJobState(id, 'queued', 'processing'),
      bench.another().transitionJobState(id, 'queued', 'processing'),
    ])
    const [first, second] = both.toSorted((one) => (one.status === 'fulfilled' ? -1 : 1))
    assert.equal(first?.status, 'fulfilled')
    assert.equal(second?.status === 'rejected' ? (second.reason as { code: string }).code : null, 'transition-refused')
  })

  test('a job that has begun meanwhile is not cancelled as one that waits', async (t) => {
    const bench = openManager(t)
    const id = await jobIn('queued', bench)
    const { store, mill } = bench
    let begun = 0
    const get: typeof store.jobs.get = async (...asked) => {
      const details = await store.jobs.get(...asked)
      begun += 1
      if (begun === 1) await bench.jobs.startProcessing(id)
      return details
    }
    const hasty = new ClientContext({ ...store, jobs: { ...store.jobs, get } }, virtualRuntime())
    const manager = new JobManager(new OperatorClient(hasty))
    await assert.rejects(manager.transitionJobState(id, 'queued', 'cancelled'), { code: 'transition-refused' })
    const { state, cancelRequestedAt } = await mill.get(id)
    assert.deepEqual([state, cancelRequestedAt], ['running', null])
  })

  test('a word that is no state, and a field that the way does not take, are refused', async (t) => {
    const bench = openManager(t)
    const id = await jobIn('queued', bench)
    const { jobs } = bench
    await assert.rejects(jobs.transitionJobState(id, 'running' as ManagedState, 'queued'), { path: 'from' })
    await assert.rejects(jobs.transitionJobState(id, 'queued', 'done' as ManagedState), { path: 'to' })
    await assert.rejects(jobs.transitionJobState(id, 'queued', 'processing', { progress: 1 }), {
      path: 'fields.progress',
    })
    await assert.rejects(jobs.transitionJobState(id, 'queued', 'cancelled', {}, ''), { path: 'reason' })
    await jobs.startProcessing(id)
    await assert.rejects(jobs.transitionJobState(id, 'processing', 'processing'), { path: 'progress' })
  })
})
