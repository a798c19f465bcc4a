import assert from 'node:assert/strict'
import { test } from 'node:test'

import { COMPLETE_ONLY_PHASE, RETRY } from '../../src/core/plans.ts'
import { openSqlite } from './sqlite-bench.ts'

test('an output comes back as it was given, on whichever side of the border of the row it falls', async (t) => {
  const b = await openSqlite(t)
  for (const length of [1, 248, 249, 250, 251, 300, 100_000]) {
    const { claim } = await b.running()
    const output = JSON.stringify('ü'.repeat(length))
    await b.must(COMPLETE_ONLY_PHASE, claim, { output })
    assert.equal((await b.details(claim.jobId)).output, output, `${length} characters`)
  }
})

test('a long output of an earlier generation does not show through a short one', async (t) => {
  const b = await openSqlite(t)
  const { claim } = await b.running()
  await b.must(COMPLETE_ONLY_PHASE, claim, { output: JSON.stringify('x'.repeat(1_000)) })
  await b.renew(RETRY, claim.jobId)
  assert.equal((await b.details(claim.jobId)).output, null)
  const again = await b.take(await b.session())
  await b.must(COMPLETE_ONLY_PHASE, again.claim, { output: '"short"' })
  assert.equal((await b.details(claim.jobId)).output, '"short"')
})
