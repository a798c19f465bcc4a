/** A worker whose thread was held up by a handler: what happened to its jobs meanwhile is known before they begin. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { FORCE_FAIL } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import type { Claimed, ClaimStore, Interruption } from '../../src/store/claims.ts'
import { handle } from '../../src/worker/handler.ts'
import type { StartWorkerOptions } from '../../src/worker/start-worker.ts'
import type { Worker } from '../../src/worker/worker.ts'
import { openWorkplace } from './open-workplace.ts'
import type { Workplace } from './open-workplace.ts'
import { enqueueInputs, quick, startKnown } from './quick-worker.ts'

interface HeldUp extends Workplace {
  /** Of the workers: time that passes for them while nothing can happen. */
  readonly block: (ms: number) => void
  readonly options: Pick<StartWorkerOptions, 'runtime' | 'store'>
  /** How many jobs were asked for in the middle of a turn, each time. */
  readonly looks: number[]
  /** What is done with the answer of a claim before the worker gets it. */
  held: (claimed: Claimed) => Promise<void>
  /** Whether the store answers in the middle of a turn. */
  deaf: boolean
}

async function openHeldUp(context: TestContext): Promise<HeldUp> {
  const place = await openWorkplace(context)
  let blockedMs = 0
  const runtime: Runtime = { ...place.runtime, monotonic: () => place.runtime.monotonic() + blockedMs }
  const claims: ClaimStore = {
    ...place.store.claims,
    claim: async (request) => {
      const claimed = await place.store.claims.claim(request)
      await heldUp.held(claimed)
      return claimed
    },
    // Its answers come in between turns, which is too late where the next turn is that of the next job.
    interruptions: () => new Promise(() => {}),
    interruptionsNow: (held): readonly Interruption[] | null => {
      heldUp.looks.push(held.length)
      return heldUp.deaf ? null : place.store.claims.interruptionsNow(held)
    },
  }
  const heldUp: HeldUp = {
    ...place,
    block: (ms) => void (blockedMs += ms),
    options: { runtime, store: { ...place.store, claims } },
    looks: [],
    held: async () => {},
    deaf: false,
  }
  return heldUp
}

interface Blocking {
  readonly worker: Worker
  /** Inputs of the jobs that began, in their order. */
  readonly began: unknown[]
  readonly ids: readonly string[]
  /** The first job holds the thread for so long and ends. */
  readonly end: (ms: number) => Promise<void>
}

/** A worker of one slot whose first job waits, with three others in hand. */
async function startBlocking(place: HeldUp): Promise<Blocking> {
  const began: unknown[] = []
  const gate = Promise.withResolvers<number>()
  const worker = await startKnown(
    place,
    async ({ input }) => {
      began.push(input)
      if (input === 0) place.block(await gate.promise)
    },
    { concurrency: 1, ...place.options },
  )
  const ids = await enqueueInputs(place, [0, 1, 2, 3])
  const end = async (ms: number): Promise<void> => {
    gate.resolve(ms)
    await place.runtime.advance(0)
    await worker.idle()
  }
  return { worker, began, ids, end }
}

async function statesOf(place: Workplace, ids: readonly string[]): Promise<readonly string[]> {
  return Promise.all(ids.map(async (id) => (await place.job(id)).state))
}

describe('a job in hand', () => {
  test('that was cancelled while the thread was blocked never begins', async (context) => {
    const place = await openHeldUp(context)
    const { began, ids, end } = await startBlocking(place)
    await place.cancel(ids[1] ?? '', 'ann', 'not wanted')
    await end(3_000)
    assert.deepEqual(began, [0, 2, 3])
    assert.deepEqual(await statesOf(place, ids), ['completed', 'cancelled', 'completed', 'completed'])
    const { cancelledBy, cancelReason } = await place.job(ids[1] ?? '')
    assert.deepEqual([cancelledBy, cancelReason], ['ann', 'not wanted'])
    assert.deepEqual(place.looks, [3], 'one look for all that are in hand')
  })

  test('that was taken away while the thread was blocked never begins', async (context) => {
    const place = await openHeldUp(context)
    const { began, ids, end } = await startBlocking(place)
    const jobId = ids[2] ?? ''
    const values = { actor: 'root', reason: 'stuck' }
    const call = { jobId, plan: FORCE_FAIL, scope: OPERATOR, claim: null, values, detail: null }
    assert.equal((await place.store.claims.apply(call)).applied, true)
    await end(3_000)
    assert.deepEqual(began, [0, 1, 3])
    assert.deepEqual(await statesOf(place, ids), ['completed', 'completed', 'failed', 'completed'])
    assert.equal(place.logged('JOB_LOST').length, 1)
  })

  test('begins without another look when the thread was not blocked', async (context) => {
    const place = await openHeldUp(context)
    const { began, end } = await startBlocking(place)
    await end(99)
    assert.deepEqual([began, place.looks], [[0, 1, 2, 3], []])
  })

  test('begins all the same when the store cannot say in time what has become of it', async (context) => {
    const place = await openHeldUp(context)
    place.deaf = true
    const { began, end } = await startBlocking(place)
    await end(3_000)
    assert.deepEqual([began, place.looks], [[0, 1, 2, 3], [3]])
  })
})

describe('jobs whose claim is answered late', () => {
  test('do not begin where they were cancelled while the thread was blocked', async (context) => {
    const place = await openHeldUp(context)
    const began: unknown[] = []
    place.held = async ({ jobs }) => {
      place.held = async () => {}
      await place.cancel(jobs[0]?.claim.jobId ?? '')
      place.block(3_000)
    }
    const ids = await enqueueInputs(place, ['cancelled', 'wanted'])
    const worker = await place.start([handle(quick, ({ input }) => void began.push(input))], place.options)
    await worker.idle()
    assert.deepEqual(began, ['wanted'])
    assert.deepEqual(await statesOf(place, ids), ['cancelled', 'completed'])
  })

  test('begin, and none is given back, where it is the store that is slow', async (context) => {
    const place = await openHeldUp(context)
    place.held = () => new Promise((resolve) => void place.runtime.after(150, resolve))
    const began: unknown[] = []
    const ids = await enqueueInputs(
      place,
      Array.from({ length: 100 }, (_, index) => index),
    )
    const worker = await place.start([handle(quick, ({ input }) => void began.push(input))], place.options)
    const idle = worker.idle()
    await place.runtime.advance(10_000)
    await idle
    assert.equal(began.length, ids.length)
    assert(place.calls.every(({ plan }) => plan.name === 'complete-only-phase'))
  })
})

describe('jobs that have a slot', () => {
  test('and wait for their turn do not begin where they were cancelled while another had it', async (context) => {
    const place = await openHeldUp(context)
    const began: unknown[] = []
    place.held = async ({ jobs }) => {
      const last = jobs.at(-1)
      if (last !== undefined) await place.cancel(last.claim.jobId)
    }
    const ids = await enqueueInputs(place, [0, 1, 2])
    const run = ({ input }: { readonly input: unknown }): void => {
      began.push(input)
      // The first uses up its turn, the second blocks the next one.
      place.block(input === 0 ? 5 : 3_000)
    }
    const worker = await place.start([handle(quick, run)], { concurrency: 3, ...place.options })
    await worker.idle()
    assert.deepEqual(began, [0, 1])
    assert.deepEqual(await statesOf(place, ids), ['completed', 'completed', 'cancelled'])
  })

  test('are not given back although each blocks the thread for longer than a job should be in hand', async (context) => {
    const place = await openHeldUp(context)
    const ids = await enqueueInputs(place, [0, 1, 2, 3, 4, 5, 6, 7])
    const handler = handle(quick, () => place.block(150))
    const worker = await place.start([handler], { concurrency: 4, ...place.options })
    const idle = worker.idle()
    await place.runtime.advance(1_000)
    await idle
    assert.equal(
      (await statesOf(place, ids)).every((state) => state === 'completed'),
      true,
    )
    assert(place.calls.every(({ plan }) => plan.name === 'complete-only-phase'))
  })

  test('have their later phases begun without a look of their own', async (context) => {
    const place = await openHeldUp(context)
    const steps = defineJob('steps', { service: 'tests', phases: ['one', 'two'] })
    await place.enqueue(steps)
    const handler = handle(steps)
      .phase('one', () => place.block(150))
      .phase('two', () => place.block(150))
    const worker = await place.start([handler], place.options)
    await worker.idle()
    assert.deepEqual(place.looks, [])
  })
})
