/** A job that is over can be started once more, and keeps what it had done; whoever may not, or too early, changes nothing. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { ConflictError, defineJob, handle, InvalidInputError } from '../../src/index.ts'
import type { Job } from '../../src/index.ts'
import { eventsOf, finalEvents } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { Announcements } from '../support/wait-for-event.ts'

const bake = defineJob('bread.bake', {
  service: 'bakery',
  phases: ['knead', 'rise', 'bake'],
  retry: { maxAttempts: 1 },
})

interface Bakery extends TestMill {
  /** Phases that were run, each with the attempt. */
  readonly ran: string[]
  readonly announce: Announcements
  /** Whether the phase of that name fails. */
  readonly broken: Set<string>
  /** Phases in which a handler waits for its signal. */
  readonly waiting: Set<string>
}

async function openBakery(context: TestContext): Promise<Bakery> {
  const opened = await openTestMill(context)
  const ran: string[] = []
  const announce = new Announcements()
  const broken = new Set<string>()
  const waiting = new Set<string>()
  const step = async ({ phase, attempt, signal, results }: Step): Promise<{ readonly attempt: number }> => {
    ran.push(`${phase} ${attempt} after ${Object.keys(results).join(' ')}`.trim())
    announce.tell(phase)
    if (waiting.has(phase)) {
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
    }
    if (broken.has(phase)) throw new Error(`the ${phase} went wrong`)
    return { attempt }
  }
  await opened.work([handle(bake).phase('knead', step).phase('rise', step).phase('bake', step)], { concurrency: 1 })
  return { ...opened, ran, announce, broken, waiting }
}

interface Step {
  readonly phase: string
  readonly attempt: number
  readonly signal: AbortSignal
  readonly results: object
}

function statesOf({ phases }: Job): readonly string[] {
  return phases.map(({ state }) => state)
}

function resultsOf({ phases }: Job): readonly unknown[] {
  return phases.map(({ result }) => result)
}

describe('a retry', () => {
  test('of a failed job goes on at the failed phase and keeps the results before it', async (context) => {
    const { mill, ran, broken } = await openBakery(context)
    broken.add('rise')
    const { job } = await mill.enqueue(bake)
    const failed = await mill.waitFor(job)
    assert.equal(failed.state, 'failed')
    assert.deepEqual(statesOf(failed), ['done', 'failed', 'pending'], 'the phases after the failed one stay pending')
    assert.equal(failed.phases[1]?.error?.message, 'the rise went wrong')

    broken.clear()
    assert.deepEqual(await mill.retry(job), { jobId: job.id, state: 'queued', generation: 2, phase: 'rise' })
    const completed = await mill.waitFor(job)
    assert.equal(completed.state, 'completed')
    assert.deepEqual(resultsOf(completed), [{ attempt: 1 }, { attempt: 2 }, { attempt: 2 }])
    assert.deepEqual(ran, ['knead 1 after', 'rise 1 after knead', 'rise 2 after knead', 'bake 2 after knead rise'])
    const { generation, attempt, failures } = completed
    assert.deepEqual({ generation, attempt, failures }, { generation: 2, attempt: 2, failures: 0 })
    assert.deepEqual(
      completed.attempts.map((made) => ({ generation: made.generation, outcome: made.outcome, phase: made.phase })),
      [
        { generation: 1, outcome: 'failed', phase: 'rise' },
        { generation: 2, outcome: 'completed', phase: 'bake' },
      ],
    )
    const events = await eventsOf(mill, job)
    assert.deepEqual(
      finalEvents(events).map(({ name }) => name),
      ['job:failed', 'job:completed'],
      'each life has its own end',
    )
    assert.equal(events.find(({ name, seq }) => name === 'job:queued' && seq > 1)?.detail['cause'], 'retry')
  })

  test('of a cancelled job goes on at the phase in which it was cancelled', async (context) => {
    const { mill, announce, waiting } = await openBakery(context)
    waiting.add('rise')
    const { job } = await mill.enqueue(bake)
    await announce.hear('rise')
    await mill.cancel(job, { actor: 'ann', reason: 'too early' })
    assert.deepEqual(statesOf(await mill.waitFor(job)), ['done', 'cancelled', 'cancelled'])
    waiting.clear()
    assert.equal((await mill.retry(job)).phase, 'rise')
    const completed = await mill.waitFor(job)
    assert.equal(completed.state, 'completed')
    assert.deepEqual(resultsOf(completed), [{ attempt: 1 }, { attempt: 2 }, { attempt: 2 }])
    const { cancelledBy, cancelReason, cancelRequestedAt, cancelledAt } = completed
    assert.deepEqual(
      { cancelledBy, cancelReason, cancelRequestedAt, cancelledAt },
      { cancelledBy: null, cancelReason: null, cancelRequestedAt: null, cancelledAt: null },
      'a new life was not cancelled by anybody',
    )
  })

  test('of a completed job starts afresh, since every phase is done', async (context) => {
    const { mill, ran } = await openBakery(context)
    const { job } = await mill.enqueue(bake)
    await mill.waitFor(job)
    assert.equal((await mill.retry(job)).phase, 'knead')
    const again = await mill.waitFor(job)
    assert.deepEqual(resultsOf(again), [{ attempt: 2 }, { attempt: 2 }, { attempt: 2 }])
    assert.equal(ran.length, 6)
    assert.deepEqual(
      again.attempts.map(({ outcome }) => outcome),
      ['completed', 'completed'],
    )
  })

  test('with fromStart forgets what was done', async (context) => {
    const { mill, ran, broken } = await openBakery(context)
    broken.add('bake')
    const { job } = await mill.enqueue(bake)
    await mill.waitFor(job)
    broken.clear()
    assert.equal((await mill.retry(job, { fromStart: true })).phase, 'knead')
    const completed = await mill.waitFor(job)
    assert.deepEqual(resultsOf(completed), [{ attempt: 2 }, { attempt: 2 }, { attempt: 2 }])
    assert.deepEqual(ran.slice(3), ['knead 2 after', 'rise 2 after knead', 'bake 2 after knead rise'])
  })

  test('from a phase keeps the results before it, and runs it and those after it again', async (context) => {
    const { mill, ran } = await openBakery(context)
    const { job } = await mill.enqueue(bake)
    await mill.waitFor(job)
    assert.deepEqual(await mill.retry(job, { from: 'rise' }), {
      jobId: job.id,
      state: 'queued',
      generation: 2,
      phase: 'rise',
    })
    const completed = await mill.waitFor(job)
    assert.deepEqual(resultsOf(completed), [{ attempt: 1 }, { attempt: 2 }, { attempt: 2 }])
    assert.deepEqual(ran.slice(3), ['rise 2 after knead', 'bake 2 after knead rise'])
  })

  test('begins with all attempts left, again and again', async (context) => {
    const { mill, broken } = await openBakery(context)
    broken.add('knead')
    const { job } = await mill.enqueue(bake)
    for (let generation = 1; generation <= 4; generation += 1) {
      const failed = await mill.waitFor(job)
      assert.deepEqual(
        { state: failed.state, generation: failed.generation, failures: failed.failures, attempt: failed.attempt },
        { state: 'failed', generation, failures: 1, attempt: generation },
      )
      await mill.retry(job)
    }
  })

  test('of a job that is not over, or of a phase that was not reached, is refused and changes nothing', async (context) => {
    const { mill, broken, waiting, announce, dump } = await openBakery(context)
    broken.add('rise')
    const failed = await mill.enqueue(bake)
    await mill.waitFor(failed.job)
    waiting.add('knead')
    const running = await mill.enqueue(bake)
    await announce.hear('knead', { nth: 2 })
    const queued = await mill.enqueue(bake)
    const scheduled = await mill.enqueue(bake, null, { delay: '1h' })
    const before = await dump()
    for (const [{ job }, state] of [
      [running, 'running'],
      [queued, 'queued'],
      [scheduled, 'scheduled'],
    ] as const) {
      await assert.rejects(mill.retry(job), (error) => {
        assert.ok(error instanceof ConflictError)
        assert.equal(error.code, 'job-not-final')
        assert.equal(error.details['state'], state)
        return true
      })
    }
    for (const from of ['bake', 'slice']) {
      await assert.rejects(mill.retry(failed.job, { from }), (error) => {
        assert.ok(error instanceof InvalidInputError)
        assert.equal(error.code, 'phase-unknown')
        assert.match(error.expected, /knead, rise/)
        return true
      })
    }
    await assert.rejects(mill.retry(failed.job, { from: 'rise', fromStart: true }), { code: 'option-invalid' })
    await assert.rejects(mill.retry('019b7613-6800-7000-8000-00000000dead'), { code: 'job-not-found' })
    assert.deepEqual(await dump(), before)
    await mill.cancel(running.job)
    await mill.cancel(queued.job)
  })

  test('keeps the files of the phases whose results it keeps, and only these', async (context) => {
    const { mill } = await openTestMill(context)
    const draw = defineJob('map.draw', { service: 'maps', phases: ['load', 'render'], retry: { maxAttempts: 1 } })
    let isBroken = true
    const drawing = handle(draw)
      .phase('load', async ({ artifact }) => artifact.write('roads.txt', 'A6, A7'))
      .phase('render', async ({ artifact, attempt }) => {
        await artifact.write('map.txt', `drawn ${attempt}`)
        if (isBroken) throw new Error('the pen is dry')
      })
    await mill.work([drawing])
    const { job } = await mill.enqueue(draw)
    await mill.waitFor(job)
    const names = async (): Promise<readonly string[]> => (await mill.artifacts(job)).map(({ name }) => name)
    assert.deepEqual(await names(), ['roads.txt', 'map.txt'])

    await mill.pauseQueue(draw.queue)
    await mill.retry(job)
    assert.deepEqual(await names(), ['roads.txt'])
    isBroken = false
    await mill.resumeQueue(draw.queue)
    await mill.waitFor(job)
    const made = await Promise.all((await mill.artifacts(job)).map(({ id }) => mill.openArtifact(id)))
    const texts = await Promise.all(made.map(async ({ bytes }) => Buffer.from(await bytes()).toString()))
    assert.deepEqual(texts, ['A6, A7', 'drawn 2'])

    await mill.pauseQueue(draw.queue)
    await mill.retry(job, { fromStart: true })
    assert.deepEqual(await names(), [])
    await mill.cancel(job)
  })

  test('that is asked for twice at once begins one new life', async (context) => {
    const { mill, open, broken } = await openBakery(context)
    const other = await open()
    broken.add('knead')
    const { job } = await mill.enqueue(bake)
    await mill.waitFor(job)
    await mill.pauseQueue(bake.queue)
    const answers = await Promise.allSettled([mill.retry(job), other.retry(job), mill.retry(job, { fromStart: true })])
    assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await mill.get(job)).generation, 2)
    const again = (await eventsOf(mill, job)).filter(({ detail }) => detail['cause'] === 'retry')
    assert.equal(again.length, 1)
  })
})
