/** Which store, and how it is to be kept: the one place that knows all of them. */
import { CONSOLE_LOGGER } from './client/console-logger.ts'
import { checkKey, checkName, shown } from './client/names.ts'
import { checkRetention } from './client/retention-options.ts'
import type { RetentionOptions } from './client/retention-options.ts'
import { checkBoolean, checkChoice, checkOptions, checkWhole } from './client/option-values.ts'
import { parseDuration } from './core/duration.ts'
import type { Duration } from './core/duration.ts'
import { InvalidInputError, MillraceError } from './core/errors.ts'
import type { Logger } from './runtime/logger.ts'
import type { Runtime } from './runtime/runtime.ts'
import { systemRuntime } from './runtime/system-runtime.ts'
import type { Store } from './store/store.ts'

/** Instead of a URL: a pool of connections that the application has. */
export interface MillracePool {
  /** A `Pool` of `pg`. One of its connections is kept to listen on, and up to four are used at a time. It is not closed with Millrace. */
  readonly pool: object
}

export interface MillraceOptions {
  /** The service that this process belongs to, as its definitions name it. Default: that of the handlers that `work` is given. */
  readonly service?: string
  /** Of the service's program, for people: 1 to 200 characters. Workers tell it, so that versions can be told apart. */
  readonly version?: string
  /** Default: silent but for warnings and errors, which go to the console. */
  readonly logger?: Logger
  /** Clock, timers, randomness and ids. Default: those of this process. */
  readonly runtime?: Runtime
  /**
   * `'full'` (the default): what is committed outlives a power cut. `'normal'`: a power cut may cost the last commits; on PostgreSQL a crash of
   * the server too. A crash of this process costs nothing in any case.
   */
  readonly durability?: 'full' | 'normal'
  /** False: the database is worked on in the calling thread, which is slower and blocks it. Default true. */
  readonly thread?: boolean
  /** Where the store's thread file is, for bundlers that lose it. Default: beside Millrace's own files. */
  readonly threadFile?: string | URL
  /**
   * The folder of artifacts. Default: the path of the SQLite database with `-artifacts` behind it; on PostgreSQL none: they are in the database.
   * A folder is for artifacts that are too large for that. Where several machines work, it has to be one that all of them see. No two
   * stores may share one, since each removes files that are none of its artifacts': the second is refused with `artifacts-foreign`.
   */
  readonly artifacts?: string
  /** PostgreSQL: the schema that the tables are in, made if it is not there. Lower case letters, digits, underscores. Default `millrace`. */
  readonly schema?: string
  /** PostgreSQL: false refuses a schema that lacks migrations, for those who apply them by `millrace migrate`. Default true: they are applied. */
  readonly migrate?: boolean
  /**
   * PostgreSQL: true where a pooler stands between that hands out connections transaction by transaction (PgBouncer in transaction mode).
   * Changes of other processes are then looked for instead of heard. Default false.
   */
  readonly pooler?: boolean
  /** PostgreSQL: how many connections for statements, besides one to listen and one for the beats. 2 to 100, default 6. */
  readonly connections?: number
  /**
   * PostgreSQL: a statement that takes longer has failed, and a server that gives no answer for two seconds more counts as gone: the
   * connection is given up, and what was under way on it is made sure of on another. 100 ms to an hour, default `'15s'`.
   */
  readonly statementTimeout?: Duration
  /**
   * Whether this process looks after the store: takes jobs back from dead workers, ends overdue attempts, queues what has come due. Default:
   * from its first `work()` on. True: from the beginning, for a process that only enqueues. False: never, another process does.
   */
  readonly maintenance?: boolean
  /**
   * How long jobs that are over are kept, where this process cleans up. Default: completed ones 7 days, failed and cancelled ones 30. A type's
   * own `retention` goes before it. `'none'`: nothing is deleted.
   */
  readonly retention?: RetentionOptions | 'none'
}

export interface StoreSurroundings {
  readonly runtime: Runtime
  readonly logger: Logger
}

/** Opens the store at the URL, or on the pool. The options have been checked. */
export async function openStore(
  place: string | MillracePool,
  options: MillraceOptions,
  { runtime, logger }: StoreSurroundings,
): Promise<Store> {
  const { schema, migrate, pooler, connections, statementTimeout, thread, durability, threadFile, artifacts } = options
  const shared = {
    runtime,
    logger,
    ...given({ durability, threadFile, artifactFolder: artifacts }),
    ...('clock' in runtime && runtime.clock instanceof SharedArrayBuffer ? { clock: runtime.clock } : {}),
  }
  if (isOnPostgres(place)) {
    refuseOptions({ thread }, 'SQLite')
    const { openPostgresStore } = await import('./postgres/open.ts')
    if (typeof place !== 'string') refuseOptions({ connections, threadFile }, 'PostgreSQL that are opened by a URL')
    const where = typeof place === 'string' ? { url: place } : place
    const statementTimeoutMs = statementTimeout === undefined ? undefined : statementTimeoutOf(statementTimeout)
    const ours = given({ schema, migrate, pooler, connections, statementTimeoutMs })
    return openPostgresStore({ ...shared, ...where, ...ours })
  }
  refuseOptions({ schema, migrate, pooler, connections, statementTimeout }, 'PostgreSQL')
  const url = checkSqliteUrl(place)
  // Only now: on an older Node the module that the store needs would not even load.
  const { openSqliteStore } = await import('./sqlite/open.ts')
  return openSqliteStore({ ...shared, url, ...given({ thread }) })
}

export interface MigrationOptions {
  /** PostgreSQL: the schema that the tables are in. Default `millrace`. */
  readonly schema?: string
}

/** What a store's tables lack, or have been given. */
export interface Migration {
  /** The store, for people. */
  readonly store: string
  /** The migrations, in their order; none: the tables are up to date. */
  readonly migrations: readonly string[]
  /** All that they run, as one script. */
  readonly sql: string
}

/**
 * Tells which migrations the store at the URL lacks, and changes nothing. `openMillrace` applies them, unless `migrate` is false.
 *
 * @throws MillraceError as `openMillrace` does
 */
export async function planMigration(url: string, options: MigrationOptions = {}): Promise<Migration> {
  return migration(url, options, { apply: false })
}

/**
 * Applies what the store at the URL lacks, under a lock: should others do so at once, one of them applies and the rest find it done.
 *
 * @returns what was applied
 * @throws MillraceError as `openMillrace` does
 */
export async function applyMigration(url: string, options: MigrationOptions = {}): Promise<Migration> {
  return migration(url, options, { apply: true })
}

async function migration(
  url: string,
  options: MigrationOptions,
  { apply }: { readonly apply: boolean },
): Promise<Migration> {
  const { schema } = checkOptions(options, { schema: true }, 'options')
  if (isOnPostgres(url)) {
    const { migratePostgres } = await import('./postgres/migrate-database.ts')
    const done = await migratePostgres({ url, runtime: systemRuntime(), ...given({ schema }) }, { apply })
    return { store: done.where, migrations: done.missing, sql: done.script }
  }
  refuseOptions({ schema }, 'PostgreSQL')
  const { openSqliteStore, planSqliteMigration } = await import('./sqlite/open.ts')
  const { where, missing } = planSqliteMigration(checkSqliteUrl(url))
  if (apply && missing.length > 0) {
    const store = await openSqliteStore({ url, runtime: systemRuntime(), logger: CONSOLE_LOGGER, thread: false })
    await store.close()
  }
  return { store: where, migrations: missing.map(({ name }) => name), sql: missing.map(({ sql }) => sql).join('\n') }
}

const POSTGRES = /^postgres(?:ql)?:/i

function isOnPostgres<Place>(place: Place): place is Place & (string | MillracePool) {
  return typeof place === 'string'
    ? POSTGRES.test(place)
    : typeof place === 'object' && place !== null && 'pool' in place
}

/** Of a URL that may hold a password, no more is shown than this. */
const SCHEME = /^[a-z][a-z0-9+.-]{0,20}:/i

function checkSqliteUrl(url: unknown): string {
  if (typeof url === 'string' && url.startsWith('sqlite:')) return url
  const scheme = (typeof url === 'string' ? SCHEME.exec(url)?.[0] : undefined) ?? shown(url)
  throw new MillraceError(
    'url-invalid',
    `The URL of a store begins with "sqlite:" or "postgres:", not with ${scheme}. ` +
      'Write "sqlite:./jobs.db", "sqlite::memory:" for one that is gone at exit, or "postgres://user:password@host/database".',
    { details: { scheme } },
  )
}

/** An option that would be passed over in silence is an error of the caller's. */
function refuseOptions(options: Readonly<Record<string, unknown>>, store: string): void {
  const found = Object.entries(options).find(([, option]) => option !== undefined)
  if (found === undefined) return
  throw new InvalidInputError({ path: found[0], expected: `nothing: it is an option of stores on ${store}` })
}

/** Without the names of options that were not given. */
function given<Name extends string, Option>(options: Readonly<Record<Name, Option>>): object {
  return Object.fromEntries(Object.entries(options).filter(([, option]) => option !== undefined))
}

const KNOWN_OPTIONS: Readonly<Record<keyof MillraceOptions, true>> = {
  schema: true,
  migrate: true,
  pooler: true,
  connections: true,
  statementTimeout: true,
  service: true,
  version: true,
  logger: true,
  runtime: true,
  durability: true,
  thread: true,
  threadFile: true,
  artifacts: true,
  maintenance: true,
  retention: true,
}

/** Those that need no store to be judged. */
export function checkMillraceOptions(options: MillraceOptions): void {
  const { service, version, logger, durability, thread, threadFile, artifacts, maintenance, retention } = checkOptions(
    options,
    KNOWN_OPTIONS,
    'options',
  )
  if (service !== undefined) checkName(service, 'service')
  if (version !== undefined) checkKey(version, 'version')
  if (logger !== undefined) checkLogger(logger)
  if (durability !== undefined) checkChoice(durability, ['full', 'normal'], 'durability')
  if (thread !== undefined) checkBoolean(thread, 'thread')
  if (maintenance !== undefined) checkBoolean(maintenance, 'maintenance')
  if (retention !== undefined) checkRetention(retention)
  checkPostgresOptions(options)
  if (threadFile !== undefined && typeof threadFile !== 'string' && !(threadFile instanceof URL)) {
    throw new InvalidInputError({ path: 'threadFile', expected: 'a path or a URL', received: shown(threadFile) })
  }
  if (artifacts === undefined || (typeof artifacts === 'string' && artifacts !== '')) return
  throw new InvalidInputError({ path: 'artifacts', expected: 'the path of a folder', received: shown(artifacts) })
}

function checkPostgresOptions({ migrate, pooler, connections, statementTimeout }: MillraceOptions): void {
  if (migrate !== undefined) checkBoolean(migrate, 'migrate')
  if (pooler !== undefined) checkBoolean(pooler, 'pooler')
  if (connections !== undefined) checkWhole(connections, { path: 'connections', least: 2, most: 100 })
  if (statementTimeout !== undefined) statementTimeoutOf(statementTimeout)
}

const LEAST_STATEMENT_TIMEOUT_MS = 100
const MOST_STATEMENT_TIMEOUT_MS = 3_600_000

function statementTimeoutOf(timeout: Duration): number {
  const path = 'statementTimeout'
  const range = { path, least: LEAST_STATEMENT_TIMEOUT_MS, most: MOST_STATEMENT_TIMEOUT_MS }
  return checkWhole(parseDuration(timeout, path), range)
}

function checkLogger(logger: Logger): void {
  const levels = ['info', 'warn', 'error'] as const
  if (typeof logger === 'object' && levels.every((level) => typeof logger[level] === 'function')) return
  throw new InvalidInputError({
    path: 'logger',
    expected: 'an object with the functions info, warn and error, each of a message and fields',
    received: shown(logger),
  })
}
