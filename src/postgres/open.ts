/** The door of the PostgreSQL store. */
import { resolve } from 'node:path'
import { InvalidInputError, MillraceError } from '../core/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { findThreadFile } from '../runtime/package-files.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { systemRuntime } from '../runtime/system-runtime.ts'
import type { Store } from '../store/store.ts'
import { Database } from './database.ts'
import { openLoneClient, openPool } from './driver.ts'
import type { PgPool } from './driver.ts'
import { storeError } from './failures.ts'
import { FILES } from './files.ts'
import { LoopKeeper, ThreadKeeper, VirtualKeeper } from './keeper.ts'
import type { Keeper } from './keeper.ts'
import { DEFAULT_SCHEMA, checkSchema, describeUrl } from './location.ts'
import { migrate, missingMigrations, outdated } from './migrate.ts'
import { Names } from './names.ts'
import { Notices } from './notices.ts'
import type { Listening } from './notices.ts'
import { PostgresStore } from './postgres-store.ts'

export interface PostgresOptions {
  /** `postgres://user:password@host:5432/database`. */
  readonly url?: string
  /** A ready-made pool of `pg` instead of a URL. */
  readonly pool?: object
  /** Where the tables are. Default `millrace`. */
  readonly schema?: string
  readonly runtime: Runtime
  readonly logger: Logger
  /** `normal`: a crash of the server may lose the last commits. Default `full`: it doesn't. */
  readonly durability?: 'full' | 'normal'
  /** Where artifacts go. Default: `millrace-artifacts` in the working folder. */
  readonly artifactFolder?: string
  /** False: a schema that lacks migrations is refused. Default true: they are applied. */
  readonly migrate?: boolean
  /** True: between this process and the server is a pooler that hands out connections transaction by transaction. Default false. */
  readonly pooler?: boolean
  /** Connections for statements, besides one to listen and one for the beats. Default 6. */
  readonly connections?: number
  /** Where the thread's file is, if it is not found by itself. */
  readonly threadFile?: string | URL
  /** A statement that takes longer has failed. Default 15 s. */
  readonly statementTimeoutMs?: number
  /** A virtual clock: eight bytes, a BigInt64 of epoch milliseconds. */
  readonly clock?: SharedArrayBuffer
}

const CONNECTIONS = 6
const STATEMENT_TIMEOUT_MS = 15_000
const PATIENCE_MS = 30_000
/** The server ends a statement first; without an answer beyond that, there is no server at the other end. */
const ANSWER_GRACE_MS = 2_000
const OLDEST_SERVER = 140_000

interface Place {
  readonly where: string
  readonly schema: string
  readonly answerWithinMs: number
}

/** Opens the store, making or migrating its tables. Errors: url-invalid, driver-missing, store-unreachable, store-newer, store-outdated, … */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  const { url, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options
  const where = url === undefined ? 'the given pool' : describeUrl(url)
  const schema = checkSchema(options.schema ?? DEFAULT_SCHEMA)
  const place: Place = { where, schema, answerWithinMs: statementTimeoutMs + ANSWER_GRACE_MS }
  const { pool, closePool } = await poolOf(options, place.answerWithinMs)
  try {
    return await openOn(pool, closePool, options, place)
  } catch (error) {
    await closePool().catch(() => undefined)
    throw storeError(error, where)
  }
}

interface OwnedPool {
  readonly pool: PgPool
  readonly closePool: () => Promise<void>
}

async function poolOf({ url, pool, connections }: PostgresOptions, answerWithinMs: number): Promise<OwnedPool> {
  if (url !== undefined) {
    const own = await openPool({ url, answerWithinMs, most: connections ?? CONNECTIONS })
    return { pool: own, closePool: () => own.end() }
  }
  const given: Partial<PgPool> | undefined = pool
  if (typeof given?.connect !== 'function' || typeof given.on !== 'function') {
    throw new InvalidInputError({ path: 'pool', expected: 'a Pool of "pg"' })
  }
  return { pool: given as PgPool, closePool: () => Promise.resolve() }
}

async function openOn(
  pool: PgPool,
  closePool: () => Promise<void>,
  options: PostgresOptions,
  { where, schema, answerWithinMs }: Place,
): Promise<Store> {
  const { logger, durability = 'full', pooler = false, clock, url, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options
  const runtime = systemRuntime()
  const shared = { pool, schema, where, runtime, clock: clockOf(clock), prepared: !pooler, statementTimeoutMs }
  const first = new Database({ ...shared, synchronousCommit: null, patienceMs: 0 })
  const server = await inspectServer(first)
  const { storeId } = await prepareSchema(first, options)
  const synchronousCommit = settingOf(durability, server.synchronousCommit)
  const db = new Database({ ...shared, synchronousCommit, patienceMs: PATIENCE_MS })
  const kept = `synchronous_commit ${synchronousCommit ?? server.synchronousCommit}`
  const store = new PostgresStore({
    db,
    names: new Names(db.rows),
    logger,
    description: `${where} (PostgreSQL ${server.version}, schema ${schema}, ${kept})`,
    storeId,
    artifactFolder: options.artifactFolder ?? resolve('millrace-artifacts'),
    closePool,
  })
  const onLost = (holder: number): void => store.sessionLost(holder)
  const notices = new Notices({
    schema,
    runtime,
    listens: !pooler,
    onChange: () => store.changed(),
    connect: () => connectListener(pool, url, answerWithinMs),
  })
  await notices.open()
  store.connect(openKeeper(), notices)
  return store

  function openKeeper(): Keeper {
    if (clock !== undefined) return new VirtualKeeper(db, onLost)
    if (url === undefined) return new LoopKeeper(db, runtime, onLost)
    const threadFile = findThreadFile(FILES, options.threadFile)
    return new ThreadKeeper(threadFile, { url, schema, prepared: !pooler, answerWithinMs }, onLost)
  }
}

function clockOf(clock: SharedArrayBuffer | undefined): (() => number) | null {
  if (clock === undefined) return null
  const view = new BigInt64Array(clock)
  return () => Number(Atomics.load(view, 0))
}

interface Server {
  readonly version: string
  readonly synchronousCommit: string
}

const SERVER =
  "SELECT current_setting('server_version_num')::integer AS number, current_setting('server_version') AS version, " +
  "current_setting('synchronous_commit') AS synchronous_commit"

async function inspectServer(db: Database): Promise<Server> {
  const [row] = await db.rows(SERVER)
  const version = String(row?.['version']).split(' ')[0] ?? ''
  if (Number(row?.['number']) < OLDEST_SERVER) {
    throw new MillraceError(
      'server-too-old',
      `${db.where} runs PostgreSQL ${version}; Millrace needs 14 or newer. Update the server.`,
      { details: { store: db.where, version } },
    )
  }
  return { version, synchronousCommit: String(row?.['synchronous_commit']) }
}

/** Null: the server's own setting is as durable as was asked for. */
function settingOf(durability: 'full' | 'normal', present: string): 'on' | 'off' | null {
  if (durability === 'normal') return 'off'
  return present === 'off' ? 'on' : null
}

const STORE_ID = "SELECT content FROM millrace.meta WHERE name = 'store'"

async function prepareSchema(
  db: Database,
  { migrate: mayMigrate = true }: PostgresOptions,
): Promise<{ readonly storeId: string }> {
  const facts = { schema: db.schema, where: db.where }
  const missing = await missingMigrations(db.rows, facts)
  if (missing.length > 0 && !mayMigrate) throw outdated(facts, missing)
  if (missing.length > 0) await db.script((run, script) => migrate({ run, script }, facts))
  const [row] = await db.rows(STORE_ID)
  return { storeId: String(row?.['content']) }
}

async function connectListener(pool: PgPool, url: string | undefined, answerWithinMs: number): Promise<Listening> {
  if (url !== undefined) {
    const client = await openLoneClient({ url, answerWithinMs })
    return { client, close: () => client.end() }
  }
  const client = await pool.connect()
  // What it listens to is nobody else's affair: the connection does not go back.
  return { client, close: () => client.release(true) }
}
