/**
 * The PostgreSQL server that all runs share: the one that BENCH_DATABASE_URL names, or one that is started here with its defaults. Every run
 * has a database of its own on it, which is gone after the run. Its default durability is the condition: what was answered is on the disk.
 */
import { basename, join } from 'node:path'
import { Part } from '../channel.ts'
import type { Contender, Host } from './contender.ts'
import { checkpoint, databaseBytes, withClient } from './postgres-client.ts'
import type { Started } from './postgres-host.ts'

const HOST = join(import.meta.dirname, 'postgres-host.ts')
/** Any of these off, and a power cut takes what was answered. */
const DURABLE = ['fsync', 'synchronous_commit', 'full_page_writes'] as const

export interface PostgresServer {
  readonly url: string
  readonly version: string
  stop(): Promise<void>
}

let shared: Promise<PostgresServer> | null = null

/** Started by the first who asks. */
export function postgresServer(): Promise<PostgresServer> {
  shared ??= openServer()
  return shared
}

export async function stopPostgresServer(): Promise<void> {
  const known = shared
  shared = null
  // One that did not start has stopped.
  const server = await known?.catch(() => null)
  await server?.stop()
}

type PostgresStore = Pick<Contender, 'durable' | 'durability' | 'bytesOf' | 'unavailable' | 'host' | 'bytes'>

/** What all contenders share that keep their jobs in PostgreSQL; `install` makes the tables and whatever else has to be there. */
export function inPostgres(install: (url: string) => Promise<void>): PostgresStore {
  return {
    durable: true,
    durability: 'nothing (PostgreSQL, synchronous_commit on)',
    bytesOf: 'disk',
    unavailable: postgresUnavailable,
    host: (folder) => hostDatabase(folder, install),
    bytes: ({ address }) => databaseBytes(address),
  }
}

/** Why there is none; null: there is one. */
async function postgresUnavailable(): Promise<string | null> {
  try {
    await postgresServer()
    return null
  } catch (error) {
    const given = process.env['BENCH_DATABASE_URL'] === undefined ? '' : 'the server of BENCH_DATABASE_URL: '
    return `${given}${reasonOf(error)}`
  }
}

/** Of one host name with several addresses, none of which answered, there is no message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return reasonOf(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}

async function openServer(): Promise<PostgresServer> {
  const given = process.env['BENCH_DATABASE_URL']
  if (given !== undefined) return { url: given, version: await checkedVersion(given), stop: async () => undefined }
  const host = new Part(HOST, [], true)
  const { url, said } = await host.hear<Started>('started')
  if (url === null) throw new Error(`PostgreSQL did not start: ${said}`)
  return {
    url,
    version: await checkedVersion(url),
    async stop() {
      host.tell('stop')
      await host.ended()
    },
  }
}

async function checkedVersion(url: string): Promise<string> {
  return withClient(url, async (client) => {
    for (const name of DURABLE) {
      const { rows } = await client.query<Record<string, string>>(`SHOW ${name}`)
      if (rows[0]?.[name] !== 'on')
        throw new Error(`${name} is ${rows[0]?.[name]}, so it does not keep what it has answered`)
    }
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version')
    return rows[0]?.server_version ?? 'unknown'
  })
}

async function hostDatabase(folder: string, install: (url: string) => Promise<void>): Promise<Host> {
  const { url } = await postgresServer()
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '_')
  await withClient(url, (client) => client.query(`CREATE DATABASE ${name}`))
  const address = Object.assign(new URL(url), { pathname: `/${name}` }).href
  await install(address)
  await withClient(address, checkpoint)
  return {
    place: { folder, address, emptyBytes: await databaseBytes(address) },
    // Of a run that was ended, somebody may still be connected.
    stop: async () =>
      void (await withClient(url, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))),
  }
}
