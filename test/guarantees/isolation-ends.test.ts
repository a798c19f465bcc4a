/** A handler in a thread or process that does not stop is ended by force, once its job is final; the store tells when and how. */
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { describe, test } from 'node:test'

import { FORCE_FAIL } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { JobAttempt } from '../../src/index.ts'
import { nextTurn, within } from '../support/wait-for-event.ts'
import { assertCancelledOnce } from './bakery.ts'
import { JOBS, PATIENT_JOBS, TIMED_JOBS } from './programs/smithy-handlers.ts'
import type { IsolatedKind, Whereabouts } from './programs/smithy-handlers.ts'
import { assertGoesOn, childrenOf, endOf, gone, KINDS, openSmithy } from './smithy.ts'
import type { Begun, Smithy } from './smithy.ts'

const BY_ANN = { actor: 'ann', reason: 'wrong iron' } as const
const CANCELLED = { by: 'ann', reason: 'wrong iron' } as const

/** Enough of each: to start a process takes its time. */
const UNHEEDING = { thread: ['spin', 'ignore', 'swallow'], process: ['spin', 'swallow'] } as const

function assertByForce(kind: IsolatedKind, { stoppedBy, stoppedAt, endedAt }: JobAttempt): void {
  const how = kind === 'thread' ? ['terminate'] : ['SIGTERM', 'SIGKILL']
  assert.ok(stoppedBy !== null && how.includes(stoppedBy), `ended by force, not by ${stoppedBy}`)
  assert.ok(stoppedAt !== null && endedAt !== null && stoppedAt >= endedAt, 'first the row is final, then it is ended')
}

for (const kind of KINDS) {
  test(`a handler in a ${kind}`, async (context) => {
    const smithy = await openSmithy(context, { kinds: [kind] })
    const { mill, begin, worker } = smithy

    for (const act of UNHEEDING[kind]) {
      await context.test(`that does not stop when its job is cancelled is ended after its grace: ${act}`, async () => {
        const begun = await begin(kind, act)
        await mill.cancel(begun.id, BY_ANN)
        await assertCancelledOnce(mill, begun, CANCELLED)
        await assertGoesOn(smithy, kind, begun.at)
        const { attempt } = await endOf(smithy, begun)
        assert.equal(attempt.outcome, 'cancelled')
        assertByForce(kind, attempt)
        assert.equal(worker.abandoned, 0)
        if (kind === 'process') await gone(begun.at.pid)
      })
    }

    for (const act of ['ask', 'heed'] as const) {
      await context.test(`that stops by itself leaves its ${kind} to the next job: ${act}`, async () => {
        const begun = await begin(kind, act, PATIENT_JOBS)
        await mill.cancel(begun.id, BY_ANN)
        await assertCancelledOnce(mill, begun, CANCELLED)
        const { job, attempt } = await endOf(smithy, begun)
        assert.deepEqual([attempt.stoppedBy, attempt.stoppedAt], ['handler', job.finishedAt])
        assert.equal(attempt.error?.name, 'JobCancelledError')
        assert.equal(attempt.error.message, `Job ${job.id} was cancelled by ann (wrong iron).`)
        assert.deepEqual(await mill.run(JOBS[kind], 'where'), begun.at)
      })
    }

    await context.test('that writes an artifact when it is ended leaves nothing of it', async () => {
      const { artifacts } = await smithy.openStore()
      const { rows } = await smithy.connect()
      const root = artifacts.bytes.fileOf('.')
      const files = async (): Promise<readonly unknown[]> => {
        if (root === null) return rows(`SELECT path FROM ${smithy.database.table('artifact_chunks')}`)
        const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
        // Whose folder it is stays written there.
        return entries.filter((entry) => entry.isFile() && entry.name !== 'millrace-store')
      }
      const begun = await begin(kind, 'write for ever')
      await within('the first bytes', untilSome(files))
      await mill.cancel(begun.id, BY_ANN)
      await endOf(smithy, begun)
      await within('the removal of the bytes', untilNone(files))
      assert.deepEqual(await mill.artifacts(begun.id), [])
    })

    await context.test('that takes too long is ended after its grace', async () => {
      // So that it has a place that is ready.
      await mill.run(JOBS[kind], 'where')
      const begun = await begin(kind, 'spin', TIMED_JOBS)
      const { job, attempt } = await endOf(smithy, begun)
      assert.deepEqual([job.state, attempt.outcome, attempt.error?.code], ['failed', 'timed-out', 'time-out'])
      assertByForce(kind, attempt)
      await assertGoesOn(smithy, kind, begun.at)
    })

    await context.test('that has lost its job is ended after its grace, and that is still noted', async () => {
      const { claims } = await smithy.openStore()
      const begun = await begin(kind, 'spin')
      const forced = { plan: FORCE_FAIL, scope: OPERATOR, claim: null, values: {}, detail: null }
      assert.ok((await claims.apply({ ...forced, jobId: begun.id })).applied)
      await assertGoesOn(smithy, kind, begun.at)
      const attempt = await within('the note of its stop', noteOf(smithy, begun))
      assert.equal(attempt.outcome, 'forced')
      assertByForce(kind, attempt)
    })

    await context.test('that does not stop when its worker does is ended, and its job goes back', async () => {
      const begun = await begin(kind, 'spin')
      await assert.rejects(worker.stop({ timeout: '5s' }), { code: 'drain-timeout' })
      const { job, attempt } = await endOf(smithy, begun)
      assert.deepEqual([job.state, job.failures, attempt.outcome], ['queued', 0, 'released'])
      assertByForce(kind, attempt)
      if (kind === 'process') await gone(begun.at.pid)
    })
  })
}

async function untilSome(list: () => Promise<readonly unknown[]>): Promise<void> {
  while ((await list()).length === 0) await nextTurn()
}

async function untilNone(list: () => Promise<readonly unknown[]>): Promise<void> {
  while ((await list()).length > 0) await nextTurn()
}

async function noteOf(smithy: Smithy, begun: Begun): Promise<JobAttempt> {
  for (;;) {
    const { attempt } = await endOf(smithy, begun)
    if (attempt.stoppedAt !== null) return attempt
    await nextTurn()
  }
}

describe('a handler in a process', { skip: process.platform === 'linux' ? false : 'looks into /proc' }, () => {
  test('is ended together with a child that it waits for', async (context) => {
    const smithy = await openSmithy(context, { kinds: ['process'] })
    const begun = await smithy.begin('process', 'sleep')
    const sleeper = await within(
      'the start of the child',
      (async () => {
        for (;;) {
          const [first] = childrenOf(begun.at.pid)
          if (first !== undefined) return first
          await nextTurn()
        }
      })(),
    )
    await smithy.mill.cancel(begun.id, BY_ANN)
    await assertCancelledOnce(smithy.mill, begun, CANCELLED)
    assertByForce('process', (await endOf(smithy, begun)).attempt)
    await gone(sleeper)
    await gone(begun.at.pid)
    await assertGoesOn(smithy, 'process', begun.at)
  })

  test('dies with its worker, also when that is killed and the handler computes', async (context) => {
    const smithy = await openSmithy(context, { kinds: ['process'], manual: true })
    const child = smithy.start('smithy-worker')
    await child.hear('ready')
    const { at }: { readonly at: Whereabouts } = await smithy.begin('process', 'spin')
    assert.notEqual(at.pid, child.pid)
    await child.kill()
    await gone(at.pid)
  })
})
