/** A worker or a process that is told to stop loses nothing: what runs may end, what does not goes back, and no failure is counted. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, test } from 'node:test'

import { defineJob, handle, LeaseLostError, MillraceError } from '../../src/index.ts'
import { programNamed } from '../support/child-program.ts'
import { eventsOf, withoutStops } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { scaled } from '../support/scale.ts'
import { waitForWorker } from '../support/wait-for-worker.ts'
import { Announcements, take, within } from '../support/wait-for-event.ts'
import { greet } from './programs/crowd-jobs.ts'
import { book } from './programs/book-jobs.ts'

const weave = defineJob('cloth.weave', { service: 'mill', cancelGrace: '200ms' })

describe('a worker that is stopped', () => {
  test('takes no more jobs, and lets those that run come to their end', async (context) => {
    const { mill, work } = await openTestMill(context)
    const announce = new Announcements()
    const worker = await work(
      [
        handle(weave, async ({ signal }) => {
          announce.tell('started')
          await take(200)
          return signal.aborted
        }),
      ],
      { concurrency: 1, drain: '10s' },
    )
    const [first, second] = await mill.enqueueMany([{ definition: weave }, { definition: weave }])
    await announce.hear('started')
    const stopping = worker.stop()
    assert.equal(worker.state, 'draining')
    assert.equal(worker.stop(), stopping, 'a second call joins the first')
    await stopping
    assert.equal(worker.state, 'stopped')
    assert.equal((await mill.get(first.job)).output, false, 'it was not even told to stop')
    const { state, attempt } = await mill.get(second.job)
    assert.deepEqual({ state, attempt }, { state: 'queued', attempt: 0 })
    assert.deepEqual(
      (await mill.workers()).map((session) => session.state),
      ['ended'],
    )
  })

  test('is told of in the meantime: a job that no other could take says so, and not that it is taken soon', async (context) => {
    const { mill, work } = await openTestMill(context)
    const announce = new Announcements()
    const letGo = Promise.withResolvers<void>()
    const handler = handle(weave, async () => {
      announce.tell('started')
      await letGo.promise
    })
    const worker = await work([handler], { concurrency: 1, drain: '10s' })
    await mill.enqueue(weave)
    await announce.hear('started')
    const stopping = worker.stop()
    const { job } = await mill.enqueue(weave)
    await waitForWorker(mill, process, 'draining')
    const { reasons } = await mill.explain(job)
    assert.deepEqual(
      reasons.map(({ code }) => code),
      ['worker-draining'],
    )
    const other = await mill.work([handler])
    await mill.waitFor(job, { state: 'running' })
    letGo.resolve()
    await stopping
    await other.stop()
    assert.equal(
      (await mill.workers()).every(({ state }) => state === 'ended'),
      true,
    )
  })

  test('tells handlers that do not end, gives their jobs back without a failure, and another goes on with them at once', async (context) => {
    const { mill, work, open } = await openTestMill(context)
    const announce = new Announcements()
    const worker = await work(
      [
        handle(weave, async ({ signal, progress }) => {
          progress(30, { row: 7 })
          announce.tell('started')
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
          announce.tell('signalled', signal.reason)
          throw signal.reason as Error
        }),
      ],
      { drain: '2s' },
    )
    const { job } = await mill.enqueue(weave)
    await announce.hear('started')
    await worker.stop()
    const reason = await announce.hear('signalled')
    assert.ok(reason instanceof MillraceError)
    assert.equal(reason.code, 'shutting-down')
    const released = await mill.get(job)
    const { state, failures, strikes, suspect, error } = released
    assert.deepEqual(
      { state, failures, strikes, suspect },
      { state: 'queued', failures: 0, strikes: 0, suspect: false },
    )
    assert.equal(error?.verdict?.rule, 'shutdown')
    assert.deepEqual(
      released.attempts.map(({ outcome, progress }) => ({ outcome, progress })),
      [{ outcome: 'released', progress: 30 }],
    )
    assert.equal((await eventsOf(mill, job)).at(-1)?.detail['cause'], 'release')
    const other = await open()
    await other.work([handle(weave, ({ attempt }) => attempt)])
    assert.equal((await mill.waitFor(job)).output, 2)
  })

  test('gives up on handlers that ignore that, cleans up all the same, and says so', async (context) => {
    const { mill, work, open } = await openTestMill(context)
    const announce = new Announcements()
    const letGo = Promise.withResolvers<void>()
    const worker = await work(
      [
        handle(weave, async ({ progress }) => {
          announce.tell('started')
          await letGo.promise
          try {
            progress(99)
            announce.tell('late', null)
          } catch (error) {
            announce.tell('late', error)
          }
        }),
      ],
      { drain: '2s' },
    )
    const { job } = await mill.enqueue(weave)
    await announce.hear('started')
    await assert.rejects(within('the end of the drain', worker.stop(), 20_000), (error) => {
      assert.ok(error instanceof MillraceError)
      assert.equal(error.code, 'drain-timeout')
      assert.deepEqual(error.details, { timeoutMs: 2_000, abandoned: 1 })
      return true
    })
    assert.equal(worker.state, 'stopped')
    const { state, failures, attempts } = await mill.get(job)
    assert.deepEqual({ state, failures }, { state: 'queued', failures: 0 })
    assert.equal(attempts[0]?.outcome, 'released')
    assert.equal((await mill.workers())[0]?.state, 'ended')
    const other = await open()
    await other.work([handle(weave, ({ attempt }) => attempt)])
    const completed = await mill.waitFor(job)
    assert.equal(completed.output, 2)
    letGo.resolve()
    assert.ok((await announce.hear('late')) instanceof LeaseLostError)
    // But that its code has come to rest, which may have been noted by now.
    assert.deepEqual(withoutStops(await mill.get(job)), withoutStops(completed))
  })
})

describe('a Millrace that is closed', () => {
  test('stops its workers, then everything else; what is asked of it later is refused by name', async (context) => {
    const { mill, work, open } = await openTestMill(context)
    await work([handle(weave, () => take(150))])
    const { job } = await mill.enqueue(weave)
    await mill.waitFor(job, { state: 'running' })
    const waiting = mill.waitFor('019b7613-6800-7000-8000-00000000dead', { timeout: 'none' })
    await assert.rejects(waiting, { code: 'job-not-found' })
    await Promise.all([mill.close(), mill.close()])
    await mill.close()
    for (const late of [
      mill.get(job),
      mill.enqueue(weave),
      mill.cancel(job),
      mill.counts(),
      mill.subscribe(() => null),
    ]) {
      await assert.rejects(late, { code: 'store-closed' })
    }
    const reopened = await open()
    assert.equal((await reopened.get(job)).state, 'completed')
  })

  test('closes everything although a handler does not stop, and rethrows that', async (context) => {
    const { mill, work, open } = await openTestMill(context)
    await work([handle(weave, () => new Promise<null>(() => undefined))], { drain: '2s' })
    const { job } = await mill.enqueue(weave)
    await mill.waitFor(job, { state: 'running' })
    await assert.rejects(within('the closing', mill.close(), 20_000), { code: 'drain-timeout' })
    await assert.rejects(mill.get(job), { code: 'store-closed' })
    const reopened = await open()
    assert.equal((await reopened.get(job)).state, 'queued')
    await reopened.work([handle(weave, () => 'woven')])
    assert.equal((await reopened.waitFor(job)).output, 'woven')
  })

  test('tells whoever waits for a job that it was closed', async (context) => {
    const { mill } = await openTestMill(context)
    const { job } = await mill.enqueue(weave)
    const waiting = mill.waitFor(job, { timeout: 'none' })
    const refused = assert.rejects(waiting, { code: 'store-closed' })
    await mill.close()
    await refused
  })
})

const HANDLERS = fileURLToPath(programNamed('book-handlers'))

describe('the process of millrace work', () => {
  test('ends with 0 on SIGTERM, after what it ran', async (context) => {
    const { mill, command } = await openTestMill(context)
    const { job } = await mill.enqueue(book, { temper: 'patient' })
    const worker = command('work', HANDLERS, '--drain', '20s')
    await worker.hear('middle')
    worker.signal('SIGTERM')
    assert.deepEqual(await worker.ended(), { code: 0, signal: null }, worker.output)
    assert.equal((await mill.get(job)).state, 'completed')
    assert.equal((await mill.workers())[0]?.state, 'ended')
  })

  test('gives back on SIGTERM what does not end in time, and the next process goes on with it', async (context) => {
    const { mill, command } = await openTestMill(context)
    const { job } = await mill.enqueue(book, { temper: 'heedful' })
    const worker = command('work', HANDLERS, '--drain', '2s')
    await worker.hear('middle')
    worker.signal('SIGTERM')
    assert.deepEqual(await worker.ended(), { code: 0, signal: null }, worker.output)
    const { state, failures, phases } = await mill.get(job)
    assert.deepEqual({ state, failures }, { state: 'queued', failures: 0 })
    assert.equal(phases[0]?.state, 'done')
    const next = command('work', HANDLERS)
    const entered = await next.hear<{ readonly phase: string; readonly attempt: number }>('entered')
    assert.deepEqual([entered.phase, entered.attempt], ['parse', 2])
    await next.kill()
  })

  test('says by its exit code that a handler did not stop, and has given its job back', async (context) => {
    const { mill, command } = await openTestMill(context)
    const { job } = await mill.enqueue(book, { temper: 'stubborn' })
    const worker = command('work', HANDLERS, '--drain', '2s')
    await worker.hear('middle')
    worker.signal('SIGTERM')
    const { code } = await worker.ended()
    assert.equal(code, 1)
    assert.match(worker.output, /drain-timeout/)
    assert.equal((await mill.get(job)).state, 'queued')
  })

  test('ends on SIGTERM although it has not come to the end of its start', async (context) => {
    const { command } = await openTestMill(context)
    const worker = command('work', fileURLToPath(programNamed('endless-handlers')))
    await worker.printed('loading')
    worker.signal('SIGTERM')
    assert.deepEqual(await worker.ended(), { code: 0, signal: null }, worker.output)
  })

  test('ends at once on a second signal', async (context) => {
    const { mill, command } = await openTestMill(context)
    const { job } = await mill.enqueue(book, { temper: 'stubborn' })
    const worker = command('work', HANDLERS, '--drain', '1h')
    await worker.hear('middle')
    worker.signal('SIGTERM')
    // It says that it has heard the first.
    await worker.printed('SIGTERM')
    worker.signal('SIGTERM')
    assert.deepEqual(await worker.ended(), { code: 143, signal: null })
    assert.equal((await mill.get(job)).state, 'running', 'its lease has to run out')
  })
})

describe('a process that ends with enqueues under way', () => {
  test('by process.exit has stored whatever it was answered', async (context) => {
    const { mill, start, folder } = await openTestMill(context)
    for (let round = 0; round < scaled(5); round += 1) {
      const answered = join(folder, `answered-${round}`)
      const exitAfter = 1 + (round % 10) * 20
      const producer = start('hasty-producer', { count: 300, answered, exitAfter })
      assert.deepEqual(await producer.ended(), { code: 0, signal: null }, producer.output)
      const ids = readLines(answered)
      assert.equal(ids.length, exitAfter)
      for (const id of ids) assert.equal((await mill.get(id)).state, 'queued')
    }
  })

  test('by running off its end has stored all of them first', async (context) => {
    const { mill, start, folder } = await openTestMill(context)
    const answered = join(folder, 'answered')
    const producer = start('hasty-producer', { count: 300, answered, exitAfter: null })
    assert.deepEqual(await producer.ended(), { code: 0, signal: null }, producer.output)
    assert.equal((await mill.counts({ type: greet })).queued, 300)
    assert.equal(readLines(answered).length, 300, 'and was answered')
  })
})

function readLines(file: string): readonly string[] {
  return readFileSync(file, 'utf8').split('\n').slice(0, -1)
}
