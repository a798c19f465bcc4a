/** What becomes of an attempt that throws: nothing is retried that cannot get better, and what can is, later and later, up to a limit. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { defineJob, handle, isFatalError, UnrecoverableError } from '../../src/index.ts'
import type { Job, JobEvent } from '../../src/index.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { eventsOf } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'

const MAX_ATTEMPTS = 3
const fetchPage = defineJob('page.fetch', {
  service: 'crawler',
  retry: { maxAttempts: MAX_ATTEMPTS, backoff: { base: '1ms', max: '2ms' } },
})

function withFields(message: string, fields: object): Error {
  return Object.assign(new Error(message), fields)
}

class ValidationError extends Error {
  override readonly name = 'ValidationError'
}

/** An error as a handler may throw it, and the rule that must be kept with the attempt. */
const FATAL: Readonly<Record<string, readonly [rule: string, error: unknown]>> = {
  'HTTP 400': ['http-4xx', withFields('Bad Request', { status: 400 })],
  'HTTP 404': ['http-4xx', withFields('gone fishing', { status: 404 })],
  'HTTP 422': ['http-4xx', withFields('no', { statusCode: 422 })],
  'HTTP 409 of a response': ['http-4xx', withFields('no', { response: { status: 409 } })],
  'a validation error': ['validation', new ValidationError('name is required')],
  'an invalid page size': ['page-size', new Error('Invalid page size: A99')],
  'impossible dimensions': ['dimensions', new Error('Invalid dimensions 0 x 0')],
  'an UnrecoverableError': ['unrecoverable', new UnrecoverableError('the account was closed')],
  'a text that only tells': ['not-found-message', new Error('API error: Print job abc123 not found')],
  'a cause three deep': [
    'unrecoverable',
    new Error('outer', { cause: new Error('middle', { cause: new UnrecoverableError('inner') }) }),
  ],
  'a text that was thrown': ['not-found-message', 'the page does not exist'],
}

const RETRYABLE: Readonly<Record<string, readonly [rule: string, error: unknown]>> = {
  'HTTP 503': ['http-5xx', withFields('not found in any pool', { status: 503 })],
  'HTTP 408': ['http-408', withFields('slow', { status: 408 })],
  'HTTP 425': ['http-425', withFields('early', { status: 425 })],
  'HTTP 429': ['http-429', withFields('busy', { status: 429 })],
  ECONNREFUSED: ['network', withFields('connect', { code: 'ECONNREFUSED' })],
  'ECONNRESET in a cause': ['network', new Error('fetch failed', { cause: withFields('x', { code: 'ECONNRESET' }) })],
  ETIMEDOUT: ['network', withFields('connect', { code: 'ETIMEDOUT' })],
  'a lost database connection': ['database-connection', withFields('terminating', { code: '57P01' })],
  'a browser time-out': ['browser-timeout', new Error('Navigation timeout of 30000 ms exceeded')],
  'an error that nobody knows': ['unknown', new Error('the moon is in the seventh house')],
  'undefined that was thrown': ['unknown', undefined],
}

describe('an error', () => {
  for (const [kinds, fatal] of [
    [FATAL, true],
    [RETRYABLE, false],
  ] as const) {
    test(`that is ${fatal ? 'fatal is never retried' : 'retryable is retried up to the limit'}, and the verdict and its rule are kept`, async (context) => {
      const { mill, work } = await openTestMill(context)
      await work([
        handle(fetchPage, ({ input }) => {
          const [, error] = kinds[input as string] ?? []
          throw error
        }),
      ])
      const names = Object.keys(kinds)
      const enqueued = await mill.enqueueMany(names.map((input) => ({ definition: fetchPage, input })))
      for (const [index, { job }] of enqueued.entries()) {
        const name = names[index] ?? ''
        const [rule, error] = kinds[name] ?? []
        const failed = await mill.waitFor(job)
        const attempts = fatal ? 1 : MAX_ATTEMPTS
        assert.equal(failed.state, 'failed', name)
        assert.deepEqual(
          { attempt: failed.attempt, failures: failed.failures },
          { attempt: attempts, failures: attempts },
          name,
        )
        assert.equal(failed.attempts.length, attempts)
        for (const { outcome, error: kept } of failed.attempts) {
          assert.equal(outcome, 'failed')
          assert.deepEqual(kept?.verdict, { fatal, rule, retryAfterMs: null }, name)
        }
        if (error instanceof Error) {
          assert.equal(failed.error?.message, error.message)
          assert.equal(failed.error.name, error.name)
          assert.match(failed.error.stack ?? '', /failures\.test/)
          assert.equal(isFatalError(error), fatal, 'the exported function says the same')
        }
        assertToldOfVerdicts(await eventsOf(mill, job), { fatal, rule: rule ?? '' }, attempts)
      }
    })
  }

  test('is judged by the own rules of the type first, and the rule is kept under its name', async (context) => {
    const { mill, work } = await openTestMill(context)
    const printMap = defineJob('map.print', {
      service: 'crawler',
      retry: { maxAttempts: 2, backoff: { base: 0, max: 0 } },
      rules: [
        { name: 'out-of-ink', test: (error) => (String(error).includes('ink') ? 'fatal' : undefined) },
        { name: 'patience', test: (error) => (String(error).includes('not found') ? 'retryable' : undefined) },
      ],
    })
    await work([
      handle(printMap, ({ input }) => {
        throw new Error(input as string)
      }),
    ])
    const inkless = await mill.waitFor((await mill.enqueue(printMap, 'no ink: HTTP 503')).job)
    assert.deepEqual([inkless.failures, inkless.error?.verdict?.rule], [1, 'custom:out-of-ink'])
    const patient = await mill.waitFor((await mill.enqueue(printMap, 'paper not found')).job)
    assert.deepEqual([patient.failures, patient.error?.verdict?.rule], [2, 'custom:patience'])
  })
})

function assertToldOfVerdicts(
  events: readonly JobEvent[],
  verdict: { readonly fatal: boolean; readonly rule: string },
  attempts: number,
): void {
  const ends = events.filter(({ name }) => name === 'job:retrying' || name === 'job:failed')
  assert.deepEqual(
    ends.map(({ name }) => name),
    [...Array.from({ length: attempts - 1 }, () => 'job:retrying'), 'job:failed'],
  )
  for (const { detail } of ends) assert.deepEqual(detail['verdict'], { ...verdict })
}

describe('a retryable failure', () => {
  test('waits twice as long each time, shortened by a random part of up to a half, and never longer than the cap', async (context) => {
    const runtime = virtualRuntime()
    const { mill, work } = await openTestMill(context, { runtime, maintenance: false })
    const flaky = defineJob('page.flaky', {
      service: 'crawler',
      retry: { maxAttempts: 9, backoff: { base: '1s', max: '1m' } },
    })
    const worker = await work(
      [
        handle(flaky, () => {
          throw new Error('not yet')
        }),
      ],
      { manual: true, lease: '365d' },
    )
    const { job } = await mill.enqueue(flaky)
    const waits: number[] = []
    for (;;) {
      await worker.runOnce()
      const { state, runAt } = await mill.get(job)
      if (state === 'failed') break
      assert.equal(state, 'retrying')
      const waitMs = runAt - runtime.now()
      waits.push(waitMs)
      await runtime.advance(waitMs - 1)
      await worker.runOnce()
      assert.equal((await mill.get(job)).state, 'retrying', 'not a millisecond too early')
      await runtime.advance(1)
    }
    const ceilings = [1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1_000)
    assert.equal(waits.length, ceilings.length)
    for (const [index, ceiling] of ceilings.entries()) {
      const waitMs = waits[index] ?? Number.NaN
      assert.ok(
        waitMs <= ceiling && waitMs >= ceiling / 2,
        `wait ${index + 1} of ${waitMs} ms is not within ${ceiling}`,
      )
    }
    const told = (await eventsOf(mill, job)).filter(({ name }) => name === 'job:retrying')
    assert.deepEqual(
      told.map(({ detail }) => detail['runInMs']),
      waits,
    )
  })

  test('waits at least as long as the other side asked for', async (context) => {
    const runtime = virtualRuntime()
    const { mill, work } = await openTestMill(context, { runtime, maintenance: false })
    const worker = await work(
      [
        handle(fetchPage, () => {
          throw withFields('busy', { status: 429, headers: { 'Retry-After': '120' } })
        }),
      ],
      { manual: true, lease: '365d' },
    )
    const { job } = await mill.enqueue(fetchPage)
    await worker.runOnce()
    const { runAt, error } = await mill.get(job)
    assert.equal(runAt - runtime.now(), 120_000)
    assert.deepEqual(error?.verdict, { fatal: false, rule: 'http-429', retryAfterMs: 120_000 })
  })

  test('is tried at once where somebody says so', async (context) => {
    const { mill, work } = await openTestMill(context)
    const slow = defineJob('page.slow', { service: 'crawler', retry: { backoff: { base: '1h' } } })
    await work([
      handle(slow, ({ attempt }) => {
        if (attempt === 1) throw new Error('not yet')
        return attempt
      }),
    ])
    const { job } = await mill.enqueue(slow)
    await mill.waitFor(job, { state: 'retrying' })
    await mill.runNow(job)
    assert.equal((await mill.waitFor(job)).output, 2)
  })

  test('of a job whose record is gone fails once and does not hold up the queue', async (context) => {
    const { mill, work } = await openTestMill(context)
    const books = new Map([[1, 'Middlemarch']])
    await work(
      [
        handle(fetchPage, ({ input }) => {
          const title = books.get(input as number)
          if (title === undefined) throw withFields(`book ${String(input)} was deleted`, { code: 'P2025' })
          return title
        }),
      ],
      { concurrency: 1 },
    )
    const [gone, there] = await mill.enqueueMany([
      { definition: fetchPage, input: 7 },
      { definition: fetchPage, input: 1 },
    ])
    const failed: Job = await mill.waitFor(gone.job)
    assert.deepEqual(
      { state: failed.state, failures: failed.failures, rule: failed.error?.verdict?.rule },
      { state: 'failed', failures: 1, rule: 'not-found' },
    )
    assert.equal((await mill.waitFor(there.job)).output, 'Middlemarch')
  })
})
