/** A process that dies in the middle of a job costs the phase that it was in, and no other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { eventsOf } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { waitForEvent } from '../support/wait-for-event.ts'
import { book, bookHandler } from './programs/book-jobs.ts'

interface Entered {
  readonly phase: string
  readonly attempt: number
  readonly results: unknown
}

test('a job whose process was killed in its second phase goes on there in the next process', async (context) => {
  const { mill, start, sweepEvery } = await openTestMill(context)
  sweepEvery(50)
  const first = start('book-worker', { hold: true, options: { lease: 3_000 } })
  const { job } = await mill.enqueue(book, { title: 'Middlemarch' })
  // Half of the second of three phases.
  await waitForEvent(mill, job, 'job:progress', { where: ({ detail }) => detail['percent'] === 50 })
  await first.kill()
  await waitForEvent(mill, job, 'job:queued', { where: ({ seq }) => seq > 1 })
  const second = start('book-worker', { hold: false, options: {} })
  const completed = await mill.waitFor(job)
  assert.equal(completed.state, 'completed')

  const entered = async (nth: number): Promise<Entered> => second.hear<Entered>('entered', { nth })
  const fetched = { pages: 3, by: first.pid }
  assert.deepEqual(await entered(1), { phase: 'parse', attempt: 2, results: { fetch: fetched } })
  assert.deepEqual(await entered(2), {
    phase: 'index',
    attempt: 2,
    results: { fetch: fetched, parse: { words: 900, by: second.pid } },
  })
  assert.equal(second.count('entered'), 2, 'what was done is not run again')
  assert.deepEqual(completed.output, { entries: 90, by: second.pid })
  assert.deepEqual(
    completed.phases.map(({ name, state, attempts }) => ({ name, state, attempts })),
    [
      { name: 'fetch', state: 'done', attempts: 1 },
      { name: 'parse', state: 'done', attempts: 2 },
      { name: 'index', state: 'done', attempts: 1 },
    ],
  )

  // The attempt that was cut off tells where that was.
  const [lost, last] = completed.attempts
  assert.deepEqual(
    { outcome: lost?.outcome, phase: lost?.phase, progress: lost?.progress, pid: lost?.worker?.pid },
    { outcome: 'lost', phase: 'parse', progress: 50, pid: first.pid },
  )
  assert.equal(lost?.error?.code, 'session-lost')
  assert.ok((lost.error.message ?? '') !== '')
  assert.deepEqual(lost.error.context, { page: 2 }, 'what it told last is kept, though it could not say so itself')
  assert.ok(lost.endedAt !== null && lost.endedAt >= lost.startedAt)
  assert.deepEqual({ outcome: last?.outcome, attempt: last?.attempt }, { outcome: 'completed', attempt: 2 })
  assert.deepEqual({ failures: completed.failures, strikes: completed.strikes }, { failures: 0, strikes: 0 })

  const events = await eventsOf(mill, job)
  const done = events.filter(({ name }) => name === 'phase:completed').map(({ detail }) => detail['phase'])
  assert.deepEqual(done, ['fetch', 'parse', 'index'])
  const starts = events.filter(({ name }) => name === 'job:started').map(({ detail }) => detail['phase'])
  assert.deepEqual(starts, ['fetch', 'parse'], 'the second attempt begins where the first was cut off')
})

test('a job that is stopped in its second phase goes on there, and counts no failure and no lost worker', async (context) => {
  const { mill, work, open } = await openTestMill(context)
  const entered: string[] = []
  const stopping = bookHandler({
    onEnter: ({ phase }) => entered.push(`first ${phase}`),
    inTheMiddle: (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      }),
  })
  const worker = await work([stopping], { drain: '2s' })
  const { job } = await mill.enqueue(book)
  await waitForEvent(mill, job, 'job:progress')
  await worker.stop()
  const other = await open()
  await other.work([
    bookHandler({ onEnter: ({ phase }) => entered.push(`second ${phase}`), inTheMiddle: async () => undefined }),
  ])
  const completed = await mill.waitFor(job)
  assert.deepEqual(entered, ['first fetch', 'first parse', 'second parse', 'second index'])
  assert.deepEqual({ failures: completed.failures, suspect: completed.suspect }, { failures: 0, suspect: false })
  const [released] = completed.attempts
  assert.deepEqual(
    { outcome: released?.outcome, phase: released?.phase, progress: released?.progress },
    { outcome: 'released', phase: 'parse', progress: 50 },
  )
  assert.deepEqual(released?.error?.context, { page: 2 }, 'what the handler told last is kept with the attempt')
})
