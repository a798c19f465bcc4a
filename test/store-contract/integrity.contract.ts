import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ARTIFACT, CHECKPOINT, COMPLETE, FAIL_RETRY, PROMOTE, RETRY } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { validateJob } from '../../src/core/validation.ts'
import { BELONGINGS } from '../../src/store/integrity.ts'
import type { AuditedJob } from '../../src/store/integrity.ts'
import { THREE_PHASES, attemptError, openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

async function auditAll({ store }: Bench): Promise<readonly AuditedJob[]> {
  const jobs: AuditedJob[] = []
  let after: string | null = null
  do {
    const page = await store.integrity.audit({ after, limit: 2 })
    jobs.push(...page.jobs)
    after = page.next
  } while (after !== null)
  return jobs
}

/** One that has failed, was completed, retried and completed again. */
async function oldHand(bench: Bench): Promise<string> {
  const { claim } = await bench.running({
    policy: THREE_PHASES,
    labels: { a: 'b' },
    key: 'k',
    tenant: 'acme',
    owner: 'ann',
  })
  await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact() })
  await bench.must(FAIL_RETRY, claim, { delayMs: 10 }, { error: attemptError(), detail: '{}' })
  bench.advance(10)
  await bench.must(PROMOTE, claim.jobId)
  for (let generation = 1; generation <= 2; generation += 1) {
    const again = await bench.take(claim.holder)
    for (const progress of [30, 60, 100]) await bench.must(CHECKPOINT, again.claim, { progress }, { result: '1' })
    await bench.must(COMPLETE, again.claim)
    if (generation === 1) await bench.renew(RETRY, claim.jobId)
  }
  return claim.jobId
}

export function integrityContract(open: OpenStore): void {
  describe('integrity', () => {
    test('every job is audited once, with its results and events counted, and sound jobs are found sound', async (t) => {
      const bench = await openBench(t, open)
      const old = await oldHand(bench)
      const ids = [
        old,
        await bench.add(),
        await bench.add({ delayMs: 5 }),
        (await bench.running({ type: 'x' })).claim.jobId,
      ]
      const jobs = await auditAll(bench)
      assert.deepEqual(jobs.map(({ id }) => id).toSorted(), ids.toSorted())
      assert.deepEqual(jobs.flatMap(validateJob), [])
      const { eventSeq } = await bench.details(old)
      const audited = jobs.find(({ id }) => id === old)
      assert.deepEqual(
        [audited?.results, audited?.events, audited?.unknown],
        [3, { count: eventSeq, lastSeq: eventSeq, finals: 1 }, []],
      )
    })

    test('one job is audited for those who may see it', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ tenant: 'acme', owner: 'ann' })
      const { integrity } = bench.store
      const [audited] = await auditAll(bench)
      assert.deepEqual(await integrity.auditOne(id, OPERATOR), audited)
      assert.deepEqual(await integrity.auditOne(id, { role: 'member', tenant: 'acme', user: 'ann' }), audited)
      assert.equal(await integrity.auditOne(id, { role: 'member', tenant: 'acme', user: 'bob' }), 'forbidden')
      assert.equal(await integrity.auditOne(id, { role: 'admin', tenant: 'other' }), 'not-found')
      assert.equal(await integrity.auditOne(bench.runtime.uuid(), OPERATOR), 'not-found')
      assert.equal(await integrity.auditOne('no id', OPERATOR), 'not-found')
    })

    test('of a sound store nothing is found, and nothing of it is repaired', async (t) => {
      const bench = await openBench(t, open)
      const id = await oldHand(bench)
      const gone = await bench.details(id)
      const kept = await withBelongings(bench)
      await bench.store.retention.purge([{ id, finishedAt: gone.finishedAt ?? 0 }])
      const { integrity } = bench.store
      const before = await dumpStore(bench.store)
      assert.deepEqual(await integrity.faults(), [])
      for (const belonging of BELONGINGS) {
        assert.deepEqual(await integrity.strays(belonging, { after: null, limit: 9 }), { strays: [], next: null })
        assert.equal(await integrity.dropStrays(belonging, []), 0)
      }
      assert.deepEqual(await integrity.repairJob(kept), [])
      assert.deepEqual(await integrity.repairJob(bench.runtime.uuid()), [])
      assert.equal(await integrity.repairFault({ code: 'table-missing', subject: 'x' }), false)
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('artifacts are listed page by page, with their files', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const made = ['a', 'b', 'c'].map((name) => bench.artifact({ name, path: name, sizeBytes: 7 }))
      for (const artifact of made) await bench.must(ARTIFACT, claim, {}, { artifact })
      const { integrity } = bench.store
      const first = await integrity.artifacts({ after: null, limit: 2 })
      const second = await integrity.artifacts({ after: first.next, limit: 2 })
      assert.deepEqual(
        [...first.artifacts, ...second.artifacts],
        made.map(({ id, path, sizeBytes, sha256 }) => ({ id, jobId: claim.jobId, path, sizeBytes, sha256 })),
      )
      assert.equal(second.next, null)
    })
  })
}

async function withBelongings(bench: Bench): Promise<string> {
  const { claim } = await bench.running({ type: 'other', policy: THREE_PHASES, labels: { a: 'b' }, key: 'k2' })
  await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact() })
  return claim.jobId
}
