/** Any value at all, of any type, at the doors that take the most of them: it is kept as it was or refused by name. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import * as fc from 'fast-check'

import { InvalidInputError } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { scaled } from '../support/scale.ts'
import { order } from './bad-enqueues.ts'

describe('any value at all', () => {
  const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true })

  test('as an input is either kept as it was, or refused with nothing changed', async (context) => {
    const { mill } = await openTestMill(context)
    let stored = 0
    await fc.assert(
      fc.asyncProperty(anything, async (input) => {
        const enqueued = await mill.enqueue(order, input).catch((error: unknown) => error)
        if (enqueued instanceof Error) {
          assert.ok(enqueued instanceof InvalidInputError, String(enqueued))
          assert.match(enqueued.path, /^input/)
          return
        }
        stored += 1
        const { job } = enqueued as Awaited<ReturnType<typeof mill.enqueue<typeof order>>>
        assert.deepEqual((await mill.get(job)).input, JSON.parse(JSON.stringify(input ?? null)))
      }),
      { numRuns: scaled(300) },
    )
    assert.equal((await mill.counts()).queued, stored, 'what was refused has left nothing')
  })

  test('as any option of enqueue is taken or refused, and never a surprise', async (context) => {
    const { mill } = await openTestMill(context)
    const name = fc.constantFrom('tenant', 'owner', 'labels', 'priority', 'delay', 'runAt', 'key', 'unique', 'queue')
    let stored = 0
    await fc.assert(
      fc.asyncProperty(name, anything, async (option, value) => {
        const enqueued = await mill.enqueue(order, null, { [option]: value }).catch((error: unknown) => error)
        if (enqueued instanceof Error) {
          assert.ok(enqueued instanceof InvalidInputError, `${option}: ${String(enqueued)}`)
          assert.ok(enqueued.path.startsWith(option), enqueued.path)
          return
        }
        const { outcome } = enqueued as { readonly outcome: string }
        if (outcome === 'created') stored += 1
      }),
      { numRuns: scaled(300) },
    )
    const { queued, scheduled } = await mill.counts()
    assert.equal(queued + scheduled, stored)
  })
})
