import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { describe, test } from 'node:test'

import { MillraceError } from '../../src/core/errors.ts'
import { openPostgresStore } from '../../src/postgres/open.ts'
import type { PostgresOptions } from '../../src/postgres/open.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { newSchemaName } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { within } from '../support/wait-for-event.ts'
import { changed } from './own-server.ts'

const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }
const PASSWORD = 'a-secret-of-the-test'

function open(options: Partial<PostgresOptions>): Promise<unknown> {
  return openPostgresStore({
    schema: newSchemaName(),
    runtime: systemRuntime(),
    logger,
    artifactFolder: tmpdir(),
    ...options,
  })
}

/** A port on which nobody listens. */
async function deadPort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => {
    server.close(resolve)
  })
  return String(port)
}

const UNREACHABLE: Readonly<Record<string, () => Promise<string>>> = {
  'a port on which nobody listens': async () => {
    const [url, port] = [await postgresUrl(), await deadPort()]
    return changed(url, { port, password: PASSWORD })
  },
  'a host that nobody knows': () => Promise.resolve(`postgres://ann:${PASSWORD}@no-such-host.invalid:5432/shop`),
  'a wrong password': async () => changed(await postgresUrl(), { password: PASSWORD }),
  'a user that is not there': async () => changed(await postgresUrl(), { username: 'nobody', password: PASSWORD }),
  'a database that is not there': async () => changed(await postgresUrl(), { pathname: '/no_such_database' }),
}

describe('a store is not opened, and says so at once without its password, with', () => {
  for (const [what, urlOf] of Object.entries(UNREACHABLE)) {
    test(what, async () => {
      const url = await urlOf()
      const refused = await within(
        'a refusal',
        open({ url }).catch((error: unknown) => error),
      )
      assert.ok(refused instanceof MillraceError)
      assert.equal(refused.code, 'store-unreachable')
      const { password, host, pathname } = new URL(url)
      assert.equal(refused.details['store'], `postgres://${host}${pathname}`)
      const told = JSON.stringify([refused.message, refused.details, String(refused.cause), refused.stack])
      assert.ok(!told.includes(password), told)
    })
  }
})

const BAD_URLS = ['', 'shop', 'http://127.0.0.1/shop', 'postgres://ann:pass word@:x/shop']
const BAD_SCHEMAS = ['', 'Shop', 'my-shop', '1st', 'pg_shop', 'sh"op', 'shop.jobs', 'läden', 's'.repeat(64)]
const BAD_POOLS: readonly object[] = [{}, { connect: true }, { connect: () => undefined }, new Map()]

describe('a caller who is mistaken is told', () => {
  test('that a URL is none', async () => {
    for (const url of BAD_URLS) await assert.rejects(open({ url }), { code: 'url-invalid' }, url)
  })

  test('that a schema can’t be called that', async () => {
    const url = await postgresUrl()
    for (const schema of BAD_SCHEMAS) await assert.rejects(open({ url, schema }), { code: 'option-invalid' }, schema)
  })

  test('that a pool is none', async () => {
    for (const pool of BAD_POOLS)
      await assert.rejects(open({ pool }), { code: 'option-invalid', message: /a Pool of "pg"/ })
  })
})
