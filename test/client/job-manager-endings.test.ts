import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'

import { defineJob } from '../../src/client/define-job.ts'
import { CHECKPOINT } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { openManager } from './open-manager.ts'

const bread = defineJob('bread.bake', { service: 'bakery', retry: { backoff: { base: '1s', jitter: 0 } } })
const cake = defineJob('cake.bake', { service: 'bakery', phases: ['mix', 'bake', 'ice'] })

describe('completing a job by hand', () => {
  test('an output is the output', async (t) => {
    const { mill, jobs } = openManager(t)
    for (const output of [{ loaves: 3 }, null, 'text', [1, 2]]) {
      const { job } = await mill.enqueue(bread)
      await jobs.startProcessing(job)
      assert.equal((await jobs.completeJob(job, { output })).state, 'completed')
      assert.deepEqual((await mill.get(job)).output, output)
    }
  })

  test('the other fields are kept together, and none of them is null', async (t) => {
    const { mill, jobs } = openManager(t)
    const fields = { downloadUrl: 'https://x/y', filePath: '/y', metadata: { pages: 3 }, r2Key: 'k', expiresAt: 5 }
    const { job } = await mill.enqueue(bread)
    await jobs.startProcessing(job)
    const at = new Date(1_800_000_000_000)
    await jobs.completeJob(job, { ...fields, expiresAt: at })
    assert.deepEqual((await mill.get(job)).output, { ...fields, expiresAt: 1_800_000_000_000 })
    const { job: bare } = await mill.enqueue(bread)
    await jobs.startProcessing(bare)
    await jobs.completeJob(bare)
    assert.equal((await mill.get(bare)).output, null)
  })

  test('what can not be kept is refused, and the job goes on', async (t) => {
    const { mill, jobs } = openManager(t)
    const { job } = await mill.enqueue(bread)
    await jobs.startProcessing(job)
    const bad = [
      [{ output: 1, filePath: 'x' }, 'fields.filePath'],
      [{ output: new Map() }, 'output'],
      [{ metadata: () => 1 }, 'output.metadata'],
      [{ result: 1 } as object, 'fields.result'],
    ] as const
    for (const [fields, path] of bad) await assert.rejects(jobs.completeJob(job, fields), { path })
    assert.equal((await mill.get(job)).state, 'running')
    await jobs.completeJob(job)
  })

  test('where the job comes with its definition, the schema of the output has its word', async (t) => {
    const { mill, jobs } = openManager(t)
    const roll = defineJob('roll.bake', { service: 'bakery', output: z.number() })
    const { job } = await mill.enqueue(roll)
    await jobs.startProcessing(job)
    await assert.rejects(jobs.completeJob(job, { output: 'three' }), { code: 'output-invalid', path: 'output' })
    await jobs.completeJob(job, { output: 3 })
    assert.equal((await mill.get(job)).output, 3)
  })

  test('the phases that are left are done with it, in one commit', async (t) => {
    const { mill, jobs } = openManager(t)
    const { job } = await mill.enqueue(cake)
    await jobs.startProcessing(job)
    await jobs.completePhase(job, { eggs: 3 })
    await jobs.completeJob(job, { output: 'a cake' })
    const { state, output, phases, progress } = await mill.get(job)
    assert.deepEqual([state, output, progress], ['completed', 'a cake', 100])
    assert.deepEqual(
      phases.map(({ state: phaseState, result }) => [phaseState, result]),
      [
        ['done', { eggs: 3 }],
        ['done', null],
        ['done', 'a cake'],
      ],
    )
    const names = (await mill.events({ job })).map(({ name }) => name)
    assert.deepEqual(names.slice(2), ['phase:completed', 'phase:completed', 'phase:completed', 'job:completed'])
  })

  test('the last phase is completed with the job', async (t) => {
    const { mill, jobs } = openManager(t)
    const { job } = await mill.enqueue(cake)
    await jobs.startProcessing(job)
    await jobs.completePhase(job, undefined)
    await jobs.completePhase(job, 2)
    await assert.rejects(jobs.completePhase(job, 3), { name: 'ConflictError', code: 'transition-refused' })
    assert.equal((await mill.get(job)).phase, 'ice')
    await jobs.completeJob(job)
  })

  test('a job whose phases are all done has its output already', async (t) => {
    const { mill, jobs, store } = openManager(t)
    const { job } = await mill.enqueue(cake)
    const started = await jobs.startProcessing(job)
    assert.ok(started.success)
    await jobs.completePhase(job, 1)
    await jobs.completePhase(job, 2)
    const held = await store.jobs.get(job.id, OPERATOR)
    assert.ok(typeof held === 'object')
    const claim = { jobId: job.id, holder: held.holder ?? 0, fence: held.fence }
    const values = { progress: 100, seenPhase: 2 }
    await store.claims.apply({
      jobId: job.id,
      plan: CHECKPOINT,
      scope: OPERATOR,
      claim,
      values,
      detail: null,
      result: '"iced"',
    })
    await assert.rejects(jobs.completeJob(job, { output: 'other' }), { path: 'fields' })
    await jobs.completeJob(job)
    assert.equal((await mill.get(job)).output, 'iced')
  })
})

describe('failing a job by hand', () => {
  test('an error that may pass is tried again by the policy of the type', async (t) => {
    const { mill, jobs, advance } = openManager(t)
    const { job } = await mill.enqueue(bread)
    await jobs.startProcessing(job)
    await jobs.updateProgress(job, 40)
    assert.equal(
      (await jobs.failJob(job, Object.assign(new Error('no power'), { code: 'ECONNRESET' }))).state,
      'retrying',
    )
    const { error, failures, attempts } = await mill.get(job)
    assert.deepEqual([failures, error?.message, error?.verdict?.rule], [1, 'no power', 'network'])
    assert.deepEqual([attempts[0]?.outcome, attempts[0]?.progress], ['failed', 40])
    await advance(1_000)
    const again = await jobs.startProcessing(job)
    assert.ok(again.success)
    assert.equal((await jobs.failJob(job, 'the oven is not found')).state, 'failed')
    assert.equal((await mill.get(job)).error?.verdict?.rule, 'not-found-message')
  })

  test("the type's own rules count where the job comes with its definition", async (t) => {
    const { mill, jobs } = openManager(t)
    const burnt = { name: 'burnt', test: (): 'fatal' => 'fatal' }
    const roll = defineJob('roll.bake', { service: 'bakery', rules: [burnt] })
    const { job } = await mill.enqueue(roll)
    await jobs.startProcessing(job)
    assert.equal((await jobs.failJob(job, 'smoke')).state, 'failed')
    assert.equal((await mill.get(job)).error?.verdict?.rule, 'custom:burnt')
  })
})
