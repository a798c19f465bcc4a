/** The door of the PostgreSQL store. */
import { InvalidInputError, MillraceError } from '../core/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { findThreadFile } from '../runtime/package-files.ts'
import { loopPulse } from '../runtime/loop-pulse.ts'
import type { Pulse } from '../runtime/pulse.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { systemRuntime } from '../runtime/system-runtime.ts'
import type { Store } from '../store/store.ts'
import { Database } from './database.ts'
import { writeSettings } from './write-settings.ts'
import { openLoneClient, openPool } from './driver.ts'
import type { ConnectionOptions, PgPool } from './driver.ts'
import { storeError } from './failures.ts'
import { FILES } from './files.ts'
import { LoopKeeper, ThreadKeeper, VirtualKeeper } from './keeper.ts'
import type { Keeper } from './keeper.ts'
import { DEFAULT_SCHEMA, checkSchema, describeUrl } from './location.ts'
import { migrate, missingMigrations, outdated } from './migrate.ts'
import { migratePostgres } from './migrate-database.ts'
import { Names } from './names.ts'
import { ArtifactFolder } from '../store/artifact-folder.ts'
import { ArtifactChunks } from './artifact-chunks.ts'
import { ClaimConnection } from './claim-connection.ts'
import { Notices } from './notices.ts'
import type { Listening } from './notices.ts'
import { PostgresStore } from './postgres-store.ts'
import { Sockets } from './sockets.ts'

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
  /** The folder of artifacts. Default: none, they are in the database. */
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
  /** For how long a call tries again while the server can't be reached. Default 30 s. */
  readonly patienceMs?: number
  /** A virtual clock: eight bytes, a BigInt64 of epoch milliseconds. */
  readonly clock?: SharedArrayBuffer
}

const CONNECTIONS = 6
/** What a worker ends goes out on two at a time. Where there are no more, claims have none to themselves. */
const LEAST_WRITES = 2
/** Plans that were made while the tables were small are kept, and would read large ones from end to end. What counts says so (`Database.read`). */
const READ_SETTINGS = ['enable_seqscan = off']
/** Of a pool that is given. */
const LEAST_GIVEN = 2
const STATEMENT_TIMEOUT_MS = 15_000
const PATIENCE_MS = 30_000
/** The server ends a statement first; without an answer beyond that, there is no server at the other end. */
const ANSWER_GRACE_MS = 2_000
const OLDEST_SERVER = 140_000

interface Place {
  readonly where: string
  readonly schema: string
  readonly answerWithinMs: number
  readonly patienceMs: number
}

/**
 * Opens the store, making or migrating its tables. Errors: url-invalid, driver-missing, store-unreachable, store-newer, store-outdated,
 * artifacts-foreign, …
 */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  const { url, statementTimeoutMs = STATEMENT_TIMEOUT_MS, patienceMs = PATIENCE_MS } = options
  const answerWithinMs = statementTimeoutMs + ANSWER_GRACE_MS
  const where = url === undefined ? 'the given pool' : describeUrl(url)
  const schema = checkSchema(options.schema ?? DEFAULT_SCHEMA)
  const pools = new Pools(options, answerWithinMs)
  try {
    return await openOn(pools, options, { where, schema, answerWithinMs, patienceMs })
  } catch (error) {
    await pools.close().catch(() => undefined)
    throw storeError(error, where)
  }
}

async function openOn(
  pools: Pools,
  options: PostgresOptions,
  { where, schema, answerWithinMs, patienceMs }: Place,
): Promise<Store> {
  const { logger, durability = 'full', clock, url, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options
  const runtime = systemRuntime()
  const readPool = await pools.forReads()
  const shared = { schema, where, runtime, clock: clockOf(clock), prepared: pools.areOwn, statementTimeoutMs, readPool }
  const first = new Database({
    ...shared,
    pool: readPool,
    settings: 'transaction',
    synchronousCommit: null,
    patienceMs: 0,
  })
  const server = await inspectServer(first)
  const storeId = await prepareSchema(first, runtime, options)
  const folder = options.artifactFolder === undefined ? null : new ArtifactFolder(options.artifactFolder)
  await folder?.belongTo({ storeId, store: `${where}, schema ${schema}` })
  const synchronousCommit = settingOf(durability, server.synchronousCommit)
  const pool = await pools.forWrites(writeSettings({ statementTimeoutMs, synchronousCommit }))
  const settings = pools.areOwn ? 'connection' : 'transaction'
  const db = new Database({ ...shared, pool, settings, synchronousCommit, patienceMs })
  // With a virtual clock no time passes while the loop stands still.
  const pulse = clock === undefined ? loopPulse(logger) : null
  const kept = `synchronous_commit ${synchronousCommit ?? server.synchronousCommit}`
  const store = new PostgresStore({
    db,
    runtime,
    names: new Names(db.rows),
    logger,
    description: `${where} (PostgreSQL ${server.version}, schema ${schema}, ${kept})`,
    storeId,
    artifactBytes: folder ?? new ArtifactChunks(db),
    pools,
    pulse,
  })
  const notices = new Notices({
    schema,
    runtime,
    listens: options.pooler !== true,
    onChange: () => store.changed(),
    connect: () => connectListener(readPool, url, { answerWithinMs, sockets: pools.sockets }),
  })
  const keeper = openKeeper(db, runtime, options, {
    schema,
    answerWithinMs,
    pulse,
    onLost: (holder) => store.sessionLost(holder),
  })
  try {
    await notices.open()
  } catch (error) {
    await keeper.close()
    throw error
  }
  store.connect(keeper, notices)
  return store
}

/** The store's own, each for one kind of work, or the application's for everything. */
class Pools {
  readonly #options: PostgresOptions
  readonly #answerWithinMs: number
  readonly #own: PgPool[] = []
  /** Of all connections but those of a pool of the application's. */
  readonly sockets = new Sockets()
  /** Set with the pool for writes, where claims have a connection to themselves. */
  claims = new ClaimConnection(undefined)

  constructor(options: PostgresOptions, answerWithinMs: number) {
    this.#options = options
    this.#answerWithinMs = answerWithinMs
  }

  /** Whether settings and prepared statements may be left on the connections. */
  get areOwn(): boolean {
    return this.#options.url !== undefined && this.#options.pooler !== true
  }

  async forReads(): Promise<PgPool> {
    const { url, pool } = this.#options
    if (url !== undefined) return this.#open(url, this.#shares.reads, READ_SETTINGS)
    const given: Partial<PgPool> | undefined = pool
    if (typeof given?.connect !== 'function' || typeof given.on !== 'function') {
      throw new InvalidInputError({ path: 'pool', expected: 'a Pool of "pg"' })
    }
    const most = (given as { readonly options?: { readonly max?: unknown } }).options?.max
    if (typeof most === 'number' && most < LEAST_GIVEN) {
      throw new InvalidInputError({
        path: 'pool',
        expected: `a Pool of at least ${LEAST_GIVEN} connections, of which one is kept to listen`,
        received: `max: ${most}`,
      })
    }
    return given as PgPool
  }

  async forWrites(settings: readonly string[]): Promise<PgPool> {
    const { url } = this.#options
    if (url === undefined) return this.forReads()
    const { writes, claims } = this.#shares
    if (claims > 0) this.claims = new ClaimConnection(await this.#open(url, claims, settings))
    return this.#open(url, writes, this.areOwn ? settings : [])
  }

  /** How the connections are shared out. */
  get #shares(): { readonly reads: number; readonly writes: number; readonly claims: number } {
    const { connections = CONNECTIONS } = this.#options
    const reads = Math.max(1, Math.floor(connections / 3))
    const claims = this.areOwn && connections - reads > LEAST_WRITES ? 1 : 0
    return { reads, writes: connections - reads - claims, claims }
  }

  async #open(url: string, most: number, settings: readonly string[]): Promise<PgPool> {
    const { sockets } = this
    const opened = await openPool({ url, answerWithinMs: this.#answerWithinMs, most, settings, sockets })
    this.#own.push(opened)
    return opened
  }

  /** Resolves when nothing is left of their connections. */
  async close(): Promise<void> {
    await Promise.all(this.#own.map((pool) => pool.end()))
    await this.sockets.closed()
  }

  /** What is still waited for does not come: ends the connections without leave of the server. */
  cut(): void {
    this.sockets.cut()
  }
}

interface KeeperFacts {
  readonly schema: string
  readonly answerWithinMs: number
  readonly pulse: Pulse | null
  readonly onLost: (holder: number) => void
}

function openKeeper(
  db: Database,
  runtime: Runtime,
  { url, clock, threadFile, logger }: PostgresOptions,
  { schema, answerWithinMs, pulse, onLost }: KeeperFacts,
): Keeper {
  if (clock !== undefined || pulse === null) return new VirtualKeeper(db, onLost)
  if (url === undefined) return new LoopKeeper(db, runtime, onLost)
  const data = { url, schema, prepared: false, answerWithinMs, pulse: pulse.memory }
  const onBroken = (cause: unknown): void => {
    logger.error("The thread that keeps this process's workers alive has died. Restart the process.", { cause })
  }
  return new ThreadKeeper(findThreadFile(FILES, threadFile), data, { onLost, onBroken })
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

/** Answers what tells this store from another. */
async function prepareSchema(
  db: Database,
  runtime: Runtime,
  { url, migrate: mayMigrate = true }: PostgresOptions,
): Promise<string> {
  const facts = { schema: db.schema, where: db.where }
  const missing = await missingMigrations(db.rows, facts)
  if (missing.length > 0 && !mayMigrate) throw outdated(facts, missing)
  // On a connection of its own, which waits as long as it takes.
  if (missing.length > 0 && url !== undefined)
    await migratePostgres({ url, schema: db.schema, runtime }, { apply: true })
  else if (missing.length > 0) await db.script((run, script) => migrate({ run, script }, facts))
  const [row] = await db.rows(STORE_ID)
  return String(row?.['content'])
}

async function connectListener(
  pool: PgPool,
  url: string | undefined,
  options: Omit<ConnectionOptions, 'url'>,
): Promise<Listening> {
  if (url !== undefined) {
    const client = await openLoneClient({ url, ...options })
    const close = (): Promise<void> => {
      client.ref()
      return client.end()
    }
    return { client, close }
  }
  const client = await pool.connect()
  // What it listens to is nobody else's affair: the connection does not go back.
  return { client, close: () => client.release(true) }
}
