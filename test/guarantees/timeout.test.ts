/** An attempt has its time. When that is over it has failed, whatever its handler does, and is tried again as its policy says. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { defineJob, handle, LeaseLostError, MillraceError } from '../../src/index.ts'
import type { Job } from '../../src/index.ts'
import { eventNames, withoutStops } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { Announcements, take } from '../support/wait-for-event.ts'

const TIMEOUT_MS = 150
/** Even on a busy machine for what has to be written before. */
const LONG_ENOUGH_MS = 2_000
const DAY_MS = 86_400_000
const retry = { maxAttempts: 2, backoff: { base: '1ms', max: '1ms' } } as const
const options = { service: 'mines', timeout: TIMEOUT_MS, cancelGrace: '60ms', retry } as const
const dig = defineJob('tunnel.dig', options)

function endsOf({ attempts }: Job): readonly unknown[] {
  return attempts.map(({ outcome, error }) => ({ outcome, rule: error?.verdict?.rule, fatal: error?.verdict?.fatal }))
}

describe('an attempt that takes too long', () => {
  test('is told by its signal, has failed as timed out, and is tried again up to the limit', async (context) => {
    const { mill, work } = await openTestMill(context)
    const reasons: unknown[] = []
    await work([
      handle(dig, async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        reasons.push(signal.reason)
        throw new Error('torn down')
      }),
    ])
    const { job } = await mill.enqueue(dig)
    const failed = await mill.waitFor(job)
    assert.deepEqual({ state: failed.state, failures: failed.failures }, { state: 'failed', failures: 2 })
    const timedOut = { outcome: 'timed-out', rule: 'time-out', fatal: false }
    assert.deepEqual(endsOf(failed), [timedOut, timedOut])
    assert.equal(reasons.length, 2)
    for (const reason of reasons) {
      assert.ok(reason instanceof MillraceError)
      assert.equal(reason.code, 'time-out')
    }
    for (const { startedAt, endedAt } of failed.attempts) assert.ok((endedAt ?? 0) - startedAt >= TIMEOUT_MS)
    assert.deepEqual(await eventNames(mill, job), [
      'job:queued',
      'job:started',
      'job:retrying',
      'job:queued',
      'job:started',
      'job:failed',
    ])
  })

  test('and ignores that ends without its handler after its grace, and the worker takes the next job', async (context) => {
    const { mill, work } = await openTestMill(context)
    const letGo = Promise.withResolvers<void>()
    const announce = new Announcements()
    const worker = await work(
      [
        handle(dig, async ({ input, attempt, log }) => {
          if (input === 'quick' || attempt > 1) return attempt
          await letGo.promise
          try {
            log.info('still digging')
          } catch (error) {
            announce.tell('late', error)
          }
          return 'a tunnel that nobody waits for'
        }),
      ],
      { concurrency: 1 },
    )
    const { job } = await mill.enqueue(dig, 'stubborn')
    const completed = await mill.waitFor(job)
    assert.deepEqual({ output: completed.output, failures: completed.failures }, { output: 2, failures: 1 })
    assert.deepEqual(endsOf(completed)[0], { outcome: 'timed-out', rule: 'time-out', fatal: false })
    assert.equal(worker.abandoned, 1)
    assert.equal(await mill.run(dig, 'quick'), 1)
    letGo.resolve()
    assert.ok((await announce.hear('late')) instanceof LeaseLostError)
    // But that its code has come to rest, which may have been noted by now.
    assert.deepEqual(withoutStops(await mill.get(job)), withoutStops(completed))
  })

  test('may ask for more time while it works, and has it', async (context) => {
    const { mill, work } = await openTestMill(context)
    const tunnel = defineJob('rock.tunnel', { ...options, timeout: LONG_ENOUGH_MS })
    await work([
      handle(tunnel, async ({ extend, signal }) => {
        await extend('30s')
        await take(LONG_ENOUGH_MS + TIMEOUT_MS, signal)
        return 'through'
      }),
    ])
    const { job } = await mill.enqueue(tunnel)
    const completed = await mill.waitFor(job)
    assert.deepEqual({ output: completed.output, attempt: completed.attempt }, { output: 'through', attempt: 1 })
    assert.ok((completed.finishedAt ?? 0) - (completed.startedAt ?? 0) >= LONG_ENOUGH_MS + TIMEOUT_MS)
  })

  test('has as long as it likes where its type says none', async (context) => {
    const { mill, work } = await openTestMill(context)
    const sleep = defineJob('bear.sleep', { service: 'mines', timeout: 'none' })
    await work([handle(sleep, ({ signal }) => take(2 * TIMEOUT_MS, signal))])
    const { job } = await mill.enqueue(sleep)
    const running = await mill.waitFor(job, { state: 'running' })
    assert.equal(running.deadlineAt, null)
    assert.equal((await mill.waitFor(job)).state, 'completed')
  })

  test('in a later phase keeps what the phases before it had done', async (context) => {
    const { mill, work } = await openTestMill(context)
    const mine = defineJob('coal.mine', {
      ...options,
      timeout: LONG_ENOUGH_MS,
      cancelGrace: '10s',
      phases: ['descend', 'dig'],
    })
    await work([
      handle(mine)
        .phase('descend', ({ attempt }) => ({ attempt }))
        .phase('dig', async ({ attempt, results, signal }) => {
          if (attempt === 1) await take(60_000, signal)
          return results.descend
        }),
    ])
    const { job } = await mill.enqueue(mine)
    const completed = await mill.waitFor(job)
    assert.deepEqual(completed.output, { attempt: 1 })
    assert.equal(completed.attempts[0]?.phase, 'dig')
  })

  test('of a worker whose event loop is blocked is ended by another process, although its lease runs on', async (context) => {
    const { mill, start, work, sweepEvery } = await openTestMill(context, { maintenance: false })
    const overrun = defineJob('sums.overrun', { service: 'mathematics', timeout: '150ms', cancelGrace: '50ms', retry })
    const blocking = start('blocking-worker', { blockMs: 30_000, options: { concurrency: 1 } })
    await blocking.hear('ready')
    const { job } = await mill.enqueue(overrun)
    await blocking.hear('overruns')
    await work([handle(overrun, () => 'by another')])
    sweepEvery(50)
    const completed = await mill.waitFor(job)
    assert.deepEqual({ output: completed.output, failures: completed.failures }, { output: 'by another', failures: 1 })
    assert.deepEqual(endsOf(completed)[0], { outcome: 'timed-out', rule: 'time-out', fatal: false })
    assert.equal(completed.attempts[0]?.worker?.pid, blocking.pid)
    const session = (await mill.workers()).find(({ pid }) => pid === blocking.pid)
    assert.ok(session?.state === 'live' || session?.state === 'blocked', 'it is not taken for dead')
  })

  test('and all that waits may take longer than 24 days, which no timer of Node can', async (context) => {
    const { mill, work } = await openTestMill(context)
    const wait = '60d'
    const age = defineJob('cheese.age', {
      service: 'mines',
      timeout: wait,
      cancelGrace: wait,
      retry: { maxAttempts: 2, backoff: { base: wait, max: wait } },
    })
    await work([handle(age, ({ input }) => (input === 'mouldy' ? Promise.reject(new Error('mouldy')) : 'ripe'))], {
      lease: wait,
    })
    const ripe = await mill.enqueue(age, 'fresh')
    assert.equal((await mill.waitFor(ripe.job, { timeout: wait })).output, 'ripe')
    const later = await mill.enqueue(age, 'later', { delay: wait })
    const mouldy = await mill.enqueue(age, 'mouldy')
    const { runAt, updatedAt } = await mill.waitFor(mouldy.job, { state: 'retrying' })
    assert.ok(runAt - updatedAt > 24.8 * DAY_MS, `it is tried again after ${(runAt - updatedAt) / DAY_MS} days`)
    // A timer that was too long would have fired at once.
    await mill.maintenance.runOnce()
    assert.equal((await mill.get(later.job)).state, 'scheduled')
    assert.equal((await mill.get(mouldy.job)).state, 'retrying')
    assert.ok((await mill.get(ripe.job)).attempt === 1)
  })

  test('is thirty minutes long unless its type says otherwise', () => {
    assert.equal(defineJob('tunnel.long', { service: 'mines' }).policy.timeoutMs, 30 * 60_000)
  })
})
