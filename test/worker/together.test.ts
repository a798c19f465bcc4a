/** What attempts have to write in one turn goes to the store together, and each learns what came of its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defineJob } from '../../src/client/define-job.ts'
import { CANCEL } from '../../src/core/plans.ts'
import type { Attempt } from '../../src/worker/attempt.ts'
import { handle } from '../../src/worker/handler.ts'
import { Together } from '../../src/worker/together.ts'
import type { Sent } from '../../src/worker/together.ts'
import { TurnBudget } from '../../src/worker/turn-budget.ts'
import { planCall } from '../support/contract-bench.ts'
import { openWorkplace } from './open-workplace.ts'

const ping = defineJob('ping', { service: 'tests' })
const steps = defineJob('steps', { service: 'tests', phases: ['one', 'two'] })

test('of ten that end in one turn the one that the store refuses is tried again, and none of the others', async (context) => {
  const { enqueue, start, faults, calls, logs, runtime, job } = await openWorkplace(context)
  const ids = await Promise.all(Array.from({ length: 10 }, () => enqueue(ping)))
  let refusals = 1
  faults.apply = ({ jobId }) => {
    if (jobId !== ids[4] || refusals === 0) return undefined
    refusals -= 1
    return new Error('busy')
  }
  const worker = await start([handle(ping, () => null)])
  const running = worker.runOnce()
  await runtime.advance(5_000)
  assert.partialDeepStrictEqual(await running, { completed: 10, lost: 0 })
  assert.equal(calls.length, 11)
  assert.deepEqual(
    logs.filter(({ level }) => level === 'warn').map(({ fields }) => fields['jobId']),
    [ids[4]],
  )
  for (const id of ids) assert.equal((await job(id)).state, 'completed')
})

test('more than travel at once end all the same, those of several phases too', async (context) => {
  const { enqueue, start, store, calls } = await openWorkplace(context)
  for (const definition of [ping, steps]) {
    await Promise.all(Array.from({ length: 600 }, () => enqueue(definition)))
    calls.length = 0
    const one = handle(steps).phase('one', () => 1)
    const worker = await start([handle(ping, () => null), one.phase('two', () => 2)], { concurrency: 1_000 })
    const report = await worker.runOnce()
    assert.equal(report.completed, 600)
    assert.equal(calls.length, definition === ping ? 600 : 1_800)
    await worker.stop()
  }
  const { completed } = await store.jobs.counts({ scope: { role: 'operator' } })
  assert.equal(completed, 1_200)
})

test('a checkpoint of an attempt that is over is not tried again', async (context) => {
  const { enqueue, start, faults, calls, runtime, sessionLost } = await openWorkplace(context)
  await Promise.all([enqueue(steps), enqueue(steps)])
  faults.apply = ({ plan }) => (plan.name === 'checkpoint' ? new Error('busy') : undefined)
  await start([
    handle(steps)
      .phase('one', () => 1)
      .phase('two', () => 2),
  ])
  await runtime.advance(0)
  faults.claim = () => new Error('nothing more is to be taken')
  sessionLost()
  const tried = calls.length
  assert.ok(tried >= 2)
  await runtime.advance(60_000)
  assert.equal(calls.length, tried)
})

test('what befalls one that is told keeps no other from its answer', async (context) => {
  const { store, runtime } = await openWorkplace(context)
  const told: string[] = []
  const together = new Together({
    store,
    turns: new TurnBudget(runtime),
    deliveryOf: () => assert.fail('none is to be tried again'),
  })
  const sent = (name: string): Sent => ({
    attempt: {} as Attempt,
    calls: [planCall(CANCEL, runtime.uuid(), { actor: 'ann', reason: null })],
    isWanted: () => true,
    done: (result) => {
      if (name === 'b') throw new Error('a bug')
      told.push(`${name} ${result?.applied === false ? result.refusal : 'applied'}`)
    },
    broken: (error) => void told.push(`${name} ${String(error)}`),
  })
  for (const name of ['a', 'b', 'c']) together.add(sent(name))
  await runtime.advance(0)
  assert.deepEqual(told, ['a not-found', 'b Error: a bug', 'c not-found'])
})

test('what has ended is written although another handler waits for nothing but promises that are there', async (context) => {
  const { enqueue, start, calls, runtime } = await openWorkplace(context)
  await enqueue(ping)
  await enqueue(steps)
  let steppedBefore = 0
  await start([
    handle(ping, () => null),
    handle(steps)
      .phase('one', async () => {
        while (calls.length === 0 && steppedBefore < 100_000) {
          steppedBefore += 1
          await Promise.resolve()
        }
      })
      .phase('two', () => 2),
  ])
  await runtime.advance(1_000)
  assert.ok(steppedBefore > 0 && steppedBefore < 100_000, `after ${steppedBefore} steps`)
})
