/** The wiring: a URL and options become a store, and everything that works on it. */
import { ClientContext } from './client/client-context.ts'
import { CONSOLE_LOGGER } from './client/console-logger.ts'
import { checkNodeVersion } from './client/node-version.ts'
import { OperatorClient } from './client/operator-client.ts'
import { checkBoolean, checkFunction, checkList, checkOptions } from './client/option-values.ts'
import { checkRetention, retentionOver } from './client/retention-options.ts'
import { parseDuration } from './core/duration.ts'
import type { Duration } from './core/duration.ts'
import type { EntityProbe } from './core/entity-status.ts'
import type { RedFlag } from './core/red-flags.ts'
import { MillraceError } from './core/errors.ts'
import { DEFAULTS } from './core/limits.ts'
import { DEFAULT_RETENTION } from './core/retention.ts'
import type { Retention } from './core/retention.ts'
import { EventTailer } from './events/event-tailer.ts'
import { Cleanup } from './maintenance/cleanup.ts'
import type { DoctorProgress } from './maintenance/artifact-bytes.ts'
import { examineStore } from './maintenance/doctor.ts'
import type { DoctorReport } from './maintenance/doctor.ts'
import { Reaper } from './maintenance/reaper.ts'
import type { ReaperReport } from './maintenance/reaper.ts'
import { redFlagWatch } from './maintenance/red-flags.ts'
import { Closing } from './runtime/closing.ts'
import { isIsolated } from './runtime/isolation-mark.ts'
import type { Logger } from './runtime/logger.ts'
import type { Runtime } from './runtime/runtime.ts'
import { safeLogger } from './runtime/safe-logger.ts'
import type { Service } from './runtime/service.ts'
import { systemRuntime } from './runtime/system-runtime.ts'
import type { Store } from './store/store.ts'
import { checkMillraceOptions, openStore } from './open-store.ts'
import type { MillraceOptions, MillracePool } from './open-store.ts'
import type { Handler } from './worker/handler.ts'
import { startWorker } from './worker/start-worker.ts'
import type { WorkOptions } from './worker/start-worker.ts'
import type { Worker } from './worker/worker.ts'
import { storeClosed } from './store/refusals.ts'

/**
 * Opens a Millrace: the store at the URL, its tables made or brought up to date.
 *
 * @example
 *     const mill = await openMillrace('sqlite:./jobs.db', { service: 'workers' })
 * @param url `sqlite:./jobs.db`, or `sqlite::memory:` for one that is gone at the end of the process; `postgres://user:password@host/database`,
 *   or `{ pool }` with a ready-made pool of `pg`
 * @throws MillraceError `url-invalid`, `node-too-old`, `store-unwritable`, `store-foreign`, `store-newer`, `store-damaged`, `store-busy`,
 *   `thread-missing`, `network-file-system`, `sqlite-affected`, `artifacts-foreign`; on PostgreSQL `driver-missing`, `store-unreachable`, `server-too-old`,
 *   `store-outdated`; `opened-in-isolation` where a handler runs in a thread or process; InvalidInputError for an option
 */
export async function openMillrace(url: string | MillracePool, options: MillraceOptions = {}): Promise<Millrace> {
  checkNodeVersion(process.versions.node)
  if (isIsolated()) throw openedInIsolation()
  checkMillraceOptions(options)
  const runtime = options.runtime ?? systemRuntime()
  const logger = safeLogger(options.logger ?? CONSOLE_LOGGER)
  const store = await openStore(url, options, { runtime, logger })
  const { service = null, version = null, maintenance = null } = options
  const retention = retentionOver(checkRetention(options.retention ?? {}), DEFAULT_RETENTION)
  return new Millrace({ store, runtime, logger, service, version, maintenance, retention })
}

function openedInIsolation(): MillraceError {
  return new MillraceError(
    'opened-in-isolation',
    'This thread or process runs handlers alone, and Millrace cannot be opened in it. Open Millrace in another file than the one that ' +
      'exports the handlers; what a handler writes goes through its context.',
  )
}

/**
 * About how long after its start a process first looks through the store: it has other things to do at first, and of those that were started
 * together each should look at a time of its own. The jobs of the dead are looked for at once.
 */
const FIRST_LOOK_MS = 10_000

interface MillraceParts {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  readonly service: string | null
  readonly version: string | null
  /** Null: from the first worker on. */
  readonly maintenance: boolean | null
  readonly retention: Retention
}

export interface DoctorRunOptions {
  /** Puts right what can be without losing anything. Default false. */
  readonly repair?: boolean
  /** Reads the bytes of all artifacts and holds them against their SHA-256, instead of counting them. Default false. */
  readonly deep?: boolean
  /** Is told, with `deep`, how far the reading has come: at its beginning, with each hundredth, at its end. What it throws ends the look. */
  readonly onProgress?: (progress: DoctorProgress) => void
}

export interface CloseOptions {
  /** For all of it. Default: 10 seconds more than the longest `drain` of the workers, and 40 seconds where none has a longer one than usual. */
  readonly timeout?: Duration
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
  readonly #reaper: Reaper
  readonly #redFlags: Service<readonly RedFlag[]>
  readonly #cleanup: Cleanup
  readonly #workers = new Map<Worker, StartedWorker>()
  /** Workers that are being started. */
  readonly #starting = new Set<Promise<unknown>>()
  readonly #stopStarting = new AbortController()
  #closing: Promise<void> | null = null

  /** @internal */
  constructor(parts: MillraceParts) {
    const { store, runtime, logger, retention } = parts
    const tailer = new EventTailer({ store, runtime, logger })
    const reaper = new Reaper({ store, runtime, logger })
    const context = new ClientContext(store, runtime, {
      followLog: (follow) => tailer.subscribe(follow),
      recover: () => reaper.recover('asked'),
      service: parts.service,
    })
    super(context)
    this.#parts = parts
    this.#context = context
    this.#tailer = tailer
    this.#reaper = reaper
    this.#redFlags = redFlagWatch({ store, runtime, logger, probes: () => this.#entityProbes() })
    const recover = reaper.recover.bind(reaper)
    this.#cleanup = new Cleanup({ store, runtime, logger, retention, recover })
    if (parts.maintenance === true) this.#startMaintenance()
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

  /** Deletes jobs that have been kept for long enough, and clears up, when it is asked, whatever the option `maintenance` says. */
  get cleanup(): Cleanup {
    this.#context.reader()
    return this.#cleanup
  }

  /**
   * Looks the whole store through: every job, what belongs to it, the log, the schema, the files of artifacts. It reads page by page, beside
   * everything else.
   *
   * @param options `repair`: puts right what can be without losing anything, each in a transaction that looks again. Default false: nothing is
   *   changed. `deep`: reads the bytes of artifacts too. Default false: they are counted
   */
  async doctor(options: DoctorRunOptions = {}): Promise<DoctorReport> {
    const known = { repair: true, deep: true, onProgress: true } as const
    const { repair = false, deep = false, onProgress = () => undefined } = checkOptions(options, known, 'options')
    checkBoolean(deep, 'deep')
    checkFunction(onProgress, 'onProgress')
    const store = checkBoolean(repair, 'repair') ? this.#context.writer('doctor') : this.#context.reader()
    const { runtime, logger } = this.#parts
    return this.#context.hold(examineStore({ store, runtime, logger, repair, deep, onProgress }))
  }

  /**
   * Starts a worker in this process for the handlers' types, and registers this service as the one that works on them.
   *
   * @returns the worker, which takes jobs until it is stopped or this Millrace is closed
   * @throws MillraceError `owner-conflict` if another service works on one of the types, `handler-incomplete`, `handler-unloadable` if a
   *   thread or process can't load a handler's module, `store-closed` if this Millrace was closed meanwhile; InvalidInputError. Nothing has been
   *   started then.
   */
  async work(handlers: readonly Handler[], options: WorkOptions = {}): Promise<Worker> {
    if (this.#closing !== null) throw storeClosed()
    const store = this.#context.writer('work')
    const { runtime, logger, version } = this.#parts
    checkList(handlers, 'handlers', 'a list of handlers')
    checkOptions(options, KNOWN_WORK_OPTIONS, 'options')
    const service = this.#parts.service ?? handlers[0]?.definition?.service ?? ''
    const { signal } = this.#stopStarting
    const starting = startWorker({ ...options, store, runtime, logger, service, version, handlers, signal })
    this.#starting.add(starting)
    try {
      const worker = await starting
      this.#workers.set(worker, { handlers, drainMs: parseDuration(options.drain ?? DEFAULTS.drainMs, 'drain') })
      if (this.#parts.maintenance !== false) this.#startMaintenance()
      return worker
    } finally {
      this.#starting.delete(starting)
    }
  }

  /**
   * Signs that something is wrong with the way jobs are worked on, by type: jobs that nobody takes, a second service, outcomes that can't be
   * right. Asks the handlers of this process's workers how the entities of jobs stand that ended lately.
   */
  async redFlags(): Promise<readonly RedFlag[]> {
    this.#context.writer('redFlags')
    return this.#redFlags.runOnce()
  }

  #startMaintenance(): void {
    const { runtime } = this.#parts
    const soonMs = (): number => FIRST_LOOK_MS * (0.5 + runtime.random())
    this.#reaper.start()
    this.#redFlags.start(soonMs())
    this.#cleanup.startLater(soonMs())
  }

  #entityProbes(): ReadonlyMap<string, EntityProbe> {
    const running = [...this.#workers].filter(([{ state }]) => state !== 'stopped')
    return new Map(
      running.flatMap(([, { handlers }]) =>
        handlers.flatMap(({ definition: { name }, entityStatus }) =>
          entityStatus === null ? [] : [[name, entityStatus] as const],
        ),
      ),
    )
  }

  /**
   * Stops this process's workers (each waits for its jobs as long as its `drain` allows, then gives back what is unfinished), then
   * everything else, then closes the store: all of it within one time. When that is over, nothing is waited for any more: signals are fired,
   * jobs given back, threads, processes and connections ended, so that this process can come to its end. A second call joins the first.
   *
   * @throws MillraceError `drain-timeout` if a worker did not come to rest within its `drain`, `close-timeout` if something did not within the
   *   time for all, whose `details.unfinished` says what; everything has been closed all the same
   */
  async close(options: CloseOptions = {}): Promise<void> {
    this.#context.refuseInTransaction('close')
    const { timeout } = checkOptions(options, { timeout: true }, 'options')
    const timeoutMs = timeout === undefined ? this.#closeMs() : parseDuration(timeout, 'timeout')
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #closeMs(): number {
    const drains = [...this.#workers.values()].map(({ drainMs }) => drainMs)
    return Math.max(DEFAULTS.drainMs, ...drains) + DEFAULTS.closeBeyondDrainMs
  }

  async #close(timeoutMs: number): Promise<void> {
    const closing = new Closing(this.#parts.runtime, timeoutMs)
    this.#stopStarting.abort()
    await Promise.all([
      closing.rest('workers being started', 'work', Promise.allSettled(this.#starting)),
      closing.rest('workers', 'work', this.#stopWorkers(closing)),
    ])
    const services = [this.#reaper.stop(), this.#redFlags.stop(), this.#cleanup.stopScheduler()]
    await closing.rest('maintenance', 'services', Promise.all(services))
    await closing.rest('listeners', 'services', this.#tailer.close())
    await closing.rest('calls', 'services', this.#context.close())
    await closing.rest('store', 'store', this.#parts.store.close(closing.cut))
    closing.end()
  }

  async #stopWorkers(closing: Closing): Promise<void> {
    const { hurry, times } = closing
    const stops = [...this.#workers].map(async ([worker, { drainMs }]) => {
      try {
        await worker.stop({ timeout: Math.min(drainMs, times.hurry), signal: hurry })
      } catch (error) {
        if (drainMs > times.hurry) closing.missed('workers')
        throw error
      }
    })
    for (const outcome of await Promise.allSettled(stops)) if (outcome.status === 'rejected') throw outcome.reason
  }
}

interface StartedWorker {
  readonly handlers: readonly Handler[]
  readonly drainMs: number
}

const KNOWN_WORK_OPTIONS: Readonly<Record<keyof WorkOptions, true>> = {
  concurrency: true,
  lease: true,
  drain: true,
  maxAbandonedSlots: true,
  handlerThreadFile: true,
  manual: true,
}
