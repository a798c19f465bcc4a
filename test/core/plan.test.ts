import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { isRefusal } from '../../src/core/plan.ts'

describe('cases of a plan', () => {
  test('a case that refuses is told from one that applies', () => {
    assert.equal(isRefusal({ when: ['final'], refuse: 'final' }), true)
    assert.equal(isRefusal({ when: [], set: {} }), false)
  })
})
