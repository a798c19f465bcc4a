import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defineJob } from '../../src/client/define-job.ts'
import { decodePolicy, encodePolicy } from '../../src/store/policy-text.ts'

test('a policy from before there were expectations and locks is read as one that says nothing of them', () => {
  const { policy } = defineJob('map.export', { service: 'maps' })
  const { expect: _expect, lock: _lock, ...older } = JSON.parse(encodePolicy(policy)) as Record<string, unknown>
  assert.deepEqual(decodePolicy(JSON.stringify(older)), decodePolicy(encodePolicy(policy)))
})
