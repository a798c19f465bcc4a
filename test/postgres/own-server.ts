/** What belongs to the whole server: databases and users of a test's own. */
import { randomUUID } from 'node:crypto'

import pg from 'pg'

import { postgresUrl } from '../support/postgres-server.ts'

function newName(): string {
  return `millrace_test_${randomUUID().replaceAll('-', '')}`
}

async function asAdmin(...statements: readonly string[]): Promise<void> {
  const client = new pg.Client(await postgresUrl())
  await client.connect()
  for (const sql of statements) await client.query(sql)
  await client.end()
}

export interface OnServer {
  readonly url: string
  /** Called when nobody uses it any more. */
  readonly drop: () => Promise<void>
}

/** An empty database. */
export async function newDatabase(): Promise<OnServer> {
  const name = newName()
  await asAdmin(`CREATE DATABASE ${name}`)
  const url = changed(await postgresUrl(), { pathname: `/${name}` })
  return { url, drop: () => asAdmin(`DROP DATABASE ${name} WITH (FORCE)`) }
}

/** A user who owns the schemas that are named, and may make none. */
export async function newUser(...schemas: readonly string[]): Promise<OnServer> {
  const username = newName()
  const password = randomUUID()
  await asAdmin(
    `CREATE ROLE ${username} LOGIN PASSWORD '${password}'`,
    ...schemas.map((schema) => `CREATE SCHEMA ${schema} AUTHORIZATION ${username}`),
  )
  const url = changed(await postgresUrl(), { username, password })
  return { url, drop: () => asAdmin(`DROP OWNED BY ${username} CASCADE`, `DROP ROLE ${username}`) }
}

export function changed(
  text: string,
  changes: Partial<Record<'pathname' | 'username' | 'password' | 'port', string>>,
): string {
  return Object.assign(new URL(text), changes).href
}
