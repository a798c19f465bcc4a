import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { LeaseLostError } from '../../src/core/errors.ts'
import { CHECKPOINT } from '../../src/core/plans.ts'
import type { ClaimStore, PlanResult } from '../../src/store/claims.ts'
import { handle } from '../../src/worker/handler.ts'
import type { ContextOf } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'
import type { Workplace } from './open-workplace.ts'

const steps = defineJob('steps', { service: 'tests', phases: ['one', 'two'] })
const single = defineJob('single', { service: 'tests' })

type Context = ContextOf<typeof single>

/** Ends the session of the worker and takes its jobs away, as a reaper does when a worker looks dead. */
async function takeAway({ store }: Workplace, jobId: string): Promise<void> {
  const job = await store.jobs.get(jobId, { role: 'operator' })
  assert(typeof job === 'object' && job.holder !== null)
  await store.sessions.end(job.holder)
  const { jobsReaped } = await store.claims.sweep({ graceMs: 0, random: 0 })
  assert.equal(jobsReaped, 1)
}

describe('a handler whose claim was taken away', () => {
  test('is told by its signal, can write nothing, and another attempt runs beside it', async (context) => {
    const place = await openWorkplace(context)
    const { enqueue, start, runtime, job } = place
    const id = await enqueue(single)
    const contexts: Context[] = []
    const gate = Promise.withResolvers<string>()
    const worker = await start([
      handle(single, (handler) => {
        contexts.push(handler)
        return handler.attempt === 1 ? gate.promise : 'the second'
      }),
    ])
    await runtime.advance(0)
    const [first] = contexts
    assert(first !== undefined)
    const { signal } = first
    await takeAway(place, id)
    await runtime.advance(2_000)
    assert(signal.aborted && signal.reason instanceof LeaseLostError)
    assert.throws(() => first.progress(10), LeaseLostError)
    assert.throws(() => first.checkCancellation(), LeaseLostError)
    assert.throws(() => first.log.warn('gone'), LeaseLostError)
    await assert.rejects(first.extend('1m'), LeaseLostError)
    await assert.rejects(first.artifact.write('a.txt', 'a'), LeaseLostError)
    assert.equal(contexts[1]?.fence, first.fence + 2)
    const { state, output } = await job(id)
    assert.deepEqual({ state, output }, { state: 'completed', output: '"the second"' })
    gate.resolve('the first')
    await runtime.advance(0)
    assert.equal((await job(id)).output, '"the second"')
    assert.equal(worker.abandoned, 0)
  })

  test('learns it from the answer to whatever it writes first', async (context) => {
    const place = await openWorkplace(context)
    const { enqueue, start, runtime } = place
    const id = await enqueue(single)
    let handler: Context | undefined
    await start([
      handle(single, (given) => {
        handler = given
        return given.attempt === 1 ? new Promise<null>(() => {}) : null
      }),
    ])
    await runtime.advance(0)
    await takeAway(place, id)
    await assert.rejects(async () => handler?.artifact.write('a.txt', 'a'), LeaseLostError)
    assert.throws(() => handler?.progress(1), LeaseLostError)
  })

  for (const [moment, fails] of [
    ['at the first try', 0],
    ['when it was tried again', 1],
  ] as const) {
    test(`has what it was about to write given up where the store fails ${moment}`, async (context) => {
      const place = await openWorkplace(context)
      const { enqueue, start, runtime, store } = place
      const gate = Promise.withResolvers<PlanResult>()
      let tries = 0
      const apply: ClaimStore['apply'] = async (call) => {
        if (call.plan !== CHECKPOINT || call.claim?.fence !== 1) return store.claims.apply(call)
        tries += 1
        if (tries <= fails) throw new Error('the disk is full')
        return gate.promise
      }
      const id = await enqueue(steps)
      const worker = await start(
        [
          handle(steps)
            .phase('one', () => 1)
            .phase('two', () => 2),
        ],
        {
          store: { ...store, claims: { ...store.claims, apply } },
        },
      )
      await runtime.advance(1_000)
      assert.equal(tries, fails + 1)
      await takeAway(place, id)
      await runtime.advance(2_000)
      await worker.stop()
      gate.reject(new Error('the disk is full'))
      await runtime.advance(0)
      assert.equal(runtime.waiting, 0)
    })
  }

  test('does not get its next phase', async (context) => {
    const place = await openWorkplace(context)
    const { enqueue, start, runtime, job } = place
    const id = await enqueue(steps)
    const gate = Promise.withResolvers<string>()
    const ran: string[] = []
    await start([
      handle(steps)
        .phase('one', ({ attempt }) => {
          ran.push(`one ${attempt}`)
          return attempt === 1 ? gate.promise : 'again'
        })
        .phase('two', ({ attempt, results }) => {
          ran.push(`two ${attempt}`)
          return results.one
        }),
    ])
    await runtime.advance(0)
    await takeAway(place, id)
    await runtime.advance(50)
    gate.resolve('late')
    await runtime.advance(2_000)
    assert.deepEqual(ran, ['one 1', 'one 2', 'two 2'])
    assert.equal((await job(id)).output, '"again"')
    const kept = place.calls.filter(({ plan }) => plan.name === 'checkpoint').map(({ result }) => result)
    assert.deepEqual(kept, ['"again"', '"again"'])
  })

  test('that fails afterwards counts as nothing', async (context) => {
    const place = await openWorkplace(context)
    const { enqueue, start, runtime, job } = place
    const id = await enqueue(single)
    const gate = Promise.withResolvers<never>()
    await start([handle(single, ({ attempt }) => (attempt === 1 ? gate.promise : null))])
    await runtime.advance(0)
    await takeAway(place, id)
    gate.reject(new Error('too late to matter'))
    await runtime.advance(2_000)
    const { state, failures } = await job(id)
    assert.deepEqual({ state, failures }, { state: 'completed', failures: 0 })
  })
})

describe('a worker that loses its session', () => {
  test('drops its jobs, opens a new one under another key, and goes on', async (context) => {
    const place = await openWorkplace(context)
    const { store, enqueue, start, runtime, job, logs } = place
    const id = await enqueue(single)
    const signals: AbortSignal[] = []
    const worker = await start(
      [
        handle(single, ({ signal, attempt }) => {
          signals.push(signal)
          return attempt === 1 ? new Promise<null>(() => {}) : null
        }),
      ],
      { concurrency: 1 },
    )
    await runtime.advance(0)
    const before = (await job(id)).holder
    await takeAway(place, id)
    await runtime.advance(2_000)
    assert(signals[0]?.aborted)
    assert.equal((await job(id)).state, 'completed')
    const open = (await store.sessions.list()).filter(({ endedAt }) => endedAt === null)
    assert.equal(open.length, 1)
    assert.notEqual(before, null)
    assert.equal(worker.state, 'running')
    assert.equal(logs.filter(({ message }) => message.startsWith('The session of the worker was lost')).length, 1)
  })

  test('tries to open a new one until it can', async (context) => {
    const place = await openWorkplace(context)
    const { enqueue, start, runtime, job, faults, logs } = place
    const id = await enqueue(single)
    await start([handle(single, ({ attempt }) => (attempt === 1 ? new Promise<null>(() => {}) : null))])
    await runtime.advance(0)
    faults.openSession = () => new Error('the disk is full')
    await takeAway(place, id)
    await runtime.advance(30_000)
    assert.equal((await job(id)).state, 'queued')
    assert.equal(logs.filter(({ message }) => message.startsWith('The worker cannot open a session')).length, 1)
    delete faults.openSession
    await runtime.advance(15_000)
    assert.equal((await job(id)).state, 'completed')
  })

  test('opens another one if the new one is lost before it is open', async (context) => {
    const { store, enqueue, start, runtime, job, faults, sessionLost } = await openWorkplace(context)
    await start([handle(single, () => null)])
    faults.openSession = () => {
      delete faults.openSession
      sessionLost()
      return undefined
    }
    sessionLost()
    await runtime.advance(15_000)
    const sessions = await store.sessions.list()
    assert.deepEqual(
      sessions.map(({ endedAt }) => endedAt !== null).toSorted((one, other) => Number(one) - Number(other)),
      [false, true, true],
    )
    const id = await enqueue(single)
    await runtime.advance(1_000)
    assert.equal((await job(id)).state, 'completed')
  })
})

describe('a worker that is stopped while it opens a new session', () => {
  test('ends the new one too, and leaves no timer', async (context) => {
    const place = await openWorkplace(context)
    const { store, start, runtime, faults } = place
    const worker = await start([handle(single, () => null)])
    const gate = Promise.withResolvers<undefined>()
    faults.openSession = () => gate.promise
    place.sessionLost()
    await runtime.advance(0)
    const stopping = worker.stop()
    await runtime.advance(0)
    assert.equal(worker.state, 'draining', 'what is being opened has to be ended')
    gate.resolve(undefined)
    await stopping
    const sessions = await store.sessions.list()
    assert.deepEqual(
      sessions.map(({ endedAt }) => endedAt),
      [runtime.now(), runtime.now()],
    )
    assert.equal(runtime.waiting, 0)
  })

  test('and cannot, does not wait for another try', async (context) => {
    const place = await openWorkplace(context)
    const { start, runtime, faults } = place
    const worker = await start([handle(single, () => null)])
    faults.openSession = () => new Error('the disk is full')
    place.sessionLost()
    await runtime.advance(1_000)
    await worker.stop()
    assert.equal(runtime.waiting, 0)
  })
})

describe('a result that waits for the store', () => {
  test('is given up with its session, so that the worker goes on', async (context) => {
    const place = await openWorkplace(context)
    const { enqueue, start, runtime, job, faults, logs } = place
    const id = await enqueue(single)
    const isFirst = (fence: number | undefined): boolean => fence === 1
    faults.apply = ({ plan, claim }) =>
      plan.name === 'complete-only-phase' && isFirst(claim?.fence) ? new Error('the disk is full') : undefined
    await start([handle(single, ({ attempt }) => attempt)])
    await runtime.advance(500)
    assert.equal((await job(id)).state, 'running')
    await takeAway(place, id)
    place.sessionLost()
    await runtime.advance(5_000)
    const { state, output } = await job(id)
    assert.deepEqual({ state, output }, { state: 'completed', output: '2' })
    assert.equal(logs.filter(({ message }) => message.startsWith('What came of a job could not be kept')).length, 1)
  })
})

describe('an abandoned handler', () => {
  const quick = defineJob('quick', { service: 'tests', cancelGrace: '1s' })

  test('makes the worker stop once there are more of them than it may have, and the log says so', async (context) => {
    const { enqueue, start, runtime, cancel, job, logs } = await openWorkplace(context)
    const worker = await start([handle(quick, () => new Promise<null>(() => {}))], {
      concurrency: 4,
      maxAbandonedSlots: 2,
    })
    for (let hung = 1; hung <= 3; hung += 1) {
      assert.equal(worker.state, 'running')
      const id = await enqueue(quick)
      await runtime.advance(10)
      await cancel(id)
      await runtime.advance(1_100)
      assert.equal((await job(id)).state, 'cancelled')
      assert.equal(worker.abandoned, hung)
    }
    await runtime.advance(1_000)
    assert.equal(worker.state, 'stopped')
    const told = logs.filter(({ level, message }) => level === 'error' && message.startsWith('Too many handlers'))
    assert.deepEqual(
      told.map(({ fields }) => fields),
      [{ abandoned: 3, maxAbandonedSlots: 2 }],
    )
  })

  test('of a lost session counts once it has had its time to notice', async (context) => {
    const place = await openWorkplace(context)
    const { enqueue, start, runtime } = place
    const id = await enqueue(quick)
    const worker = await start([handle(quick, ({ attempt }) => (attempt === 1 ? new Promise<null>(() => {}) : null))], {
      maxAbandonedSlots: 0,
    })
    await runtime.advance(0)
    await takeAway(place, id)
    await runtime.advance(100)
    assert.deepEqual([worker.state, worker.abandoned], ['running', 0])
    await runtime.advance(2_500)
    assert.equal(worker.state, 'stopped')
  })

  test('of a lost session does not count before that, beside one that ignores its cancel', async (context) => {
    const { enqueue, start, runtime, cancel, sessionLost } = await openWorkplace(context)
    const patient = defineJob('patient', { service: 'tests', cancelGrace: '1m' })
    const hangs = ({ attempt }: { readonly attempt: number }): Promise<null> | null =>
      attempt === 1 ? new Promise<null>(() => {}) : null
    const worker = await start([handle(patient, hangs), handle(quick, hangs)], {
      concurrency: 10,
      maxAbandonedSlots: 10,
    })
    for (let job = 0; job < 10; job += 1) await enqueue(patient)
    await runtime.advance(10)
    sessionLost()
    await runtime.advance(1_000)
    const ignoring = await enqueue(quick)
    await runtime.advance(10)
    await cancel(ignoring)
    await runtime.advance(3_000)
    assert.deepEqual([worker.state, worker.abandoned], ['running', 1])
    await runtime.advance(60_000)
    assert.equal(worker.state, 'stopped')
  })

  test('counts no more once it has come to its end', async (context) => {
    const { enqueue, start, runtime, cancel } = await openWorkplace(context)
    const gate = Promise.withResolvers<null>()
    const worker = await start([handle(quick, () => gate.promise)], { maxAbandonedSlots: 0, concurrency: 1 })
    const id = await enqueue(quick)
    await runtime.advance(10)
    await cancel(id)
    await runtime.advance(900)
    gate.resolve(null)
    await runtime.advance(1_000)
    assert.equal(worker.abandoned, 0)
    assert.equal(worker.state, 'running')
  })
})
