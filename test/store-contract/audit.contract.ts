import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { FORCE_FAIL, FORCE_RESET } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import type { AuditRecord, NewAudit } from '../../src/store/audit.ts'
import { openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const ADMIN: Scope = { role: 'admin', tenant: 'acme' }
const ANN: Scope = { role: 'member', tenant: 'acme', user: 'ann' }
const OTHER: Scope = { role: 'admin', tenant: 'other' }

function auditOf(bench: Bench, changes: Partial<NewAudit> = {}): NewAudit {
  return { id: bench.runtime.uuid(), actor: 'ann', reason: 'stuck', detail: null, ...changes }
}

async function listed(bench: Bench, scope: Scope, jobId: string | null = null): Promise<readonly AuditRecord[]> {
  const { records } = await bench.store.audit.list({ scope, jobId, limit: 100, after: null })
  return records
}

export function auditContract(open: OpenStore): void {
  describe('the audit', () => {
    test('an act that applies is written down with whose it was, when and why', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ tenant: 'acme', owner: 'ann' })
      const audit = auditOf(bench, { reason: 'außer Kontrolle', detail: '{"was":"queued"}' })
      await bench.must(FORCE_FAIL, id, {}, { scope: ADMIN, audit })
      const at = await bench.store.now()
      const record = { ...audit, at, role: 'admin', tenant: 'acme', act: 'force-fail', jobId: id }
      assert.deepEqual(await listed(bench, OPERATOR), [record])
      const events = await bench.events(id)
      assert.equal(events.at(-1)?.at, record.at, 'it is of the same transaction as the event')
    })

    test('an act that is refused leaves no trace', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ tenant: 'acme', owner: 'ann' })
      const before = await dumpStore(bench.store)
      const values = { phase: 0, seenGeneration: 1, seenFence: 7 }
      for (const scope of [ANN, OTHER]) await bench.act(FORCE_FAIL, id, {}, { scope, audit: auditOf(bench) })
      await bench.act(FORCE_RESET, id, values, { audit: auditOf(bench) })
      await bench.act(FORCE_FAIL, bench.runtime.uuid(), {}, { audit: auditOf(bench) })
      assert.deepEqual(await listed(bench, OPERATOR), [])
      assert.deepEqual(await dumpStore(bench.store), before)
    })

    test('of several acts at once each that applies is written down, and no other', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({})
      const audits = ['ann', 'bob', 'cem'].map((actor) => auditOf(bench, { actor }))
      const results = await Promise.all(audits.map((audit) => bench.act(FORCE_FAIL, id, {}, { audit })))
      const winner = results.findIndex(({ applied }) => applied)
      assert.deepEqual(
        (await listed(bench, OPERATOR)).map(({ actor }) => actor),
        [audits[winner]?.actor],
      )
    })

    test('each scope reads that of its own tenant, and a member nothing', async (t) => {
      const bench = await openBench(t, open)
      const ids = [
        await bench.add({ tenant: 'acme', owner: 'ann' }),
        await bench.add({ tenant: 'other' }),
        await bench.add(),
      ]
      for (const id of ids) {
        bench.advance(1)
        await bench.must(FORCE_FAIL, id, {}, { audit: auditOf(bench) })
      }
      const [acme, other, none] = ids
      const cases: readonly (readonly [Scope, readonly (string | undefined)[]])[] = [
        [OPERATOR, [none, other, acme]],
        [ADMIN, [acme]],
        [OTHER, [other]],
        [{ role: 'admin', tenant: '' }, [none]],
        [{ role: 'admin', tenant: 'nobody' }, []],
        [ANN, []],
      ]
      for (const [scope, seen] of cases) {
        const records = await listed(bench, scope)
        assert.deepEqual(
          records.map(({ jobId }) => jobId),
          seen,
        )
        for (const id of ids) assert.equal((await listed(bench, scope, id)).length, seen.includes(id) ? 1 : 0)
      }
      assert.deepEqual(await listed(bench, OPERATOR, 'no id at all'), [])
    })

    test('it is read newest first, a page at a time, while it grows', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add({ tenant: 'acme' })
      const act = async (actor: string): Promise<void> => {
        await bench.renew(FORCE_RESET, id, 0, { scope: ADMIN, audit: auditOf(bench, { actor }) })
      }
      // Some of one instant, some of others.
      for (let number = 0; number < 5; number += 1) {
        await act(`${number}`)
        if (number % 2 === 0) bench.advance(1)
      }
      for (const [scope, jobId] of [
        [OPERATOR, null],
        [ADMIN, null],
        [ADMIN, id],
      ] as const) {
        const seen: string[] = []
        let after: string | null = null
        do {
          const page = await bench.store.audit.list({ scope, jobId, limit: 2, after })
          seen.push(...page.records.map(({ actor }) => actor))
          after = page.next
          if (seen.length === 2) await act('late')
        } while (after !== null)
        assert.deepEqual(seen.slice(-5), ['4', '3', '2', '1', '0'])
      }
      for (const after of ['', 'nonsense', '1-x', `-${id}`]) {
        const page = await bench.store.audit.list({ scope: OPERATOR, jobId: null, limit: 2, after })
        assert.deepEqual(page, { records: [], next: null }, 'a cursor that is none leads nowhere')
      }
    })
  })
}
