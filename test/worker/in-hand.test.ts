/** What becomes of jobs that a worker has taken ahead of its slots and cannot begin soon. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OPERATOR } from '../../src/core/scope.ts'
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
