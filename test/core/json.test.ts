import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { canonicalJson, decodeJson } from '../../src/core/json.ts'
import type { Json } from '../../src/core/json.ts'

describe('the canonical text', () => {
  const rows: readonly (readonly [string, Json, string])[] = [
    ['of null', null, 'null'],
    ['of a text', 'a"b', '"a\\"b"'],
    ['of a number', 1e21, '1e+21'],
    ['of a list keeps its order', [3, 1, [2]], '[3,1,[2]]'],
    ['of an object sorts its keys, at every depth', { b: 1, a: { d: [], c: {} } }, '{"a":{"c":{},"d":[]},"b":1}'],
    ['sorts by code units, so that capitals come first', { a: 1, B: 2, 10: 3, 9: 4 }, '{"10":3,"9":4,"B":2,"a":1}'],
    ['keeps a key __proto__ as text', decodeJson('{"b":1,"__proto__":{"a":2}}'), '{"__proto__":{"a":2},"b":1}'],
  ]
  for (const [sentence, value, expected] of rows) {
    test(sentence, () => assert.equal(canonicalJson(value), expected))
  }

  test('is the same for two inputs that differ in the order of keys alone', () => {
    assert.equal(
      canonicalJson({ region: 'FRA', size: { w: 1, h: 2 } }),
      canonicalJson({ size: { h: 2, w: 1 }, region: 'FRA' }),
    )
    assert.notEqual(canonicalJson({ region: 'FRA' }), canonicalJson({ region: 'FRB' }))
    assert.notEqual(canonicalJson([1, 2]), canonicalJson([2, 1]))
  })
})

describe('decoding', () => {
  test('gives back the value of a text', () =>
    assert.deepEqual(decodeJson('{"a":[1,null,"x"]}'), { a: [1, null, 'x'] }))

  test('sets no prototype from a key __proto__', () => {
    const decoded = decodeJson('{"__proto__":{"admin":true}}')
    assert.equal(Object.getPrototypeOf(decoded), Object.prototype)
    assert.equal(Reflect.get({}, 'admin'), undefined)
  })

  test('throws on a damaged text', () => assert.throws(() => decodeJson('{"a":'), SyntaxError))
})
