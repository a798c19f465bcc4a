/** A thread or process that goes down by itself takes one attempt with it: that has failed and may be tried again, and the worker lives on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { JOBS } from '../guarantees/programs/smithy-handlers.ts'
import type { Act, IsolatedKind } from '../guarantees/programs/smithy-handlers.ts'
import { assertGoesOn, childrenOf, endOf, gone, KINDS, openSmithy } from '../guarantees/smithy.ts'
import type { Begun, Smithy } from '../guarantees/smithy.ts'

/** It is tried again later; what ended it is told, and that nothing of it runs any more. */
async function assertDied(smithy: Smithy, kind: IsolatedKind, begun: Begun, how: RegExp): Promise<void> {
  await smithy.mill.waitFor(begun.id, { state: 'retrying' })
  await smithy.worker.idle()
  const { attempts, failures, error } = await smithy.mill.get(begun.id)
  assert.equal(failures, 1)
  assert.equal(error?.code, 'handler-died')
  assert.deepEqual(error.verdict, { fatal: false, rule: 'handler-died', retryAfterMs: null })
  assert.match(error.message, how)
  assert.deepEqual(
    attempts.map(({ outcome, stoppedBy, stoppedAt, endedAt }) => [outcome, stoppedBy, stoppedAt === endedAt]),
    [['failed', 'handler', true]],
  )
  assert.equal(smithy.worker.state, 'running')
  await assertGoesOn(smithy, kind, begun.at)
}

for (const kind of KINDS) {
  test(`a ${kind}`, async (context) => {
    const smithy = await openSmithy(context, { kinds: [kind] })
    const { mill, begin } = smithy

    const deaths: readonly (readonly [act: Act, how: Readonly<Record<IsolatedKind, RegExp>>])[] = [
      ['exit', { thread: /exit code 3/, process: /exit code 3/ }],
      ['throw astray', { thread: /a stray error/, process: /exit code 1/ }],
    ]
    for (const [act, how] of deaths) {
      await context.test(`that goes down in the middle of a job fails its attempt alone: ${act}`, async () => {
        await assertDied(smithy, kind, await begin(kind, act), how[kind])
      })
    }

    await context.test(
      'in which a job has left a timer that fails later goes down with the job that runs then',
      async () => {
        const { at } = await begin(kind, 'leak a failing timer')
        const next = await begin(kind, 'set off the leak')
        assert.deepEqual(next.at, at, 'the two run in the same place')
        await assertDied(smithy, kind, next, kind === 'thread' ? /nobody catches this/ : /exit code 1/)
      },
    )

    await context.test(
      'in which a job has left something that writes later refuses that, and the next job is none the worse',
      async () => {
        const left = await begin(kind, 'leak a late writer')
        await endOf(smithy, left)
        const next = await begin(kind, 'set off the leak')
        assert.deepEqual(next.at, left.at, 'the two run in the same place')
        const { job } = await endOf(smithy, next)
        const refused = {
          progress: 'lease-lost',
          log: 'lease-lost',
          artifact: 'lease-lost',
          checkCancellation: 'lease-lost',
        }
        assert.deepEqual(job.output, { jobId: left.id, ...refused })
        for (const id of [left.id, next.id]) assert.deepEqual(await mill.artifacts(id), [])
      },
    )
  })
}

test('a process that is killed from outside fails its attempt alone', async (context) => {
  const smithy = await openSmithy(context, { kinds: ['process'] })
  const begun = await smithy.begin('process', 'spin')
  process.kill(begun.at.pid, 'SIGKILL')
  await assertDied(smithy, 'process', begun, /SIGKILL/)
})

test('a handler that takes all memory takes its process with it, and nothing else', async (context) => {
  const smithy = await openSmithy(context, { manual: true })
  const child = smithy.start('smithy-worker', { smallHeap: true })
  await child.hear('ready')
  const begun = await smithy.begin('process', 'eat memory')
  const { error } = await smithy.mill.waitFor(begun.id, { state: 'retrying' })
  assert.equal(error?.code, 'handler-died')
  const { pid } = (await smithy.mill.run(JOBS.process, 'where')) as unknown as { readonly pid: number }
  assert.ok(childrenOf(child.pid).includes(pid))
  await child.kill()
  await gone(child.pid)
})
