/** What is done by force happens whatever the job is doing, and is told of exactly where it happened. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { handle, LeaseLostError } from '../../src/index.ts'
import type { Handler } from '../../src/index.ts'
import { finalEvents, eventsOf } from '../support/job-history.ts'
import { scaled } from '../support/scale.ts'
import type { Announcements } from '../support/wait-for-event.ts'
import { assertWorkerGoesOn, grind, openBakery, print } from './bakery.ts'

const ADA = { tenant: 'acme', user: 'ada', role: 'admin' } as const
const ANN = { tenant: 'acme', user: 'ann', role: 'member' } as const

/** Writes when it is told to stop, which must be refused. */
function stubborn(announce: Announcements): Handler {
  return handle(grind, async ({ jobId, signal, artifact }) => {
    announce.tell(`started ${jobId}`)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    const late = await artifact.write('late.txt', 'too late').catch((error: unknown) => error)
    announce.tell(`ended ${jobId}`, late instanceof LeaseLostError ? 'refused' : 'kept')
    return 'flour'
  })
}

test('a running job is failed by force: its worker can write nothing more, and goes on', async (context) => {
  const bakery = await openBakery(context, (announce) => [stubborn(announce)])
  const { mill, announce } = bakery
  for (let round = 0; round < scaled(3); round += 1) {
    const { job } = await mill.as(ANN).enqueue(grind, round)
    await announce.hear(`started ${job.id}`)
    assert.equal((await mill.as(ADA).forceFail(job, { reason: 'it hangs' })).state, 'failed')
    assert.equal(await announce.hear(`ended ${job.id}`), 'refused')
    const failed = await mill.waitFor(job)
    assert.deepEqual([failed.state, failed.failures, failed.error?.code], ['failed', 0, 'forced'])
    assert.equal(failed.attempts.at(-1)?.outcome, 'forced')
    assert.equal(finalEvents(await eventsOf(mill, job)).length, 1)
    assert.deepEqual(await mill.artifacts(job), [])
    const { entries } = await mill.audit({ job })
    assert.deepEqual(
      entries.map(({ act, actor, role, reason }) => ({ act, actor, role, reason })),
      [{ act: 'force-fail', actor: 'ada', role: 'admin', reason: 'it hangs' }],
    )
    await assertWorkerGoesOn(bakery)
  }
})

test('a job is put back by force, afresh or at the phase that it had reached, and runs to its end', async (context) => {
  const runs: string[] = []
  const printing = (announce: Announcements): Handler =>
    handle(print)
      .phase('load', () => void runs.push('load'))
      .phase('draw', async ({ jobId, attempt, signal }) => {
        runs.push('draw')
        announce.tell(`drawing ${jobId} ${attempt}`)
        if (attempt === 1) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      })
      .phase('store', () => 'stored')
  const bakery = await openBakery(context, (announce) => [printing(announce)])
  const { mill, announce } = bakery
  for (const keepPhases of [true, false]) {
    runs.length = 0
    const { job } = await mill.enqueue(print)
    await announce.hear(`drawing ${job.id} 1`)
    const { phase } = await mill.forceReset(job, { reason: 'the plotter is new', keepPhases })
    assert.equal(phase, keepPhases ? 'draw' : 'load')
    const done = await mill.waitFor(job)
    assert.deepEqual([done.state, done.generation, done.output, done.failures], ['completed', 1, 'stored', 0])
    assert.deepEqual(runs, keepPhases ? ['load', 'draw', 'draw'] : ['load', 'draw', 'load', 'draw'])
    await assert.rejects(mill.forceReset(job, { reason: 'again' }), { code: 'job-final' })
    await assert.rejects(mill.forceFail(job, { reason: 'again' }), { code: 'job-final' })
    assert.equal((await mill.audit({ job })).entries.length, 1, 'what was refused left no trace')
  }
  await assertWorkerGoesOn(bakery)
})

test('of several who act by force at once, those who did are told of, and nobody else', async (context) => {
  const { mill, open } = await openBakery(context, () => [])
  const other = await open()
  const { job } = await mill.enqueue(grind, 1, { delay: '1h' })
  const acts = Array.from({ length: 6 }, (_, index) => {
    const by = index % 2 === 0 ? mill : other
    const options = { reason: 'whoever is first', actor: `user ${index}` }
    return index < 3 ? by.forceFail(job.id, options) : by.forceReset(job.id, options)
  })
  const settled = await Promise.allSettled(acts)
  const done = settled.flatMap(({ status }, index) => (status === 'fulfilled' ? [`user ${index}`] : []))
  const { entries } = await mill.audit({ job })
  assert.deepEqual(entries.map(({ actor }) => actor).toSorted(), done)
})
