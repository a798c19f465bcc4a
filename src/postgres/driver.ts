/** The one file that knows the driver (`pg`): its connections, its rows, its errors. It is loaded only when a store is opened on it. */
import { MillraceError } from '../core/errors.ts'
import type { Sockets } from './sockets.ts'

export type PgValue = string | number | bigint | boolean | null | Uint8Array | readonly PgValue[]
export type Row = Readonly<Record<string, unknown>>

/** Runs a statement: in a transaction, by itself, or on a connection of the application's. */
export type RunRows = (sql: string, ...values: readonly PgValue[]) => Promise<readonly Row[]>

/** Statements as the driver takes them. */
interface DriverQuery {
  readonly text: string
  readonly values?: readonly PgValue[]
  readonly name?: string
  readonly rowMode?: 'array'
  readonly types?: typeof PLAIN_TYPES
}

interface DriverResult {
  readonly rows: readonly unknown[]
  readonly command: string
}

/** A connection, as far as Millrace uses it. */
export interface PgClient {
  /** Whether it sends statements without waiting for the answers of those before. */
  readonly pipeline?: boolean
  query(query: DriverQuery | string): Promise<DriverResult>
  on(event: 'notification', listener: (message: PgNotification) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

interface PgNotification {
  readonly channel: string
  readonly payload?: string
}

export interface PooledClient extends PgClient {
  /** With an error: the connection is not used again. */
  release(error?: Error | boolean): void
}

export interface LoneClient extends PgClient {
  /** Whether the connection keeps the process alive. */
  ref(): void
  unref(): void
  connect(): Promise<unknown>
  end(): Promise<void>
}

/** A pool of connections: `pg.Pool`, or whatever behaves like one. */
export interface PgPool {
  connect(): Promise<PooledClient>
  end(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'connect', listener: (client: PgClient) => void): unknown
}

interface Driver {
  readonly Pool: new (config: object) => PgPool
  readonly Client: new (config: object) => LoneClient
}

/** @throws MillraceError `driver-missing` */
async function loadDriver(): Promise<Driver> {
  try {
    const loaded = (await import('pg')) as unknown as Driver & { readonly default?: Driver }
    return loaded.default ?? loaded
  } catch (cause) {
    throw new MillraceError(
      'driver-missing',
      'A store on PostgreSQL needs the driver "pg", which could not be loaded. Install it: npm install pg',
      { cause },
    )
  }
}

export interface ConnectionOptions {
  readonly url: string
  /** A statement whose answer takes longer has lost its connection. */
  readonly answerWithinMs: number
  /** Where its sockets come from. Default: the driver makes them. */
  readonly sockets?: Sockets
}

const CONNECT_WITHIN_MS = 10_000

function configOf({ url, answerWithinMs, sockets }: ConnectionOptions): object {
  return {
    ...(sockets === undefined ? {} : { stream: () => sockets.make() }),
    connectionString: url,
    application_name: 'millrace',
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    connectionTimeoutMillis: Math.min(CONNECT_WITHIN_MS, answerWithinMs),
    query_timeout: answerWithinMs,
    // Statements are sent without waiting for the answers of those before.
    pipeline: true,
  }
}

export interface PoolOptions extends ConnectionOptions {
  readonly most: number
  /** Made once for each connection. */
  readonly settings: readonly string[]
}

export async function openPool(options: PoolOptions): Promise<PgPool> {
  const { Pool } = await loadDriver()
  const pool = new Pool({ ...configOf(options), max: options.most, idleTimeoutMillis: 60_000, allowExitOnIdle: true })
  // A connection that breaks while nobody uses it is replaced by the next that is asked for.
  pool.on('error', () => undefined)
  if (options.settings.length > 0) {
    const script = options.settings.map((one) => `SET ${one}`).join('; ')
    // Sent before whatever it is asked for; should it fail, that will too.
    pool.on('connect', (client) => void client.query(script).catch(() => undefined))
  }
  return pool
}

export async function openLoneClient(options: ConnectionOptions): Promise<LoneClient> {
  const { Client } = await loadDriver()
  const client = new Client(configOf(options))
  client.on('error', () => undefined)
  await client.connect()
  client.unref()
  return client
}

const INT8 = 20

/** Whatever the pool was told about its rows: 64-bit integers are numbers here, since none of ours has more than 53 bits. */
const PLAIN_TYPES = {
  getTypeParser(type: number): (text: string) => unknown {
    return PARSERS.get(type) ?? keepText
  },
}

function keepText(text: string): string {
  return text
}

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [INT8, Number],
  [21, Number],
  [23, Number],
  [700, Number],
  [701, Number],
  [16, (text: string) => text === 't'],
  [17, (text: string) => Buffer.from(text.slice(2), 'hex')],
])

/** Lists as PostgreSQL reads them. The driver can do so too, but looks at each item more closely than ours need. */
function asText(value: PgValue): PgValue {
  return Array.isArray(value) ? `{${value.map(itemText).join(',')}}` : value
}

function itemText(item: PgValue): string {
  if (item === null) return 'NULL'
  if (typeof item !== 'string') return String(item)
  if (PLAIN_ITEM.test(item)) return item
  return TO_ESCAPE.test(item) ? `"${item.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"` : `"${item}"`
}

/** Numbers and ids; the word NULL is not among them. */
const PLAIN_ITEM = /^[0-9a-f][0-9a-f-]*$/
const TO_ESCAPE = /[\\"]/

const names = new Map<string, string>()

/** A statement of one text is parsed once by each connection. */
function nameOf(sql: string): string {
  const known = names.get(sql)
  if (known !== undefined) return known
  const name = `millrace_${names.size + 1}`
  names.set(sql, name)
  return name
}

/** What was sent last on connections of an application's, which take one statement at a time. */
const underWay = new WeakMap<PgClient, Promise<unknown>>()

/** Sends a statement: at once, or, where the connection has no pipeline, when those before it have been answered. */
export function send(client: PgClient, query: DriverQuery | string): Promise<DriverResult> {
  if (client.pipeline === true) return client.query(query)
  const sent = (underWay.get(client) ?? Promise.resolve()).then(() => client.query(query))
  underWay.set(
    client,
    sent.catch(() => undefined),
  )
  return sent
}

export interface RunOptions {
  /** Prepared once for each connection. Not through a pooler that hands out connections transaction by transaction. */
  readonly prepared: boolean
}

export async function rowsOf(
  client: PgClient,
  sql: string,
  values: readonly PgValue[],
  { prepared }: RunOptions,
): Promise<readonly Row[]> {
  const query = {
    text: sql,
    values: values.map(asText),
    types: PLAIN_TYPES,
    ...(prepared ? { name: nameOf(sql) } : {}),
  }
  return (await send(client, query)).rows as readonly Row[]
}

/** The rows as lists of their columns. */
export async function listsOf(
  client: PgClient,
  sql: string,
  values: readonly PgValue[],
  { prepared }: RunOptions,
): Promise<readonly (readonly unknown[])[]> {
  const query = { text: sql, values: values.map(asText), types: PLAIN_TYPES, rowMode: 'array' as const }
  const { rows } = await send(client, prepared ? { ...query, name: nameOf(sql) } : query)
  return rows as readonly (readonly unknown[])[]
}

/** False: the transaction had failed, and the server rolled it back instead. */
export async function commit(client: PgClient): Promise<boolean> {
  return (await send(client, 'COMMIT')).command === 'COMMIT'
}
