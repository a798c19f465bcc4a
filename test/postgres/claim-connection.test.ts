import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ClaimConnection } from '../../src/postgres/claim-connection.ts'
import type { PgPool } from '../../src/postgres/driver.ts'

test('one claim at a time has the connection, whatever becomes of it, and one beside it goes elsewhere', async () => {
  const pool = {} as PgPool
  const connection = new ClaimConnection(pool)
  const asked = (): Promise<PgPool | undefined> => connection.within((given) => Promise.resolve(given))
  assert.equal(await asked(), pool)
  const beside = await connection.within(async (given) => [given, await asked()])
  assert.deepEqual(beside, [pool, undefined])
  await assert.rejects(connection.within(() => Promise.reject(new RangeError('lost'))))
  assert.equal(await asked(), pool)
})

test('where there is none, all go elsewhere', async () => {
  const given = await new ClaimConnection(undefined).within((pool) => Promise.resolve(pool))
  assert.equal(given, undefined)
})
