import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { decodeLockId, encodeLockId } from '../../src/core/lock-id.ts'

describe('the id of a lock', () => {
  test('is the claim, there and back', () => {
    for (const claim of [
      { holder: 1, fence: 1 },
      { holder: 2 ** 52 - 1, fence: 3 },
      { holder: Number.MAX_SAFE_INTEGER, fence: 999_999 },
    ]) {
      assert.deepEqual(decodeLockId(encodeLockId(claim)), claim)
    }
    assert.equal(encodeLockId({ holder: 46_655, fence: 7 }), 'lock_zzz_7')
  })

  for (const text of [
    '',
    'lock_',
    'lock_zzz',
    'lock_zzz_',
    'lock_zzz_0',
    'lock_zzz_07',
    'lock_zzz_-1',
    'lock_zzz_1.5',
    'lock_ZZZ_1',
    'lock_0zz_1',
    'lock__1',
    'lock_zzz_1 ',
    ' lock_zzz_1',
    'lock_zzz_1\n',
    'lock_zzzzzzzzzzz_1',
    'lock_zzzzzzzzzzzz_1',
    'lock_zzz_1234567890123456',
    '0199d1c8-0000-7000-8000-000000000001',
  ]) {
    test(`is not ${JSON.stringify(text)}`, () => assert.equal(decodeLockId(text), null))
  }
})
