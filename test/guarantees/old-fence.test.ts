/** The store itself refuses whoever names an old claim, for every plan there is, whatever has become of the job meanwhile. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob } from '../../src/index.ts'
import type { Plan, PlanValues } from '../../src/core/plan.ts'
import { CANCEL, CHECKPOINT, COMPLETE, END_OF_GRACE, FORCE_RESET, PLANS, RELEASE, RETRY } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Claim } from '../../src/core/job-row.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { ClaimedJob, PlanCall, PlanResult } from '../../src/store/claims.ts'
import type { Store } from '../../src/store/store.ts'
import { newTestDatabase } from '../support/new-test-database.ts'
import { dumpStore } from '../support/store-dump.ts'

const letter = defineJob('letter.write', { service: 'post', phases: ['draft', 'send'] })
const LEASE_MS = 30_000

/** Plans that only the holder of the claim may carry out. */
const HELD_PLANS = PLANS.filter(({ cases }) => cases[0]?.when.includes('claim-lost'))

interface Bench {
  readonly store: Store
  readonly runtime: VirtualRuntime
  readonly jobId: string
  /** Opens a session and takes the job. */
  readonly claim: (holder?: number) => Promise<ClaimedJob>
  readonly apply: (plan: Plan, claim: Claim | null, values?: PlanValues) => Promise<PlanResult>
  /** The holder dies, and the job is taken back. */
  readonly lose: (claim: Claim) => Promise<void>
}

async function openBench(context: TestContext): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-fence-'))
  const runtime = virtualRuntime()
  const silent = (): void => undefined
  const logger = { info: silent, warn: silent, error: silent }
  const database = await newTestDatabase(folder)
  const store = await database.openStore({ runtime, logger, clock: runtime.clock })
  context.after(async () => {
    await store.close()
    await database.drop()
    rmSync(folder, { recursive: true })
  })
  const jobId = runtime.uuid()
  const { name: type, queue, policy } = letter
  await store.jobTypes.register('post', [{ type, queue, policy }])
  const scheduling = { priority: 0, delayMs: 0, runAt: null, key: null, uniqueKey: null }
  await store.jobs.enqueue([
    { id: jobId, type, queue, policy, tenant: '', owner: null, labels: {}, input: 'null', ...scheduling },
  ])
  const apply: Bench['apply'] = (plan, claim, values = {}) => store.claims.apply(callOf({ jobId, plan, claim, values }))
  const opened = new Set<number>()
  return {
    store,
    runtime,
    jobId,
    apply,
    claim: async (holder = runtime.key()) => {
      const identity = { service: 'post', host: 'mill-1', pid: 1, leaseMs: LEASE_MS, concurrency: 1 }
      if (!opened.has(holder)) await store.sessions.open({ ...identity, holder }, () => undefined)
      opened.add(holder)
      const { jobs } = await store.claims.claim({ holder, types: [type], limit: 1 })
      assert.equal(jobs.length, 1)
      return jobs[0] as ClaimedJob
    },
    lose: async ({ holder }) => {
      await store.sessions.abandon(holder)
      await runtime.advance(LEASE_MS + 1)
      const { jobsReaped } = await store.claims.sweep({ graceMs: 0, random: 0 })
      assert.equal(jobsReaped, 1)
    },
  }
}

interface Write {
  readonly jobId: string
  readonly plan: Plan
  readonly claim: Claim | null
  readonly values: PlanValues
}

/** A call with everything that the plan can ask for, so that nothing but the claim speaks against it. */
function callOf({ jobId, plan, claim, values }: Write): PlanCall {
  const all: PlanValues = { progress: 100, delayMs: 0, timeoutMs: 1_000, phase: 1, output: '"late"', ...values }
  return {
    jobId,
    plan,
    scope: OPERATOR,
    claim,
    values: plan.name === 'complete-only-phase' || plan.name === 'adopt-phases' ? all : { ...all, output: null },
    detail: '{"late":true}',
    ...(plan === CHECKPOINT ? { result: '"late"' } : {}),
    ...(plan.name === 'adopt-phases' ? { phaseNames: ['draft', 'send', 'seal'] } : {}),
    ...(plan.name === 'artifact' ? { artifact: lateArtifact() } : {}),
    error: '{"name":"Error","message":"late"}',
  }
}

function lateArtifact(): NonNullable<PlanCall['artifact']> {
  const id = '019b7613-6800-7000-8000-0000000000aa'
  const file = { contentType: 'text/plain', sizeBytes: 4, sha256: '00'.repeat(32), path: `aa/${id}` }
  return { id, name: 'late.txt', ...file, expiresInMs: null, phase: 'draft' }
}

/** What may have become of the job since the old claim was lost. Each answers nothing: the job is simply in another place. */
const FATES: Readonly<Record<string, (bench: Bench, old: ClaimedJob) => Promise<void>>> = {
  'waits in the queue again': async ({ lose }, { claim }) => lose(claim),
  'is run by another session': async ({ lose, claim }, old) => {
    await lose(old.claim)
    await claim()
  },
  'is run by the same session again': async ({ apply, claim }, old) => {
    assert.ok((await apply(RELEASE, old.claim)).applied)
    await claim(old.claim.holder)
  },
  'was completed by another session': async ({ lose, claim, apply }, old) => {
    await lose(old.claim)
    const next = await claim()
    await apply(CHECKPOINT, next.claim)
    await apply(CHECKPOINT, next.claim)
    assert.ok((await apply(COMPLETE, next.claim)).applied)
  },
  'was cancelled': async ({ apply }, old) => {
    assert.ok((await apply(CANCEL, null)).applied)
    assert.ok((await apply(END_OF_GRACE, old.claim)).applied)
  },
  'was put back by an administrator while it ran': async ({ apply, store, jobId }) => {
    const job = await store.jobs.get(jobId, OPERATOR)
    assert.ok(typeof job === 'object')
    const { generation: seenGeneration, fence: seenFence } = job
    assert.ok((await apply(FORCE_RESET, null, { phase: 0, seenGeneration, seenFence })).applied)
  },
  'is run by the same session in its next generation': async ({ apply, claim, store, jobId }, old) => {
    await apply(CANCEL, null)
    await apply(END_OF_GRACE, old.claim)
    const job = await store.jobs.get(jobId, OPERATOR)
    assert.ok(typeof job === 'object')
    const { generation: seenGeneration, fence: seenFence } = job
    assert.ok((await apply(RETRY, null, { phase: 0, seenGeneration, seenFence })).applied)
    await claim(old.claim.holder)
  },
}

describe('an old claim can write nothing once the job', () => {
  for (const [fate, befall] of Object.entries(FATES)) {
    test(fate, async (context) => {
      const bench = await openBench(context)
      const old = await bench.claim()
      await befall(bench, old)
      const before = await dumpStore(bench.store)
      for (const plan of HELD_PLANS) {
        const result = await bench.apply(plan, old.claim)
        assert.equal(result.applied, false, `${plan.name} was carried out`)
        assert.equal(result.refusal, 'lease-lost', plan.name)
        assert.deepEqual(await dumpStore(bench.store), before, `${plan.name} changes nothing`)
      }
      // All at once, in one transaction with each other.
      const results = await Promise.all(HELD_PLANS.map((plan) => bench.apply(plan, old.claim)))
      assert.ok(results.every(({ applied }) => !applied))
      assert.deepEqual(await dumpStore(bench.store), before)
    })
  }

  test('was never its own: a claim that is made up, of a higher fence or another holder', async (context) => {
    const bench = await openBench(context)
    const { claim } = await bench.claim()
    const before = await dumpStore(bench.store)
    const forged = [
      { ...claim, fence: claim.fence + 1 },
      { ...claim, fence: claim.fence - 1 },
      { ...claim, holder: claim.holder + 1 },
    ]
    for (const made of forged) {
      for (const plan of HELD_PLANS) {
        const result = await bench.apply(plan, made)
        assert.ok(!result.applied && result.refusal === 'lease-lost', plan.name)
      }
    }
    assert.deepEqual(await dumpStore(bench.store), before)
    assert.ok(HELD_PLANS.length >= 18, 'every plan of a holder is among them')
  })
})
