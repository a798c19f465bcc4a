import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ClientContext } from '../../src/client/client-context.ts'
import { defineJob } from '../../src/client/define-job.ts'
import { JobClient } from '../../src/client/job-client.ts'
import { ConflictError, ForbiddenError, InvalidInputError, NotFoundError } from '../../src/core/errors.ts'
import { CHECKPOINT, COMPLETE_ONLY_PHASE } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { JobDetails } from '../../src/store/jobs.ts'
import { openClient } from './open-client.ts'

const exportMap = defineJob('map.export', { service: 'workers', phases: ['load', 'render'] })
const sendMail = defineJob('mail.send', { service: 'workers' })
const REASON = { reason: 'it hangs', actor: 'olga' }

describe('forceFail', () => {
  test('ends a running job whose worker can write nothing more, and says who and why', async (context) => {
    const { client, claim, store } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    const { claim: held } = await claim('mail.send')
    assert.deepEqual(await client.forceFail(job, REASON), { jobId: job.id, state: 'failed' })
    const call = { jobId: job.id, plan: COMPLETE_ONLY_PHASE, scope: OPERATOR, claim: held, detail: null }
    const late = await store.claims.apply({ ...call, values: { output: '1' } })
    assert.equal(late.applied ? null : late.refusal, 'lease-lost')
    const failed = await client.get(job)
    assert.deepEqual([failed.state, failed.failures, failed.attempts.at(-1)?.outcome], ['failed', 0, 'forced'])
    assert.equal(failed.error?.code, 'forced')
    assert.match(failed.error.message, /olga .* it hangs/)
    const last = (await client.events({ job })).at(-1)
    assert.equal(last?.name, 'job:failed')
    assert.deepEqual([last.detail['actor'], last.detail['reason']], ['olga', 'it hangs'])
  })

  test('ends a job that waits, and of one that is over is a conflict that names its state', async (context) => {
    const { client, complete } = openClient(context)
    const waiting = await client.enqueue(sendMail, null, { delay: '1h' })
    assert.equal((await client.forceFail(waiting.job, REASON)).state, 'failed')
    const { job } = await client.enqueue(sendMail)
    await complete('mail.send', 1)
    await assert.rejects(client.forceFail(job, REASON), (error) => {
      assert.ok(error instanceof ConflictError)
      assert.deepEqual([error.code, error.details['state']], ['job-final', 'completed'])
      return true
    })
    assert.equal((await client.audit({ job })).entries.length, 0, 'what was refused leaves no trace')
  })
})

describe('forceReset', () => {
  test('puts a running job back afresh, or where it was if its phases are to be kept', async (context) => {
    const { client, claim, apply } = openClient(context)
    for (const keepPhases of [false, true]) {
      const { job } = await client.enqueue(exportMap, null)
      await apply(await claim('map.export'), CHECKPOINT, { progress: 50 }, { result: '7' })
      const phase = keepPhases ? 'render' : 'load'
      const answer = await client.forceReset(job, { ...REASON, keepPhases })
      assert.deepEqual(answer, { jobId: job.id, state: 'queued', generation: 1, phase })
      const reset = await client.get(job)
      assert.deepEqual(
        [reset.phase, reset.phases[0]?.result, reset.progress],
        [phase, keepPhases ? 7 : null, keepPhases ? 50 : 0],
      )
      assert.equal(reset.attempts.at(-1)?.outcome, 'forced')
      await client.cancel(job)
    }
  })

  test('of a failed or cancelled job begins a new generation, of a completed one is a conflict', async (context) => {
    const { client, complete, fail } = openClient(context)
    const failed = await client.enqueue(sendMail)
    await fail('mail.send', 'no paper')
    assert.equal((await client.forceReset(failed.job, REASON)).generation, 2)
    await client.cancel(failed.job)
    assert.equal((await client.forceReset(failed.job, REASON)).generation, 3)
    await complete('mail.send', 1)
    await assert.rejects(client.forceReset(failed.job, REASON), { name: 'ConflictError', code: 'job-final' })
    assert.equal((await client.get(failed.job)).state, 'completed')
  })

  test('looks again when the job moved between its look and its act', async (context) => {
    const bench = openClient(context)
    const { job } = await bench.client.enqueue(sendMail)
    let looks = 0
    const stale = async (id: string): Promise<JobDetails | 'not-found' | 'forbidden'> => {
      const details = await bench.store.jobs.get(id, OPERATOR)
      looks += 1
      return looks === 1 && typeof details === 'object' ? { ...details, fence: details.fence + 1 } : details
    }
    const store = { ...bench.store, jobs: { ...bench.store.jobs, get: stale } }
    const client = new JobClient(new ClientContext(store, bench.runtime), OPERATOR)
    assert.equal((await client.forceReset(job, REASON)).state, 'queued')
    assert.equal(looks, 2)
    assert.equal((await client.audit()).entries.length, 1)
  })
})

describe('an act by force', () => {
  test('needs a reason, and bad options change nothing', async (context) => {
    const { client } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    const bad = [
      {},
      { reason: '' },
      { reason: 7 },
      { reason: 'x'.repeat(1_001) },
      { ...REASON, actor: '' },
      { ...REASON, why: 1 },
    ]
    for (const options of bad as readonly (typeof REASON)[]) {
      await assert.rejects(client.forceFail(job, options), InvalidInputError)
      await assert.rejects(client.forceReset(job, options), InvalidInputError)
    }
    const yes = 'yes' as unknown as boolean
    await assert.rejects(client.forceReset(job, { ...REASON, keepPhases: yes }), { path: 'keepPhases' })
    assert.equal((await client.get(job)).eventSeq, 1)
  })

  test('is for an admin of the tenant and the operator, and each is told of in the audit', async (context) => {
    const { client, as } = openClient(context)
    const admin = as({ role: 'admin', tenant: 'acme' })
    const member = as({ role: 'member', tenant: 'acme', user: 'ann' })
    const stranger = as({ role: 'admin', tenant: 'other' })
    const { job } = await member.enqueue(sendMail)
    await assert.rejects(member.forceFail(job, { reason: 'mine' }), ForbiddenError)
    await assert.rejects(member.forceReset(job, { reason: 'mine' }), ForbiddenError)
    await assert.rejects(stranger.forceFail(job, REASON), NotFoundError)
    await assert.rejects(stranger.forceReset(job, REASON), NotFoundError)
    await admin.forceFail(job, REASON)
    await client.forceReset(job, { reason: 'too hasty', keepPhases: true })
    const { entries, next } = await admin.audit()
    assert.equal(next, null)
    assert.deepEqual(
      entries.map(({ act, actor, role, tenant, jobId, reason, detail }) => ({
        act,
        actor,
        role,
        tenant,
        jobId,
        reason,
        detail,
      })),
      [
        {
          act: 'force-reset',
          actor: 'system',
          role: 'operator',
          tenant: 'acme',
          jobId: job.id,
          reason: 'too hasty',
          detail: { was: 'failed', keepPhases: true },
        },
        {
          act: 'force-fail',
          actor: 'olga',
          role: 'admin',
          tenant: 'acme',
          jobId: job.id,
          reason: 'it hangs',
          detail: {},
        },
      ],
    )
    const first = await client.audit({ job, limit: 1 })
    assert.deepEqual(first.entries, entries.slice(0, 1))
    assert.deepEqual((await client.audit({ job, limit: 1, after: first.next ?? '' })).entries, entries.slice(1))
    assert.deepEqual((await stranger.audit({ job })).entries, [])
    await assert.rejects(member.audit(), ForbiddenError)
    await assert.rejects(client.audit({ limit: 0 }), { path: 'limit' })
  })
})
