import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { LIMITS } from '../../src/core/limits.ts'
import { CANCEL, CHECKPOINT, COMPLETE, COMPLETE_ONLY_PHASE, FAIL_FINAL, LOG } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { ONE_PHASE, openBench } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

/** Long and short, composed and decomposed, right to left, beyond the basic plane, and what a careless statement would trip over. */
const TEXTS: readonly string[] = [
  'plain',
  '',
  ' ',
  'O\'Brien "quoted" `ticked` \\back\\slash',
  '%_*?[a-z]{0}$1:name@p?1',
  'naïve café ÅÅ ñ',
  'Zürich 東京 القاهرة עברית ไทย',
  '👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿𝒳\u{10ffff}',
  'line\nbreak\r\ttab\u2028\u2029\u0001\u007f\ufeff',
  '-- ; DROP TABLE millrace_jobs',
]

export function textsContract(open: OpenStore): void {
  describe('texts', () => {
    test('every text of a job comes back as it was given', async (t) => {
      const bench = await openBench(t, open)
      for (const text of TEXTS) {
        const made = bench.job({
          type: `type ${text}`,
          queue: `queue ${text}`,
          policy: { ...ONE_PHASE, phases: [`phase ${text}`] },
          tenant: text,
          owner: text,
          labels: { [`label ${text}`]: text, [text]: '' },
          key: text,
          uniqueKey: text,
          input: JSON.stringify({ [text]: text }),
        })
        await bench.store.jobs.enqueue([made])
        const details = await bench.details(made.id)
        const { type, queue, tenant, owner, labels, key, uniqueKey, input, phaseNames } = details
        assert.deepEqual(
          { type, queue, tenant, owner, labels, key, uniqueKey, input, phaseNames },
          {
            type: made.type,
            queue: made.queue,
            tenant: text,
            owner: text,
            labels: made.labels,
            key: text,
            uniqueKey: text,
            input: made.input,
            phaseNames: made.policy.phases,
          },
        )
        const { jobs } = await bench.store.jobs.list({
          scope: OPERATOR,
          limit: 2,
          after: null,
          tenant: text,
          labels: made.labels,
        })
        assert.deepEqual(
          jobs.map(({ id }) => id),
          [made.id],
        )
      }
    })

    test('texts that differ only in case, accent form or trailing space are different keys, tenants and labels', async (t) => {
      const bench = await openBench(t, open)
      const alike = ['key', 'KEY', 'key ', 'ke\u0301y', 'k\u00e9y']
      const ids = []
      for (const text of alike)
        ids.push(await bench.add({ key: text, uniqueKey: text, tenant: 't', labels: { l: text } }))
      assert.equal(new Set(ids).size, alike.length)
      for (const [index, text] of alike.entries()) {
        const { jobs } = await bench.store.jobs.list({ scope: OPERATOR, limit: 9, after: null, labels: { l: text } })
        assert.deepEqual(
          jobs.map(({ id }) => id),
          [ids[index]],
        )
      }
    })

    test('a label called like a property of every object is a label like others', async (t) => {
      const bench = await openBench(t, open)
      const labels = { constructor: 'a', toString: 'b', hasOwnProperty: 'c' }
      const id = await bench.add({ labels })
      await bench.add()
      assert.deepEqual((await bench.details(id)).labels, labels)
      const { jobs } = await bench.store.jobs.list({
        scope: OPERATOR,
        limit: 9,
        after: null,
        labels: { toString: 'b' },
      })
      assert.deepEqual(
        jobs.map((job) => job.id),
        [id],
      )
    })

    test('the most labels that a job may have come back', async (t) => {
      const bench = await openBench(t, open)
      const entries = Array.from({ length: LIMITS.labels }, (_, index) => [
        `l${index}`.padEnd(LIMITS.nameCharacters, 'x'),
        `${index}`,
      ])
      const labels = Object.fromEntries(entries) as Record<string, string>
      assert.deepEqual((await bench.details(await bench.add({ labels }))).labels, labels)
    })

    test('inputs, results and outputs of every length up to the limit come back as they were given', async (t) => {
      const bench = await openBench(t, open)
      const policy = { ...ONE_PHASE, phases: ['one', 'two'] }
      const holder = await bench.session()
      for (const length of [3, 100, 249, 250, 251, 252, 1_000, 4_096, 65_536, LIMITS.inputBytes]) {
        const text = JSON.stringify('x'.repeat(length - 2))
        const one = await bench.add({ input: text })
        const claimed = await bench.take(holder)
        assert.equal(claimed.input, text)
        await bench.must(COMPLETE_ONLY_PHASE, claimed.claim, { output: text })
        const two = await bench.add({ input: text, type: 'two', policy })
        const { claim } = await bench.take(holder, ['two'])
        for (const half of [0, 1])
          await bench.must(CHECKPOINT, claim, { progress: 50 * half }, { result: text, detail: null })
        await bench.must(COMPLETE, claim)
        for (const id of [one, two]) {
          const { input, output } = await bench.details(id)
          assert.ok(input === text && output === text, `${length} characters`)
        }
        assert.deepEqual(
          (await bench.details(two)).phases.map(({ result }) => result === text),
          [true, true],
        )
      }
    })

    test('reasons, details and errors come back as they were given', async (t) => {
      const bench = await openBench(t, open)
      for (const text of TEXTS) {
        const cancelled = await bench.add()
        await bench.must(CANCEL, cancelled, { actor: text, reason: text })
        const { cancelledBy, cancelReason } = await bench.details(cancelled)
        assert.deepEqual({ cancelledBy, cancelReason }, { cancelledBy: text, cancelReason: text })
        const { claim } = await bench.running()
        const detail = JSON.stringify({ level: 'info', message: text })
        const error = JSON.stringify({ name: 'Error', message: text })
        await bench.must(LOG, claim, {}, { detail })
        await bench.must(FAIL_FINAL, claim, {}, { detail, error })
        const events = await bench.events(claim.jobId)
        assert.deepEqual(
          events.slice(2).map((event) => event.detail),
          [detail, detail],
        )
        assert.equal((await bench.details(claim.jobId)).attempts[0]?.error, error)
      }
    })

    test('a null reason and no actor at all are remembered as such', async (t) => {
      const bench = await openBench(t, open)
      const id = await bench.add()
      await bench.must(CANCEL, id, {})
      const { cancelledBy, cancelReason } = await bench.details(id)
      assert.deepEqual({ cancelledBy, cancelReason }, { cancelledBy: 'system', cancelReason: null })
    })
  })
}
