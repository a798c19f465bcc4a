/** What becomes of jobs that a worker has taken ahead of its slots and cannot begin soon. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { openWorkplace } from './open-workplace.ts'
import type { Workplace } from './open-workplace.ts'
import { enqueueInputs, runningInStore, startKnown } from './quick-worker.ts'

/** Runs for as long as the job's input says, by the virtual clock. */
function lasting({ runtime }: Workplace): (context: { readonly input: unknown }) => Promise<void> {
  return ({ input }) => new Promise((resolve) => void runtime.after(Number(input), resolve))
}

function times<Value>(count: number, value: Value): readonly Value[] {
  return Array.from({ length: count }, () => value)
}

async function outcomesOf(place: Workplace, ids: readonly string[]): Promise<readonly string[]> {
  const jobs = await Promise.all(ids.map((id) => place.job(id)))
  return jobs.map(({ state, failures, attempts }) => {
    assert.equal(failures, 0)
    return [state, ...attempts.map(({ outcome }) => outcome)].join(' ')
  })
}

describe('jobs in hand, when runs become slower', () => {
  test('are all given back within a few hundredths of a second once runs take 50 ms', async (context) => {
    const place = await openWorkplace(context)
    await startKnown(place, lasting(place), { concurrency: 2 })
    const ids = await enqueueInputs(place, times(60, 50))
    assert.equal(await runningInStore(place), 60)
    await place.runtime.advance(95)
    assert.equal(await runningInStore(place), 2)
    assert.deepEqual(await outcomesOf(place, ids), [
      ...times(2, 'completed completed'),
      ...times(2, 'running running'),
      ...times(56, 'queued released'),
    ])
    assert.equal(place.logged('JOB_START').length, 10 + 4, 'the start of those that began')
  })

  test('are given back as far as they are too many now, from the end: those that begin soon are kept', async (context) => {
    const place = await openWorkplace(context)
    await startKnown(place, lasting(place), { concurrency: 2 })
    const ids = await enqueueInputs(place, times(30, 15))
    assert.equal(await runningInStore(place), 30)
    await place.runtime.advance(44)
    assert.deepEqual(await outcomesOf(place, ids), [
      ...times(4, 'completed completed'),
      ...times(4, 'running running'),
      ...times(22, 'queued released'),
    ])
  })

  test('stay where they are when a single run was slow and others go on as before', async (context) => {
    const place = await openWorkplace(context)
    const worker = await startKnown(place, lasting(place), { concurrency: 2 })
    await enqueueInputs(place, times(20, 1))
    await place.runtime.advance(20)
    await enqueueInputs(place, [30, ...times(200, 1)])
    assert.equal(await runningInStore(place), 2 + 40)
    const idle = worker.idle()
    await place.runtime.advance(1_000)
    await idle
    assert.equal((await place.store.jobs.counts({ scope: OPERATOR })).completed, 231)
    assert.equal(place.calls.filter(({ plan }) => plan.name === 'release').length, 0)
  })

  test('are not taken and given back over and over: ten more must run for each that is taken ahead again', async (context) => {
    const place = await openWorkplace(context)
    const worker = await startKnown(place, lasting(place), { concurrency: 2 })
    const rounds = 6
    const inputs = times(rounds, [150, 150, ...times(150, 1)]).flat()
    const ids = await enqueueInputs(place, inputs)
    const idle = worker.idle()
    for (let advanced = 0; advanced < rounds; advanced += 1) await place.runtime.advance(1_000)
    await idle
    const released = place.calls.filter(({ plan }) => plan.name === 'release').length
    assert(released > 50, 'there was something to give back')
    assert(released <= ids.length + ids.length / 10, `${released} times a job was given back`)
    assert.equal((await place.store.jobs.counts({ scope: OPERATOR })).completed, ids.length + 10)
  })
})

/** The worker has a clock of its own, which stands still while the store's goes on: its thread is blocked. */
describe('jobs in hand, while their worker blocks its thread', () => {
  for (const [timeout, blockedMs, timedOut] of [
    ['200ms', 8_000, 2],
    ['10s', 8_000, 0],
    ['10s', 16_000, 0],
    ['30s', 36_000, 0],
  ] as const) {
    test(`for ${blockedMs} ms get no failure by a time-out of ${timeout}`, async (context) => {
      const place = await openWorkplace(context)
      const timed = defineJob('timed', { service: 'tests', timeout, cancelGrace: '5s', retry: { maxAttempts: 1 } })
      const ran: unknown[] = []
      const gate = Promise.withResolvers<void>()
      const worker = await startKnown(
        place,
        async ({ input }) => {
          ran.push(input)
          await gate.promise
        },
        { definition: timed, concurrency: 2, runtime: virtualRuntime({ seed: 2 }) },
      )
      const ids = await enqueueInputs(place, [0, 1, 2, 3, 4, 5, 6, 7], timed)
      await place.runtime.advance(blockedMs)
      const { jobsTimedOut } = await place.store.claims.sweep({ graceMs: 2_000, random: 0 })
      assert.deepEqual([ran, jobsTimedOut], [[0, 1], timedOut], 'only those that have begun')
      gate.resolve()
      await worker.idle()
      const failures = await Promise.all(ids.slice(2).map(async (id) => (await place.job(id)).failures))
      assert.deepEqual(failures, times(6, 0))
    })
  }
})
