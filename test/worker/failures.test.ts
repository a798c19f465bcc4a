import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { UnrecoverableError } from '../../src/core/errors.ts'
import { handle } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'

const fetchPage = defineJob('page.fetch', {
  service: 'tests',
  retry: { maxAttempts: 3, backoff: { base: '1s', jitter: 0 } },
  rules: [
    {
      name: 'robots',
      test: (error) => (error instanceof Error && error.message.includes('robots') ? 'fatal' : undefined),
    },
  ],
})

interface KeptError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly verdict: { readonly fatal: boolean; readonly rule: string; readonly retryAfterMs?: number }
  readonly phase: string
  readonly progress: number
  readonly context?: unknown
}

describe('a handler that throws', () => {
  test('is tried again after the backoff, and fails for good after the last attempt', async (context) => {
    const { enqueue, start, runtime, job, eventNames } = await openWorkplace(context)
    const id = await enqueue(fetchPage)
    const at: number[] = []
    const begun = runtime.now()
    await start([
      handle(fetchPage, () => {
        at.push(runtime.now() - begun)
        throw new Error('the page is upside down')
      }),
    ])
    await runtime.advance(10_000)
    assert.deepEqual(at, [0, 1_000, 3_000])
    const { state, failures } = await job(id)
    assert.deepEqual({ state, failures }, { state: 'failed', failures: 3 })
    assert.deepEqual(
      (await eventNames(id)).filter((name) => name === 'job:retrying' || name === 'job:failed'),
      ['job:retrying', 'job:retrying', 'job:failed'],
    )
  })

  test('is not tried again when the error is fatal', async (context) => {
    const { enqueue, start, runtime, job, calls } = await openWorkplace(context)
    const errors = [
      Object.assign(new Error('gone'), { status: 404 }),
      new UnrecoverableError('no such book'),
      new Error('forbidden by robots.txt'),
      'API error: Print job abc123 not found',
    ]
    const ids = []
    for (const index of errors.keys()) ids.push(await enqueue(fetchPage, { index }))
    const worker = await start([
      handle(fetchPage, ({ input }) => {
        // oxlint-disable-next-line typescript/only-throw-error -- one of them is a text, as handlers throw them
        throw errors[(input as { index: number }).index]
      }),
    ])
    await worker.idle()
    await runtime.advance(10_000)
    const jobs = await Promise.all(ids.map(job))
    assert.deepEqual(
      jobs.map(({ state, attempt }) => [state, attempt]),
      errors.map(() => ['failed', 1]),
    )
    const rules = calls
      .filter(({ plan }) => plan.name === 'fail-final')
      .map(({ error }) => (JSON.parse(error ?? '') as KeptError).verdict.rule)
    assert.deepEqual(rules, ['http-4xx', 'unrecoverable', 'custom:robots', 'not-found-message'])
  })

  test('leaves its error, the verdict, its phase, its progress and what it told last with the attempt', async (context) => {
    const { enqueue, start, job } = await openWorkplace(context)
    const book = defineJob('book', { service: 'tests', phases: ['open', 'parse'] })
    const id = await enqueue(book)
    const worker = await start([
      handle(book)
        .phase('open', () => null)
        .phase('parse', ({ progress }) => {
          progress(50, { chapter: 12 })
          throw Object.assign(new TypeError(`bad byte \0 in ${'x'.repeat(9_000)}`), { code: 'E_BYTE' })
        }),
    ])
    await worker.idle()
    const { attempts, progress } = await job(id)
    const kept = JSON.parse(attempts[0]?.error ?? '') as KeptError
    assert.equal(kept.name, 'TypeError')
    assert.equal(kept.message.length, 4_000)
    assert(kept.message.startsWith('bad byte \uFFFD in x'))
    assert((kept.stack ?? '').length <= 8_000)
    assert.equal(kept.code, 'E_BYTE')
    assert.deepEqual(kept.verdict, { fatal: false, rule: 'unknown' })
    assert.deepEqual([kept.phase, kept.progress, kept.context], ['parse', 75, { chapter: 12 }])
    assert.equal(progress, 75)
  })

  test('waits at least as long as the other side asked', async (context) => {
    const { enqueue, start, runtime, job, events } = await openWorkplace(context)
    const id = await enqueue(fetchPage)
    const busy = Object.assign(new Error('slow down'), { status: 429, headers: { 'retry-after': '60' } })
    await start([
      handle(fetchPage, ({ attempt }) => {
        if (attempt === 1) throw busy
      }),
    ])
    await runtime.advance(59_000)
    assert.equal((await job(id)).state, 'retrying')
    const retrying = (await events(id)).find(({ name }) => name === 'job:retrying')
    assert.deepEqual(JSON.parse(retrying?.detail ?? ''), {
      error: { name: 'Error', message: 'slow down' },
      verdict: { fatal: false, rule: 'http-429', retryAfterMs: 60_000 },
      runInMs: 60_000,
    })
    await runtime.advance(2_000)
    assert.equal((await job(id)).state, 'completed')
  })

  for (const [what, thrown] of [
    ['nothing', undefined],
    ['null', null],
    ['a number', 42],
    ['an object whose message throws', Object.defineProperty({}, 'message', { get: () => assert.fail() })],
  ] as const) {
    test(`may throw ${what}`, async (context) => {
      const { enqueue, start, job } = await openWorkplace(context)
      const id = await enqueue(fetchPage)
      const worker = await start([
        handle(fetchPage, () => {
          // oxlint-disable-next-line typescript/only-throw-error -- handlers do such things
          throw thrown
        }),
      ])
      await worker.idle()
      assert.equal((await job(id)).state, 'retrying')
    })
  }

  test('does not hold up the other jobs', async (context) => {
    const { enqueue, start, runtime, job } = await openWorkplace(context)
    const ids = []
    for (let index = 0; index < 20; index += 1) ids.push(await enqueue(fetchPage, { index }))
    const worker = await start(
      [
        handle(fetchPage, ({ input }) => {
          if ((input as { index: number }).index % 2 === 0) throw new UnrecoverableError('the record is gone')
        }),
      ],
      { concurrency: 2 },
    )
    await worker.idle()
    const states = await Promise.all(ids.map(async (id) => (await job(id)).state))
    assert.deepEqual(
      states,
      ids.map((_id, index) => (index % 2 === 0 ? 'failed' : 'completed')),
    )
    assert.equal(runtime.monotonic(), 0)
  })
})

describe('the log of a worker', () => {
  test('has a line for each start, success and failure, with the fields that are promised', async (context) => {
    const { enqueue, start, runtime, logged } = await openWorkplace(context)
    const id = await enqueue(fetchPage, {}, { labels: { entityId: 'book-7' } })
    await start([
      handle(fetchPage, async ({ attempt, artifact }) => {
        if (attempt === 1) throw new Error('first')
        await artifact.write('page.html', 'x'.repeat(2_500))
      }),
    ])
    const queuedAt = runtime.now()
    await runtime.advance(1_000)
    // The artifact is written to a real disk.
    while (logged('JOB_SUCCESS').length === 0) await runtime.advance(0)
    const ids = { jobId: id, jobType: 'page.fetch', entityId: 'book-7' }
    const later = { queuedAt: queuedAt + 1_000, startedAt: queuedAt + 1_000 }
    assert.deepEqual(logged('JOB_START'), [
      { ...ids, attemptNumber: 0, maxAttempts: 3, queuedAt, startedAt: queuedAt },
      { ...ids, attemptNumber: 1, maxAttempts: 3, ...later },
    ])
    assert.deepEqual(logged('JOB_FAILED'), [
      {
        ...ids,
        status: 'failed',
        error: 'first',
        rule: 'unknown',
        isFatal: false,
        willRetry: true,
        durationMs: 0,
        attemptNumber: 0,
        maxAttempts: 3,
      },
    ])
    const [success] = logged('JOB_SUCCESS')
    const { filePath, ...rest } = success ?? {}
    assert.deepEqual(rest, { ...ids, status: 'success', durationMs: 0, fileSizeMB: 0.003, attemptNumber: 1 })
    assert.equal(typeof filePath, 'string')
  })

  test('can throw without harm', async (context) => {
    const { enqueue, start, job } = await openWorkplace(context)
    const id = await enqueue(fetchPage)
    const broken = (): never => {
      throw new Error('the log is full')
    }
    const worker = await start([handle(fetchPage, () => null)], {
      logger: { info: broken, warn: broken, error: broken },
    })
    await worker.idle()
    assert.equal((await job(id)).state, 'completed')
  })
})

describe('a store that does not take what came of a job', () => {
  for (const [what, plan, run] of [
    ['a result', 'complete-only-phase', () => 'precious'],
    [
      'a failure',
      'fail-final',
      () => {
        throw new UnrecoverableError('over')
      },
    ],
  ] as const) {
    test(`is asked again until it takes ${what}, and no further job is taken meanwhile`, async (context) => {
      const { enqueue, start, runtime, job, faults, logs } = await openWorkplace(context)
      const id = await enqueue(fetchPage)
      const second = await enqueue(fetchPage, { place: 2 })
      const third = await enqueue(fetchPage, { place: 3 })
      faults.apply = (call) => (call.plan.name === plan ? new Error('the disk is full') : undefined)
      let ran = 0
      await start(
        [
          handle(fetchPage, () => {
            ran += 1
            return run()
          }),
        ],
        { concurrency: 1 },
      )
      await runtime.advance(20_000)
      // The second was taken in the very turn in which the first ended.
      const states = async (): Promise<string[]> =>
        Promise.all([id, second, third].map(async (one) => (await job(one)).state))
      assert.deepEqual(await states(), ['running', 'running', 'queued'])
      delete faults.apply
      await runtime.advance(5_000)
      const end = plan === 'fail-final' ? 'failed' : 'completed'
      assert.deepEqual(await states(), [end, end, end])
      assert.equal(ran, 3)
      const told = logs.filter(({ message }) => message.startsWith('The store did not take'))
      assert.equal(told.length, 2)
    })
  }

  test('is not told a checkpoint twice, where only the completion failed', async (context) => {
    const { enqueue, start, runtime, job, faults, calls } = await openWorkplace(context)
    const steps = defineJob('steps', { service: 'tests', phases: ['one', 'two'] })
    const id = await enqueue(steps)
    let refusals = 3
    faults.apply = ({ plan }) => {
      if (plan.name !== 'complete' || refusals === 0) return undefined
      refusals -= 1
      return new Error('busy')
    }
    await start([
      handle(steps)
        .phase('one', () => 1)
        .phase('two', () => 2),
    ])
    await runtime.advance(5_000)
    const { state, output } = await job(id)
    assert.deepEqual({ state, output }, { state: 'completed', output: '2' })
    assert.equal(calls.filter(({ plan }) => plan.name === 'checkpoint').length, 2)
  })

  test('is told the last checkpoint and the completion again, where both failed', async (context) => {
    const { enqueue, start, runtime, job, faults } = await openWorkplace(context)
    const steps = defineJob('steps', { service: 'tests', phases: ['one', 'two'] })
    const id = await enqueue(steps)
    let refusals = 2
    faults.apply = ({ plan, result }) => {
      if (plan.name !== 'checkpoint' || result !== '2' || refusals === 0) return undefined
      refusals -= 1
      return new Error('busy')
    }
    await start([
      handle(steps)
        .phase('one', () => 1)
        .phase('two', () => 2),
    ])
    await runtime.advance(5_000)
    const { state, output } = await job(id)
    assert.deepEqual({ state, output }, { state: 'completed', output: '2' })
  })

  test('keeps the first phase from being followed until its checkpoint is in', async (context) => {
    const { enqueue, start, runtime, job, faults } = await openWorkplace(context)
    const steps = defineJob('steps', { service: 'tests', phases: ['one', 'two'] })
    const id = await enqueue(steps)
    const ran: string[] = []
    faults.apply = ({ plan }) => (plan.name === 'checkpoint' ? new Error('busy') : undefined)
    await start([
      handle(steps)
        .phase('one', () => void ran.push('one'))
        .phase('two', () => void ran.push('two')),
    ])
    await runtime.advance(5_000)
    assert.deepEqual(ran, ['one'])
    delete faults.apply
    await runtime.advance(5_000)
    assert.deepEqual(ran, ['one', 'two'])
    assert.equal((await job(id)).state, 'completed')
  })
})
