/** Whatever a handler does when its job is cancelled, the job ends as the store decided, and the worker goes on. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ConflictError, handle, JobCancelledError, LeaseLostError, UnrecoverableError } from '../../src/index.ts'
import type { HandlerContext, Job, Millrace } from '../../src/index.ts'
import { eventsOf, finalEvents } from '../support/job-history.ts'
import { scaled } from '../support/scale.ts'
import { withoutStops } from '../support/store-dump.ts'
import { nextTurn, within } from '../support/wait-for-event.ts'
import { assertCancelledOnce, assertWorkerGoesOn, grind, listening, openBakery, print } from './bakery.ts'

function stopsOf({ attempts }: Pick<Job, 'attempts'>): readonly unknown[] {
  return attempts.map(({ stoppedBy }) => stoppedBy)
}

function assertCancelError(error: unknown, jobId: string): void {
  assert.ok(error instanceof JobCancelledError)
  assert.ok(error instanceof UnrecoverableError)
  const { name, code, cancelledBy, reason, details } = error
  assert.deepEqual(
    { name, code, jobId: error.jobId, cancelledBy, reason },
    { name: 'JobCancelledError', code: 'job-cancelled', jobId, cancelledBy: 'ann', reason: 'wrong region' },
  )
  assert.deepEqual(details, { jobId, cancelledBy: 'ann', reason: 'wrong region' })
}

async function cancelAsAnn(mill: Millrace, job: { readonly id: string }): Promise<void> {
  await mill.cancel(job.id, { actor: 'ann', reason: 'wrong region' })
}

describe('a cancelled job whose handler', () => {
  test('checks in a busy loop learns of it by a JobCancelledError that names who and why', async (context) => {
    const errors: unknown[] = []
    const bakery = await openBakery(context, (announce) => [
      handle(grind, async ({ jobId, checkCancellation }) => {
        announce.tell(`started ${jobId}`)
        try {
          for (let turn = 0; ; turn += 1) {
            checkCancellation()
            if (turn % 1_000 === 0) await nextTurn()
          }
        } catch (error) {
          errors.push(error)
          throw error
        }
      }),
    ])
    const { mill, announce, logs } = bakery
    for (let round = 0; round < scaled(20); round += 1) {
      const { job } = await mill.enqueue(grind, { round })
      await announce.hear(`started ${job.id}`)
      await cancelAsAnn(mill, job)
      await assertCancelledOnce(mill, job, { by: 'ann', reason: 'wrong region' })
      assertCancelError(errors.at(-1), job.id)
      await assertWorkerGoesOn(bakery)
    }
    assert.deepEqual(
      logs.filter(({ level }) => level !== 'info'),
      [],
      'a cancelled job is no reason for a warning',
    )
  })

  test('listens to its signal finds the same error as the reason, and in checkCancellation', async (context) => {
    const seen: unknown[] = []
    const bakery = await openBakery(context, (announce) => [
      handle(grind, async ({ jobId, signal, checkCancellation }) => {
        announce.tell(`started ${jobId}`)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        seen.push(signal.reason)
        try {
          checkCancellation()
        } catch (error) {
          seen.push(error)
        }
        throw new Error('torn down in the middle of its work')
      }),
    ])
    const { mill, announce } = bakery
    const { job } = await mill.enqueue(grind)
    await announce.hear(`started ${job.id}`)
    await cancelAsAnn(mill, job)
    // Whatever it throws, the cancel decides: no failure is counted.
    await assertCancelledOnce(mill, job, { by: 'ann', reason: 'wrong region' })
    assert.equal(seen.length, 2)
    for (const error of seen) assertCancelError(error, job.id)
    await assertWorkerGoesOn(bakery)
  })

  test('ignores everything ends without it after its grace, and what it writes then is refused', async (context) => {
    const letGo = Promise.withResolvers<void>()
    const bakery = await openBakery(context, (announce) => [
      handle(grind, async (job) => {
        announce.tell(`started ${job.jobId}`)
        await letGo.promise
        announce.tell('late', await tryEveryWrite(job))
        return 'a result that nobody wants'
      }),
    ])
    const { mill, announce, worker, dump } = bakery
    const { job } = await mill.enqueue(grind)
    await announce.hear(`started ${job.id}`)
    await cancelAsAnn(mill, job)
    const cancelled = await assertCancelledOnce(mill, job, { by: 'ann', reason: 'wrong region' })
    // The handler holds on to nothing: the one slot is free for the next job while it still runs.
    assert.equal(worker.abandoned, 1)
    await assertWorkerGoesOn(bakery)
    assert.equal(worker.abandoned, 1)
    assert.deepEqual(stopsOf(cancelled), [null])
    const before = withoutStops(await dump())
    letGo.resolve()
    const refused = await announce.hear<Readonly<Record<string, unknown>>>('late')
    for (const [write, error] of Object.entries(refused)) {
      assert.ok(error instanceof LeaseLostError, `${write} throws LeaseLostError, not ${String(error)}`)
    }
    await within(
      'the end of the handler',
      (async () => {
        while (worker.abandoned > 0) await nextTurn()
        await worker.idle()
      })(),
    )
    // What is kept is that it has come to rest now, by itself.
    const { attempts, ...kept } = await mill.get(job)
    const { attempts: attemptsBefore, ...keptBefore } = cancelled
    assert.deepEqual(stopsOf({ attempts }), ['handler'])
    assert.ok((attempts[0]?.stoppedAt ?? 0) >= (cancelled.finishedAt ?? Infinity))
    assert.deepEqual(withoutStops(await dump()), before)
    assert.deepEqual(kept, keptBefore)
    assert.equal(attempts.length, attemptsBefore.length)
    await assertWorkerGoesOn(bakery)
  })

  test('ends well within its grace all the same has completed, and its event says that a cancel was asked for', async (context) => {
    const bakery = await openBakery(context, (announce) => [
      handle(grind, async ({ jobId, signal }) => {
        announce.tell(`started ${jobId}`)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        return 'flour'
      }),
    ])
    const { mill, announce } = bakery
    const { job } = await mill.enqueue(grind)
    await announce.hear(`started ${job.id}`)
    await cancelAsAnn(mill, job)
    const completed = await mill.waitFor(job)
    assert.equal(completed.state, 'completed')
    assert.equal(completed.output, 'flour')
    assert.equal(completed.cancelledAt, null)
    const [final, ...others] = finalEvents(await eventsOf(mill, job))
    assert.equal(final?.name, 'job:completed')
    assert.equal(final.detail['cancelRequested'], true)
    assert.deepEqual(others, [])
    await assertWorkerGoesOn(bakery)
  })

  test('is waited for with run() is told by a JobCancelledError', async (context) => {
    const bakery = await openBakery(context, (announce) => [listening(announce)])
    const { mill } = bakery
    const started = Promise.withResolvers<string>()
    await mill.subscribe(({ name, jobId }) => (name === 'job:started' ? started.resolve(jobId) : undefined))
    const running = mill.run(grind)
    const jobId = await within('the start of the job', started.promise)
    await cancelAsAnn(mill, { id: jobId })
    await assert.rejects(running, (error) => {
      assertCancelError(error, jobId)
      return true
    })
    await assertWorkerGoesOn(bakery)
  })
})

/** What each of a handler's writes throws; `undefined` where it does not. */
async function tryEveryWrite(job: HandlerContext): Promise<Readonly<Record<string, unknown>>> {
  const { progress, log, artifact, extend, checkCancellation } = job
  const writes = {
    progress: () => progress(99),
    'log.info': () => log.info('still here'),
    'artifact.write': () => artifact.write('late.txt', 'too late'),
    extend: () => extend('1h'),
    checkCancellation: () => checkCancellation(),
  }
  const thrown: Record<string, unknown> = {}
  for (const [name, write] of Object.entries(writes)) {
    try {
      thrown[name] = await (async () => write())()
    } catch (error) {
      thrown[name] = error
    }
  }
  return thrown
}

describe('a cancel that arrives', () => {
  const rounds = scaled(10)

  for (const awaited of [true, false]) {
    test(`between two phases ${awaited ? 'keeps' : 'in the same commit as a phase keeps'} what is done and begins nothing more`, async (context) => {
      const bakery = await openBakery(context, (announce) => [
        handle(print)
          .phase('load', async ({ jobId }) => {
            const cancelling = cancelAsAnn(mill, { id: jobId })
            announce.tell(`cancel ${jobId}`, cancelling)
            if (awaited) await cancelling
            return ['FRA']
          })
          .phase('draw', async ({ jobId, signal }) => {
            announce.tell(`draw ${jobId}`)
            await new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
            })
          })
          .phase('store', ({ jobId }) => announce.tell(`store ${jobId}`)),
      ])
      const { mill, announce } = bakery
      for (let round = 0; round < rounds; round += 1) {
        const { job } = await mill.enqueue(print, { round })
        await announce.hear(`cancel ${job.id}`)
        const cancelled = await assertCancelledOnce(mill, job, { by: 'ann', reason: 'wrong region' })
        assert.deepEqual(
          cancelled.phases.map(({ state, result }) => ({ state, result })),
          [
            { state: 'done', result: ['FRA'] },
            { state: 'cancelled', result: null },
            { state: 'cancelled', result: null },
          ],
        )
        if (awaited) assert.equal(announce.count(`draw ${job.id}`), 0)
        assert.equal(announce.count(`store ${job.id}`), 0)
        await assertWorkerGoesOn(bakery)
      }
    })
  }

  for (const message of ['the stone has slipped', 'HTTP 404: no such stone']) {
    test(`just before its handler fails decides: the job is cancelled, and "${message}" counts as no failure`, async (context) => {
      const bakery = await openBakery(context, () => [
        handle(grind, async ({ jobId }) => {
          await cancelAsAnn(mill, { id: jobId })
          throw new Error(message)
        }),
      ])
      const { mill } = bakery
      for (let round = 0; round < rounds; round += 1) {
        const { job } = await mill.enqueue(grind, { round })
        const cancelled = await assertCancelledOnce(mill, job, { by: 'ann', reason: 'wrong region' })
        assert.equal(cancelled.error?.message, message, 'what went wrong is kept all the same')
        await assertWorkerGoesOn(bakery)
      }
    })
  }

  test('during the final commit has one outcome, and whoever cancels is told which', async (context) => {
    const bakery = await openBakery(context, (announce) => [
      handle(grind, ({ jobId, input }) => {
        // Every second one comes a turn of the event loop later, when the commit is under way.
        const moment = (input as { readonly round: number }).round % 2 === 0 ? Promise.resolve() : nextTurn()
        const cancelling = moment.then(() => mill.cancel(jobId, { actor: 'ann' }))
        announce.tell(
          `cancel ${jobId}`,
          cancelling.catch((error: unknown) => error),
        )
        return 'flour'
      }),
    ])
    const { mill, announce } = bakery
    const outcomes = { accepted: 0, refused: 0 }
    for (let round = 0; round < scaled(100); round += 1) {
      const { job } = await mill.enqueue(grind, { round })
      const answer = await announce.hear(`cancel ${job.id}`)
      const completed = await mill.waitFor(job)
      assert.equal(completed.state, 'completed', 'the handler has ended well')
      const [final, ...others] = finalEvents(await eventsOf(mill, job))
      assert.deepEqual(others, [])
      if (answer instanceof ConflictError) {
        assert.equal(answer.code, 'job-final')
        assert.equal(final?.detail['cancelRequested'], undefined)
        outcomes.refused += 1
      } else {
        assert.deepEqual(answer, { success: true, jobId: job.id, state: 'running', cancelledBy: 'ann' })
        assert.equal(final?.detail['cancelRequested'], true)
        outcomes.accepted += 1
      }
    }
    context.diagnostic(`accepted while it ended: ${outcomes.accepted}, too late: ${outcomes.refused}`)
    await assertWorkerGoesOn(bakery)
  })
})
