import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob, handle } from 'millrace'
import { runPhase } from 'millrace/testing'
import { z } from 'zod'
import { bakeBread, bakeBreadInto, sendMail } from './bakery-jobs.ts'

describe('runPhase', () => {
  test('runs one phase with the results of those before, and records what it makes', async () => {
    const ran: string[] = []
    const run = await runPhase(bakeBreadInto(ran), 'bake', { input: { loaves: 2 }, results: { mix: { dough: 1_000 } } })
    assert.deepEqual(ran, ['bake'])
    assert.deepEqual(run.result, { loaves: 2 })
    assert.deepEqual(run.progress, [{ percent: 50, context: null }])
    assert.deepEqual(
      run.artifacts.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()]),
      [['crust.txt', 'brown']],
    )
    const { logs } = await runPhase(bakeBreadInto([]), 'mix', { input: { loaves: 2 } })
    assert.deepEqual(logs, [{ level: 'info', message: 'mixed', fields: { loaves: 2 } }])
  })

  test('hands it the job that it is told of', async () => {
    const handler = handle(sendMail, ({ tenant, owner, labels, attempt, phase, type }) => [
      tenant,
      owner,
      labels,
      attempt,
      phase,
      type,
    ])
    const job = { input: { to: 'ann' }, tenant: 'acme', owner: 'ann', labels: { order: '7' }, attempt: 3 }
    const { result } = await runPhase(handler, 'run', job)
    assert.deepEqual(result, ['acme', 'ann', { order: '7' }, 3, 'run', 'mail.send'])
  })

  test('tells all progress that a worker would not ignore', async () => {
    const handler = handle(sendMail, ({ progress }) => {
      for (const percent of [10, 40, 30, 90]) progress(percent, { percent })
    })
    const { progress } = await runPhase(handler, 'run', { input: { to: 'ann' } })
    assert.deepEqual(
      progress.map(({ percent }) => percent),
      [10, 40, 90],
    )
    assert.deepEqual(progress[0]?.context, { percent: 10 })
  })

  test('rejects with what the handler throws', async () => {
    const error = new Error('no stamps')
    const handler = handle(sendMail, () => {
      throw error
    })
    await assert.rejects(runPhase(handler, 'run', { input: { to: 'ann' } }), (thrown) => thrown === error)
  })

  test('holds to the schemas and limits that hold in a worker', async () => {
    const greedy = handle(sendMail, ({ progress }) => progress(101))
    await assert.rejects(runPhase(greedy, 'run', { input: { to: 'ann' } }), { code: 'option-invalid' })
    const untyped: unknown = { to: 7 }
    await assert.rejects(
      runPhase(
        handle(sendMail, () => null),
        'run',
        { input: untyped as { to: string } },
      ),
      { code: 'input-outdated', path: 'input.to' },
    )
    const wrong: unknown = { baked: 'many' }
    const liar = handle(bakeBread)
      .phase('mix', () => null)
      .phase('bake', () => null)
      .phase('wrap', () => wrong as { baked: number })
    await assert.rejects(runPhase(liar, 'wrap', { input: { loaves: 1 } }), { code: 'output-invalid' })
    const twice = handle(sendMail, async ({ artifact }) => {
      await artifact.write('a.txt', 'a')
      await artifact.write('a.txt', 'b')
    })
    await assert.rejects(runPhase(twice, 'run', { input: { to: 'ann' } }), { code: 'artifact-exists' })
  })

  test('parses the input as a worker does', async () => {
    const print = defineJob('print', { service: 'post', input: z.object({ width: z.coerce.number<string>() }) })
    const { result } = await runPhase(
      handle(print, ({ input }) => input.width + 1),
      'run',
      { input: { width: '41' } },
    )
    assert.equal(result, 42)
  })

  test('gives each result as JSON gives it back', async () => {
    const handler = handle(defineJob('two', { service: 'post', phases: ['one', 'two'] }))
      .phase('one', (): { at?: string | undefined } => ({}))
      .phase('two', ({ results }) => Object.keys(results.one))
    const { result } = await runPhase(handler, 'two', { results: { one: { at: undefined } } })
    assert.deepEqual(result, [])
  })

  test('cancels the job when its signal fires', async () => {
    const cancel = new AbortController()
    const handler = handle(sendMail, async ({ signal, checkCancellation }) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => resolve())
      cancel.abort()
      await promise
      checkCancellation()
    })
    const running = runPhase(handler, 'run', { input: { to: 'ann' }, signal: cancel.signal })
    await assert.rejects(running, { name: 'JobCancelledError', code: 'job-cancelled' })
    await assert.rejects(runPhase(handler, 'run', { input: { to: 'ann' }, signal: AbortSignal.abort() }), {
      code: 'job-cancelled',
    })
  })

  test('says which result a phase reads that was not given', async () => {
    await assert.rejects(runPhase(bakeBreadInto([]), 'bake', { input: { loaves: 1 } }), {
      code: 'ERR_ASSERTION',
      message: 'runPhase: the phase "bake" of bread.bake reads the result of "mix", which was not given.',
    })
  })

  test('refuses the result of a phase that does not come before', async () => {
    await assert.rejects(
      runPhase(bakeBreadInto([]), 'mix', { input: { loaves: 1 }, results: { bake: { loaves: 1 } } }),
      { code: 'ERR_ASSERTION', message: /^runPhase: "bake" is no phase of bread\.bake before "mix"/ },
    )
  })

  test('names the phases of a handler that has not the one that is asked for', async () => {
    const name: string = 'eat'
    await assert.rejects(runPhase(bakeBreadInto([]), name as 'mix', { input: { loaves: 1 } }), {
      code: 'ERR_ASSERTION',
      message: 'runPhase: bread.bake has no phase "eat", but mix, bake, wrap.',
    })
  })
})
