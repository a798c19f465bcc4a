import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import * as fc from 'fast-check'
import { encodeJson } from '../../src/core/encode-json.ts'
import { InvalidInputError } from '../../src/core/errors.ts'
import { decodeJson } from '../../src/core/json.ts'

const limits = { path: 'input', limitBytes: 1_000 }

class Book {
  title = 'Emma'
}

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level += 1) value = [value]
  return value
}

function refusalOf(value: unknown, limitBytes: number = 1_000): InvalidInputError {
  try {
    encodeJson(value, { path: 'input', limitBytes })
  } catch (error) {
    assert.ok(error instanceof InvalidInputError)
    return error
  }
  return assert.fail('was accepted')
}

describe('a value is encoded', () => {
  const foreign: unknown = runInNewContext('({ a: [1, { b: 2 }] })')
  const bare: unknown = Object.assign(Object.create(null), { a: 1 })
  const rows: readonly (readonly [string, unknown, string])[] = [
    ['null', null, 'null'],
    ['a text with an emoji', 'Zoë 🦊', '"Zoë 🦊"'],
    ['a boolean', false, 'false'],
    ['a number', -1.5e-7, '-1.5e-7'],
    ['a nested value', { a: [1, { b: null }], c: '' }, '{"a":[1,{"b":null}],"c":""}'],
    ['a property that is undefined is left out', { a: undefined, b: 1 }, '{"b":1}'],
    ['an object without a prototype', bare, '{"a":1}'],
    ['an object of another realm', foreign, '{"a":[1,{"b":2}]}'],
    ['negative zero becomes zero', [-0], '[0]'],
    ['200 levels', nested(200), `${'['.repeat(200)}1${']'.repeat(200)}`],
  ]
  for (const [sentence, value, expected] of rows) {
    test(sentence, () => assert.equal(encodeJson(value, limits), expected))
  }

  test('the same object twice, which is no cycle', () => {
    const shared = { a: 1 }
    assert.equal(encodeJson([shared, shared], limits), '[{"a":1},{"a":1}]')
  })

  test('whatever JSON can hold comes back as it was', () => {
    const options = { path: 'input', limitBytes: 1e6 }
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        const text = JSON.stringify(value)
        fc.pre(!text.includes('__proto__') && !text.includes('\\u0000'))
        assert.equal(encodeJson(value, options), text)
        assert.deepEqual(decodeJson(encodeJson(value, options)), JSON.parse(text))
      }),
      { numRuns: 200 },
    )
  })
})

describe('a value is refused, with its exact path', () => {
  const bare: object = Object.freeze({ __proto__: null })
  const cycle: Record<string, unknown> = { name: 'loop' }
  cycle['self'] = [cycle]
  const anonymous: unknown = new (class {
    title = 'Emma'
  })()
  const rows: readonly (readonly [string, unknown, string, string, RegExp])[] = [
    ['undefined', undefined, 'input', 'undefined', /null says that there is none/],
    ['undefined in a list', { a: [1, undefined] }, 'input.a[1]', 'undefined', /null/],
    ['a hole in a list', Array<unknown>(1), 'input[0]', 'undefined', /null/],
    ['a function', { run: () => 1 }, 'input.run', 'a function', /a JSON value/],
    ['a toJSON of its own', { toJSON: () => 1 }, 'input.toJSON', 'a function', /a JSON value/],
    ['a symbol', [Symbol('x')], 'input[0]', 'a symbol', /a JSON value/],
    ['a bigint', { id: 1n }, 'input.id', 'a bigint', /as a string/],
    ['NaN', { x: Number.NaN }, 'input.x', 'NaN', /finite number/],
    ['Infinity', [[-Infinity]], 'input[0][0]', '-Infinity', /finite number/],
    ['a date', { at: new Date(0) }, 'input.at', 'an instance of Date', /toISOString/],
    ['a map', new Map(), 'input', 'an instance of Map', /Object.fromEntries/],
    ['a set', new Set(), 'input', 'an instance of Set', /an array/],
    ['a promise', { page: Promise.resolve(1) }, 'input.page', 'an instance of Promise', /awaited/],
    ['an instance', { book: new Book() }, 'input.book', 'an instance of Book', /plain object/],
    ['an instance of a class without a name', anonymous, 'input', 'an instance of a class', /plain object/],
    ['an object that inherits', Object.create({ a: 1 }), 'input', 'an instance of Object', /plain object/],
    [
      'an object that inherits from one without a prototype',
      Object.create(bare),
      'input',
      'an instance of a class',
      /plain object/,
    ],
    [
      'an object that inherits from a function',
      Object.create(() => 1),
      'input',
      'an instance of Function',
      /plain object/,
    ],
    [
      'bytes',
      { pages: [0, 0, 0, { body: new Uint8Array(2) }] },
      'input.pages[3].body',
      'bytes (Uint8Array)',
      /artifacts/,
    ],
    ['a Buffer', Buffer.from('x'), 'input', 'bytes (Buffer)', /artifacts/],
    ['an ArrayBuffer', new ArrayBuffer(1), 'input', 'bytes (ArrayBuffer)', /artifacts/],
    ['a cycle', cycle, 'input.self[0]', 'a cycle', /contain itself/],
    ['201 levels', { a: nested(200) }, `input.a${'[0]'.repeat(199)}`, 'a deeper one', /at most 200 levels/],
    ['a NUL', { a: 'x\0' }, 'input.a', 'a NUL character', /without NUL/],
    ['a lone surrogate', ['\ud800'], 'input[0]', 'a lone surrogate', /well-formed/],
    ['a NUL in a key', { 'a\0': 1 }, 'input["a\\u0000"]', 'a NUL character', /without NUL/],
    ['a lone surrogate in a key', { '\udc00': 1 }, 'input["\\udc00"]', 'a lone surrogate', /well-formed/],
    [
      'a key __proto__',
      JSON.parse('{"a":{"__proto__":{"admin":true}}}'),
      'input.a.__proto__',
      'the key __proto__',
      /another name/,
    ],
    ['something under an odd key', { 'two words': 1n }, 'input["two words"]', 'a bigint', /string/],
    ['something under a long key', { ['k'.repeat(300)]: 1n }, `input["${'k'.repeat(100)}"]`, 'a bigint', /string/],
  ]
  for (const [what, value, path, received, expected] of rows) {
    test(what, () => {
      const error = refusalOf(value)
      assert.equal(error.path, path)
      assert.equal(error.details['received'], received)
      assert.match(error.expected, expected)
      assert.equal(error.code, 'json-invalid')
    })
  }
})

describe('the size of the text in UTF-8', () => {
  const rows: readonly (readonly [string, string, number])[] = [
    ['of ASCII', 'a'.repeat(8), 10],
    ['of two-byte characters', 'é'.repeat(4), 10],
    ['of three-byte characters', '中'.repeat(4), 14],
    ['of four-byte characters', '🦊🦊', 10],
    ['of an escaped line break', '\n\n', 6],
  ]
  for (const [sentence, value, bytes] of rows) {
    test(`${sentence} is counted to the byte`, () => {
      assert.equal(Buffer.byteLength(JSON.stringify(value)), bytes)
      assert.equal(encodeJson(value, { path: 'input', limitBytes: bytes }), JSON.stringify(value))
      const error = refusalOf(value, bytes - 1)
      assert.equal(error.code, 'too-large')
      assert.match(error.message, new RegExp(`^input: expected at most ${bytes - 1} bytes`))
    })
  }

  test('is refused early when a small value unfolds into an enormous one', () => {
    let lists: unknown = [1]
    let objects: unknown = { a: 1 }
    for (let level = 0; level < 60; level += 1) {
      lists = [lists, lists]
      objects = { a: objects, b: objects }
    }
    assert.equal(refusalOf(lists).code, 'too-large')
    assert.equal(refusalOf(objects).code, 'too-large')
  })

  test('is not overestimated for the shortest values', () => {
    for (const value of [[], {}, [1, 2, 3], { a: 1, b: '' }, [[], {}]]) {
      const text = JSON.stringify(value)
      assert.equal(encodeJson(value, { path: 'input', limitBytes: text.length }), text)
    }
  })
})
