import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { StandardSchemaV1 } from '@standard-schema/spec'
import { z } from 'zod'

import { InvalidInputError } from '../../src/core/errors.ts'
import { parseWith } from '../../src/core/schema.ts'
import type { Schema } from '../../src/core/schema.ts'

const where = { path: 'input', code: 'input-invalid' } as const

/** A schema that refuses everything with these issues. */
function refusing(issues: readonly StandardSchemaV1.Issue[]): Schema {
  return { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } }
}

async function refusalOf(schema: Schema, unparsed: unknown): Promise<InvalidInputError> {
  const refused: unknown = await parseWith(schema, unparsed, where).catch((error: unknown) => error)
  assert.ok(refused instanceof InvalidInputError, 'the schema has to refuse')
  return refused
}

describe('a value and its schema', () => {
  test('without a schema every value passes as it is', async () => {
    const unparsed = { region: 'FRA' }
    assert.equal(await parseWith(undefined, unparsed, where), unparsed)
  })

  test('what the schema gives back counts: defaults are filled in and texts are transformed', async () => {
    const schema = z.object({
      region: z.string().transform((text) => text.toUpperCase()),
      scale: z.number().default(2),
    })
    assert.deepEqual(await parseWith(schema, { region: 'fra' }, where), { region: 'FRA', scale: 2 })
  })

  test('a schema may take its time', async () => {
    const schema = z.string().refine(async (text) => Promise.resolve(text !== ''))
    assert.equal(await parseWith(schema, 'FRA', where), 'FRA')
    await assert.rejects(parseWith(schema, '', where), { code: 'input-invalid' })
  })

  test('a refusal names the place and the code', async () => {
    const schema = z.object({ pages: z.array(z.object({ body: z.string() })) })
    const refused = await refusalOf(schema, { pages: [{ body: 'a' }, { body: 7 }] })
    assert.equal(refused.code, 'input-invalid')
    assert.equal(refused.path, 'input.pages[1].body')
    assert.match(refused.message, /^input\.pages\[1\]\.body: expected what the schema accepts: .+\.$/)
  })

  test('a refusal says how many more there are, and its details hold them all', async () => {
    const refused = await refusalOf(
      refusing([{ message: 'one', path: ['a'] }, { message: 'two' }, { message: 'three' }]),
      {},
    )
    assert.equal(refused.expected, 'what the schema accepts: one (and 2 more)')
    assert.deepEqual(refused.details['issues'], [
      { path: 'input.a', message: 'one' },
      { path: 'input', message: 'two' },
      { path: 'input', message: 'three' },
    ])
  })

  test('a path may be made of keys, of numbers, of symbols, and of objects that hold a key', async () => {
    const path = [{ key: 'pages' }, { key: 3 }, Symbol('body'), 'text']
    const refused = await refusalOf(refusing([{ message: 'bad', path }]), {})
    assert.equal(refused.path, 'input.pages[3].Symbol(body).text')
  })

  test('a schema that refuses without saying why is taken at its word', async () => {
    const refused = await refusalOf(refusing([]), {})
    assert.equal(refused.path, 'input')
    assert.equal(refused.expected, 'what the schema accepts: a valid value')
    assert.deepEqual(refused.details['issues'], [])
  })
})
