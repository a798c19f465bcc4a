import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { JobCancelledError } from '../../src/core/errors.ts'
import { FORCE_FAIL } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { handle } from '../../src/worker/handler.ts'
import type { ContextOf } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'
import type { Workplace } from './open-workplace.ts'

const render = defineJob('render', { service: 'tests', cancelGrace: '5s', retry: { maxAttempts: 3 } })

type Context = ContextOf<typeof render>

/** A handler that waits until it is aborted, and then throws the reason. */
function untilAborted({ signal }: Context): Promise<null> {
  const { promise, reject } = Promise.withResolvers<null>()
  signal.addEventListener('abort', () => reject(signal.reason as Error))
  return promise
}

async function outcomeOf(write: () => unknown): Promise<string> {
  try {
    await write()
    return 'accepted'
  } catch (error) {
    return (error as { code: string }).code
  }
}

/** A job that runs, on a worker of one slot whose later jobs end at once. */
async function startRunning(place: Workplace, run: (context: Context) => unknown): Promise<string> {
  const id = await place.enqueue(render)
  const handler = handle(render, (later) => (later.jobId === id ? (run(later) as null) : null))
  await place.start([handler], { concurrency: 1 })
  await place.runtime.advance(0)
  assert.equal((await place.job(id)).state, 'running')
  return id
}

describe('cancelling a running job', () => {
  test('aborts its signal with a JobCancelledError within 50 ms, and the job is cancelled', async (context) => {
    const place = await openWorkplace(context)
    let reason: unknown
    const id = await startRunning(place, (handler) => {
      handler.signal.addEventListener('abort', () => {
        reason = handler.signal.reason
      })
      return untilAborted(handler)
    })
    await place.cancel(id, 'ann', 'wrong region')
    await place.runtime.advance(50)
    assert(reason instanceof JobCancelledError)
    assert.deepEqual(
      { jobId: reason.jobId, cancelledBy: reason.cancelledBy, reason: reason.reason },
      { jobId: id, cancelledBy: 'ann', reason: 'wrong region' },
    )
    const { state, cancelledBy, cancelReason, failures } = await place.job(id)
    assert.deepEqual(
      { state, cancelledBy, cancelReason, failures },
      { state: 'cancelled', cancelledBy: 'ann', cancelReason: 'wrong region', failures: 0 },
    )
    assert.deepEqual(await place.eventNames(id), ['job:queued', 'job:started', 'job:cancel-requested', 'job:cancelled'])
    assert.equal(place.logged('JOB_CANCELLED').length, 1)
    assert.equal(place.logged('JOB_FAILED').length, 0)
  })

  test('makes checkCancellation throw, and the same worker goes on with the next job', async (context) => {
    const place = await openWorkplace(context)
    const gate = Promise.withResolvers<void>()
    const thrown: unknown[] = []
    const id = await startRunning(place, async ({ checkCancellation }) => {
      checkCancellation()
      await gate.promise
      try {
        checkCancellation()
      } catch (error) {
        thrown.push(error)
        throw error
      }
      return null
    })
    const next = await place.enqueue(render)
    await place.cancel(id)
    await place.runtime.advance(50)
    gate.resolve()
    await place.runtime.advance(50)
    assert(thrown[0] instanceof JobCancelledError)
    assert.equal((await place.job(id)).state, 'cancelled')
    assert.equal((await place.job(next)).state, 'completed')
  })

  for (const [what, end] of [
    ['an error of its own', (): never => assert.fail('half a map')],
    [
      'an AbortError',
      (): never => {
        throw new DOMException('aborted', 'AbortError')
      },
    ],
  ] as const) {
    test(`is no failure when its handler then throws ${what}`, async (context) => {
      const place = await openWorkplace(context)
      const gate = Promise.withResolvers<void>()
      const id = await startRunning(place, async () => {
        await gate.promise
        return end()
      })
      await place.cancel(id)
      await place.runtime.advance(50)
      gate.resolve()
      await place.runtime.advance(0)
      const { state, failures } = await place.job(id)
      assert.deepEqual({ state, failures }, { state: 'cancelled', failures: 0 })
    })
  }

  test('comes too late when its handler returns all the same: it is completed, and the event says so', async (context) => {
    const place = await openWorkplace(context)
    const gate = Promise.withResolvers<void>()
    const id = await startRunning(place, async () => {
      await gate.promise
      return 'done'
    })
    await place.cancel(id)
    await place.runtime.advance(50)
    gate.resolve()
    await place.runtime.advance(0)
    assert.equal((await place.job(id)).state, 'completed')
    const last = (await place.events(id)).at(-1)
    assert.deepEqual([last?.name, last?.detail], ['job:completed', '{"cancelRequested":true}'])
  })

  test('that its handler does not know of yet cancels it when the handler fails', async (context) => {
    const place = await openWorkplace(context)
    const gate = Promise.withResolvers<void>()
    const id = await startRunning(place, () => gate.promise)
    await place.cancel(id)
    gate.reject(new Error('at the same moment'))
    await place.runtime.advance(0)
    const { state, failures } = await place.job(id)
    assert.deepEqual({ state, failures }, { state: 'cancelled', failures: 0 })
  })

  test('ends it after the grace although its handler goes on, whose late writes are refused', async (context) => {
    const place = await openWorkplace(context)
    const gate = Promise.withResolvers<void>()
    const late: string[] = []
    const id = await startRunning(place, async (handler) => {
      await gate.promise
      const writes: (() => unknown)[] = [
        () => handler.progress(50),
        () => handler.checkCancellation(),
        () => handler.log.info('still here'),
        () => handler.extend('1h'),
        () => handler.artifact.write('late.txt', 'late'),
      ]
      for (const write of writes) late.push(await outcomeOf(write))
      return 'late'
    })
    await place.cancel(id)
    await place.runtime.advance(4_900)
    assert.equal((await place.job(id)).state, 'running')
    await place.runtime.advance(200)
    assert.equal((await place.job(id)).state, 'cancelled')
    const next = await place.enqueue(render)
    await place.runtime.advance(100)
    assert.equal((await place.job(next)).state, 'completed')
    const events = await place.eventNames(id)
    gate.resolve()
    await place.runtime.advance(0)
    assert.deepEqual(late, ['lease-lost', 'lease-lost', 'lease-lost', 'lease-lost', 'lease-lost'])
    assert.equal((await place.job(id)).output, null)
    assert.deepEqual(await place.eventNames(id), events)
  })

  test('is known from the answer to whatever the handler writes, without being asked for', async (context) => {
    const place = await openWorkplace(context)
    place.faults.interruptions = () => new Error('the disk is away')
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const id = await startRunning(place, async ({ progress, checkCancellation }) => {
      await first.promise
      checkCancellation()
      progress(50)
      await second.promise
      checkCancellation()
      return 'not stopped'
    })
    await place.cancel(id)
    await place.runtime.advance(100)
    first.resolve()
    await place.runtime.advance(0)
    second.resolve()
    await place.runtime.advance(0)
    const { state, progress } = await place.job(id)
    assert.deepEqual({ state, progress }, { state: 'cancelled', progress: 50 })
  })

  test('between two phases keeps the result of the one that is done and does not begin the next', async (context) => {
    const place = await openWorkplace(context)
    const steps = defineJob('steps', { service: 'tests', phases: ['one', 'two', 'three'] })
    const gate = Promise.withResolvers<void>()
    let ranTwo = false
    const id = await place.enqueue(steps)
    await place.start([
      handle(steps)
        .phase('one', async () => {
          await gate.promise
          return 1
        })
        .phase('two', () => {
          ranTwo = true
        })
        .phase('three', () => null),
    ])
    await place.runtime.advance(0)
    await place.cancel(id)
    await place.runtime.advance(50)
    gate.resolve()
    await place.runtime.advance(0)
    const { state, phases } = await place.job(id)
    assert.equal(state, 'cancelled')
    assert.equal(ranTwo, false)
    assert.deepEqual(
      phases.map((phase) => [phase.name, phase.state, phase.result]),
      [
        ['one', 'done', '1'],
        ['two', 'cancelled', null],
        ['three', 'cancelled', null],
      ],
    )
  })

  test('that arrives with the answer to a checkpoint stops the job before its next phase', async (context) => {
    const place = await openWorkplace(context)
    const steps = defineJob('steps', { service: 'tests', phases: ['one', 'two'] })
    let ranTwo = false
    const id = await place.enqueue(steps)
    place.faults.apply = ({ plan }) => {
      if (plan.name === 'checkpoint') place.cancel(id).catch(() => {})
      return undefined
    }
    await place.start([
      handle(steps)
        .phase('one', () => 1)
        .phase('two', () => {
          ranTwo = true
        }),
    ])
    await place.runtime.advance(50)
    assert.equal((await place.job(id)).state, 'cancelled')
    assert.equal(ranTwo, false)
  })
})

describe('a handler that throws JobCancelledError on its own account', () => {
  test('fails its job for good', async (context) => {
    const place = await openWorkplace(context)
    const id = await place.enqueue(render)
    const worker = await place.start([
      handle(render, ({ jobId }) => {
        throw new JobCancelledError({ jobId, cancelledBy: 'the handler itself' })
      }),
    ])
    await worker.idle()
    const { state, failures } = await place.job(id)
    assert.deepEqual({ state, failures }, { state: 'failed', failures: 1 })
  })
})

describe('asking the store which jobs must stop', () => {
  for (const [jobs, gapMs] of [
    [1, 2],
    [10, 2],
    [50, 10],
    [100, 20],
    [150, 20],
  ] as const) {
    test(`happens at once after a commit, and after the next ${gapMs} ms later, while ${jobs} jobs run`, async (context) => {
      const place = await openWorkplace(context)
      const ids: string[] = []
      for (let index = 0; index < jobs; index += 1) ids.push(await place.enqueue(render))
      const aborted: number[] = []
      const { runtime } = place
      const worker = await place.start(
        [
          handle(render, ({ signal }) => {
            signal.addEventListener('abort', () => aborted.push(runtime.monotonic()))
            return new Promise<null>(() => {})
          }),
        ],
        { concurrency: jobs },
      )
      await runtime.advance(100)
      assert.equal(worker.running, jobs)
      const asked: number[] = []
      place.faults.interruptions = () => {
        asked.push(runtime.monotonic())
        return undefined
      }
      await place.enqueue(render)
      await runtime.advance(0)
      assert.deepEqual(asked, [100])
      await place.cancel(ids[0] ?? '')
      await runtime.advance(50)
      assert.deepEqual(asked, [100, 100 + gapMs])
      assert.deepEqual(aborted, [100 + gapMs])
    })
  }

  test('happens every second although nothing was committed', async (context) => {
    const place = await openWorkplace(context)
    await startRunning(place, () => new Promise(() => {}))
    await place.runtime.advance(100)
    let asked = 0
    place.faults.interruptions = () => {
      asked += 1
      return undefined
    }
    await place.runtime.advance(3_000)
    assert.equal(asked, 3)
  })

  test('does not happen while nothing runs', async (context) => {
    const place = await openWorkplace(context)
    let asked = 0
    place.faults.interruptions = () => {
      asked += 1
      return undefined
    }
    await place.start([handle(render, () => null)])
    for (let jobs = 0; jobs < 5; jobs += 1) {
      await place.enqueue(render)
      await place.runtime.advance(1_500)
    }
    assert.equal(asked, 0)
  })
})

describe('an administrator who fails a running job', () => {
  test('takes its claim: the handler is told, and its slot is free', async (context) => {
    const place = await openWorkplace(context)
    let reason: { code?: string } | undefined
    const id = await startRunning(place, (handler) => {
      handler.signal.addEventListener('abort', () => (reason = handler.signal.reason as { code: string }))
      return new Promise(() => {})
    })
    const values = { actor: 'root', reason: 'stuck' }
    const forced = { jobId: id, plan: FORCE_FAIL, scope: OPERATOR, claim: null, values, detail: null }
    assert.equal((await place.store.claims.apply(forced)).applied, true)
    await place.runtime.advance(50)
    assert.equal(reason?.code, 'lease-lost')
    assert.equal(place.logged('JOB_LOST').length, 1)
    const next = await place.enqueue(render)
    await place.runtime.advance(50)
    assert.equal((await place.job(next)).state, 'completed')
  })
})

describe('checkCancellation', () => {
  test('warns once and goes on when the store cannot be asked, but not of a job that has only just started', async (context) => {
    const place = await openWorkplace(context)
    const checks: (() => void)[] = []
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    place.faults.interruptions = () => new Error('the disk is away')
    await place.enqueue(render)
    const worker = await place.start([
      handle(render, ({ checkCancellation }) => {
        checkCancellation()
        checks.push(checkCancellation)
        return gates[checks.length - 1]?.promise
      }),
    ])
    await place.runtime.advance(0)
    const warnings = (): number =>
      place.logs.filter(({ message }) => message.startsWith('The store cannot be asked whether')).length
    assert.equal(warnings(), 0)
    await place.runtime.advance(2_000)
    checks[0]?.()
    checks[0]?.()
    assert.equal(warnings(), 1)
    await place.enqueue(render)
    await place.runtime.advance(10)
    assert.equal(checks.length, 2)
    assert.equal(warnings(), 1)
    delete place.faults.interruptions
    for (const { resolve } of gates) resolve()
    await worker.idle()
  })
})
