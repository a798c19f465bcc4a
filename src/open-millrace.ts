/** The wiring: a URL and options become a store, and everything that works on it. */
import { ClientContext, storeClosed } from './client/client-context.ts'
import { CONSOLE_LOGGER } from './client/console-logger.ts'
import type { JobReference } from './client/job-values.ts'
import { checkName, shown } from './client/names.ts'
import { checkNodeVersion } from './client/node-version.ts'
import { OperatorClient } from './client/operator-client.ts'
import { checkBoolean, checkChoice, checkList, checkOptions } from './client/option-values.ts'
import { checkPosition, toJobEvent } from './client/read-events.ts'
import type { JobEvent } from './client/read-events.ts'
import { idOf } from './client/read-jobs.ts'
import { InvalidInputError, MillraceError } from './core/errors.ts'
import { EventTailer } from './events/event-tailer.ts'
import { reaper } from './maintenance/reaper.ts'
import type { ReaperReport } from './maintenance/reaper.ts'
import type { Logger } from './runtime/logger.ts'
import type { Runtime } from './runtime/runtime.ts'
import { safeLogger } from './runtime/safe-logger.ts'
import type { Service } from './runtime/service.ts'
import { systemRuntime } from './runtime/system-runtime.ts'
import type { Store } from './store/store.ts'
import type { Handler } from './worker/handler.ts'
import { startWorker } from './worker/start-worker.ts'
import type { WorkOptions } from './worker/start-worker.ts'
import type { Worker } from './worker/worker.ts'

export interface MillraceOptions {
  /** The service that this process belongs to, as its definitions name it. Default: that of the handlers that `work` is given. */
  readonly service?: string
  /** Default: silent but for warnings and errors, which go to the console. */
  readonly logger?: Logger
  /** Clock, timers, randomness and ids. Default: those of this process. */
  readonly runtime?: Runtime
  /** `'full'` (the default): what is committed outlives a power cut. `'normal'`: a power cut, not a crash, may cost the last commits. */
  readonly durability?: 'full' | 'normal'
  /** False: the database is worked on in the calling thread, which is slower and blocks it. Default true. */
  readonly thread?: boolean
  /** Where the store's thread file is, for bundlers that lose it. Default: beside Millrace's own files. */
  readonly threadFile?: string | URL
  /** The folder of artifacts. Default: the path of the database with `-artifacts` behind it. */
  readonly artifacts?: string
  /**
   * Whether this process looks after the store: takes jobs back from dead workers, ends overdue attempts, queues what has come due. Default:
   * from its first `work()` on. True: from the beginning, for a process that only enqueues. False: never, another process does.
   */
  readonly maintenance?: boolean
}

export interface SubscribeOptions {
  /** Events of this job alone. */
  readonly job?: JobReference
  /** Begin after this position, with what is in the log already. Default: with what is committed from now on. */
  readonly after?: number
}

/**
 * Opens a Millrace: the store at the URL, its tables made or brought up to date.
 *
 * @example
 *     const mill = await openMillrace('sqlite:./jobs.db', { service: 'workers' })
 * @param url `sqlite:./jobs.db`, or `sqlite::memory:` for one that is gone at the end of the process
 * @throws MillraceError `url-invalid`, `node-too-old`, `store-unwritable`, `store-foreign`, `store-newer`, `store-damaged`, `store-busy`,
 *   `thread-missing`, `network-file-system`, `sqlite-affected`; InvalidInputError for an option
 */
export async function openMillrace(url: string, options: MillraceOptions = {}): Promise<Millrace> {
  checkNodeVersion(process.versions.node)
  checkMillraceOptions(options)
  checkUrl(url)
  const runtime = options.runtime ?? systemRuntime()
  const logger = safeLogger(options.logger ?? CONSOLE_LOGGER)
  // Only now: on an older Node the module that the store needs would not even load.
  const { openSqliteStore } = await import('./sqlite/open.ts')
  const { durability, thread, threadFile, artifacts, service = null, maintenance = null } = options
  const store = await openSqliteStore({
    url,
    runtime,
    logger,
    ...(durability === undefined ? {} : { durability }),
    ...(thread === undefined ? {} : { thread }),
    ...(threadFile === undefined ? {} : { threadFile }),
    ...(artifacts === undefined ? {} : { artifactFolder: artifacts }),
    ...('clock' in runtime && runtime.clock instanceof SharedArrayBuffer ? { clock: runtime.clock } : {}),
  })
  return new Millrace({ store, runtime, logger, service, maintenance })
}

interface MillraceParts {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  readonly service: string | null
  /** Null: from the first worker on. */
  readonly maintenance: boolean | null
}

/** What looks after the store. */
export interface Maintenance {
  /** One pass now, or the one that is under way: dead workers' jobs, overdue attempts, jobs that have come due. */
  runOnce(): Promise<ReaperReport>
}

/** An opened Millrace, with the rights of the operator. Made by `openMillrace`; `close()` it, or let `await using` do it. */
export class Millrace extends OperatorClient {
  readonly #parts: MillraceParts
  readonly #context: ClientContext
  readonly #tailer: EventTailer
  readonly #reaper: Service<ReaperReport>
  readonly #workers = new Set<Worker>()
  /** Workers that are being started. */
  readonly #starting = new Set<Promise<unknown>>()
  #closing: Promise<void> | null = null

  /** @internal */
  constructor(parts: MillraceParts) {
    const { store, runtime, logger } = parts
    const context = new ClientContext(store, runtime)
    super(context)
    this.#parts = parts
    this.#context = context
    this.#tailer = new EventTailer({ store, runtime, logger })
    this.#reaper = reaper({ store, runtime, logger })
    if (parts.maintenance === true) this.#reaper.start()
  }

  /** What the store is, for people: `sqlite:/srv/app/jobs.db (SQLite 3.53.4, WAL, synchronous FULL)`. */
  get description(): string {
    return this.#context.reader().description
  }

  /** Looks after the store when it is asked, whatever the option `maintenance` says. */
  get maintenance(): Maintenance {
    this.#context.reader()
    return { runOnce: () => this.#reaper.runOnce() }
  }

  /**
   * Starts a worker in this process for the handlers' types, and registers this service as the one that works on them.
   *
   * @returns the worker, which takes jobs until it is stopped or this Millrace is closed
   * @throws MillraceError `owner-conflict` if another service works on one of the types, `handler-incomplete`; InvalidInputError. Nothing
   *   has been started then.
   */
  async work(handlers: readonly Handler[], options: WorkOptions = {}): Promise<Worker> {
    if (this.#closing !== null) throw storeClosed()
    const store = this.#context.writer('work')
    const { runtime, logger } = this.#parts
    checkList(handlers, 'handlers', 'a list of handlers')
    checkOptions(options, KNOWN_WORK_OPTIONS, 'options')
    const service = this.#parts.service ?? handlers[0]?.definition?.service ?? ''
    const starting = startWorker({ ...options, store, runtime, logger, service, handlers })
    this.#starting.add(starting)
    try {
      const worker = await starting
      this.#workers.add(worker)
      if (this.#parts.maintenance !== false) this.#reaper.start()
      return worker
    } finally {
      this.#starting.delete(starting)
    }
  }

  /**
   * Tells a listener of everything that is committed, by this process or another, in its order. A listener that throws is logged and told the
   * next event; one that answers a promise is told the next event once it has settled; neither affects a job, a worker or another listener.
   * Once the promise resolves, nothing committed later is missed.
   *
   * @returns the way out: nothing is told after it was called
   */
  async subscribe(listener: (event: JobEvent) => unknown, options: SubscribeOptions = {}): Promise<() => void> {
    const { job, after } = checkOptions(options, { job: true, after: true }, 'options')
    if (typeof listener !== 'function') {
      throw new InvalidInputError({ path: 'listener', expected: 'a function', received: shown(listener) })
    }
    this.#context.reader()
    return this.#tailer.subscribe({
      listener: (record) => listener(toJobEvent(record)),
      jobId: job === undefined ? null : idOf(job),
      after: after === undefined ? null : checkPosition(after),
    })
  }

  /**
   * Stops this process's workers (each waits for its jobs as long as its `drain` allows, then gives back what is unfinished), then
   * everything else, then closes the store. A second call joins the first.
   *
   * @throws MillraceError `drain-timeout` if a worker did not come to rest in time; everything has been closed all the same
   */
  async close(): Promise<void> {
    this.#context.refuseInTransaction('close')
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#starting)
    const stopped = await Promise.allSettled([...this.#workers].map((worker) => worker.stop()))
    await this.#reaper.stop()
    await this.#tailer.close()
    await this.#context.close()
    await this.#parts.store.close()
    for (const outcome of stopped) if (outcome.status === 'rejected') throw outcome.reason
  }
}

const KNOWN_OPTIONS: Readonly<Record<keyof MillraceOptions, true>> = {
  service: true,
  logger: true,
  runtime: true,
  durability: true,
  thread: true,
  threadFile: true,
  artifacts: true,
  maintenance: true,
}

const KNOWN_WORK_OPTIONS: Readonly<Record<keyof WorkOptions, true>> = {
  concurrency: true,
  lease: true,
  drain: true,
  maxAbandonedSlots: true,
  manual: true,
}

function checkMillraceOptions(options: MillraceOptions): void {
  const { service, logger, durability, thread, threadFile, artifacts, maintenance } = checkOptions(
    options,
    KNOWN_OPTIONS,
    'options',
  )
  if (service !== undefined) checkName(service, 'service')
  if (logger !== undefined) checkLogger(logger)
  if (durability !== undefined) checkChoice(durability, ['full', 'normal'], 'durability')
  if (thread !== undefined) checkBoolean(thread, 'thread')
  if (maintenance !== undefined) checkBoolean(maintenance, 'maintenance')
  if (threadFile !== undefined && typeof threadFile !== 'string' && !(threadFile instanceof URL)) {
    throw new InvalidInputError({ path: 'threadFile', expected: 'a path or a URL', received: shown(threadFile) })
  }
  if (artifacts === undefined || (typeof artifacts === 'string' && artifacts !== '')) return
  throw new InvalidInputError({ path: 'artifacts', expected: 'the path of a folder', received: shown(artifacts) })
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

const POSTGRES = /^postgres(?:ql)?:/i
/** Of a URL that may hold a password, no more is shown than this. */
const SCHEME = /^[a-z][a-z0-9+.-]{0,20}:/i

function checkUrl(url: string): void {
  if (typeof url === 'string' && url.startsWith('sqlite:')) return
  const scheme = (typeof url === 'string' ? SCHEME.exec(url)?.[0] : undefined) ?? shown(url)
  const why = POSTGRES.test(scheme)
    ? 'This version of Millrace keeps jobs in SQLite only, not in PostgreSQL.'
    : `The URL of a store begins with "sqlite:", not with ${scheme}.`
  throw new MillraceError(
    'url-invalid',
    `${why} Write "sqlite:./jobs.db", or "sqlite::memory:" for one that is gone at exit.`,
    {
      details: { scheme },
    },
  )
}
