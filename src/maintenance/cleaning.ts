/** What a cleanup does: parts that don't hold each other up, each in small transactions between which everybody else gets his turn. */
import { readText } from '../core/classification/error-tree.ts'
import { DEFAULTS } from '../core/limits.ts'
import type { Retention } from '../core/retention.ts'
import { validateJob } from '../core/validation.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Pass } from '../runtime/service.ts'
import { jobsRecovered } from '../store/claims.ts'
import type { SweepReport } from '../store/claims.ts'
import type { Store } from '../store/store.ts'
import { findOrphans, removeBytes } from './orphaned-bytes.ts'
import { purgeExpired } from './purge.ts'

export interface CleanupOptions {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  readonly retention: Retention
  /** The reaper's sweep, which by time is held where the reaper does not trust its clock. */
  readonly recover: (cause: Pass['cause']) => Promise<SweepReport>
}

/** What one cleanup did. */
export interface CleanupReport {
  /** When it began, epoch milliseconds by the store's clock. */
  readonly timestamp: number
  /** Jobs that were taken back from dead workers or silent drivers, or ended because their time or grace was over. */
  readonly stuckJobsRecovered: number
  readonly expiredJobsDeleted: number
  /** Leases of dead workers, and locks taken by hand, that were cleared away. */
  readonly expiredLocksCleared: number
  readonly validationIssuesFixed: number
  /** Milliseconds. */
  readonly totalProcessingTime: number
  /** What went wrong, a sentence for each part that could not be done; the others were. */
  readonly errors: readonly string[]
}

type Counts = Omit<CleanupReport, 'timestamp' | 'totalProcessingTime' | 'errors'>
type Part = readonly [name: string, run: () => Promise<Partial<Counts>>]

/** A pass looks through this share of the bytes of artifacts: all of them in an hour. */
const BYTES_PARTS = 12
const SWEPT_AT_ONCE = 500
/** Jobs are looked at a page at a time, and so many pages in a pass: a longer page would hold up the event loop for milliseconds. */
const AUDITED_AT_ONCE = 100
const AUDITED_PAGES = 20

interface Extent {
  readonly cause: Pass['cause']
  /** All jobs and the bytes of all artifacts, or the next share of them. */
  readonly isWhole: boolean
  /** Heeded between two transactions. */
  readonly signal: AbortSignal
}

export class Cleaner {
  readonly #options: CleanupOptions
  /** A process that lives for less than an hour looks at other shares than the one before it. */
  #bytesPart: number
  /** How far the jobs have been looked through. */
  #audited: string | null = null

  constructor(options: CleanupOptions) {
    this.#options = options
    this.#bytesPart = Math.floor(options.runtime.random() * BYTES_PARTS)
  }

  async clean(extent: Extent): Promise<CleanupReport> {
    const report = await this.#report(extent.signal, [
      ['stuck jobs', () => this.#recoverStuckJobs(extent)],
      ['expired jobs', () => this.#deleteExpiredJobs(extent)],
      ['what is left over', () => this.#sweepUp(extent)],
      ['impossible states', () => this.#fixJobs(extent)],
      ['orphaned files', () => this.#removeOrphans(extent)],
    ])
    const { errors, ...done } = report
    if (errors.length > 0) this.#options.logger.warn('A cleanup could not do all of its work.', { ...report })
    else if (done.expiredJobsDeleted > 0) this.#options.logger.info('CLEANUP', done)
    return report
  }

  /** The report of whoever found that there was nothing for him to do. */
  idle(): Promise<CleanupReport> {
    return this.#report(null, [])
  }

  /** Each part by itself: what goes wrong in one holds up no other. */
  async #report(signal: AbortSignal | null, parts: readonly Part[]): Promise<CleanupReport> {
    const { store, runtime } = this.#options
    const begunAt = runtime.monotonic()
    const timestamp = await store.now()
    const counts = { stuckJobsRecovered: 0, expiredJobsDeleted: 0, expiredLocksCleared: 0, validationIssuesFixed: 0 }
    const errors: string[] = []
    for (const [name, run] of parts) {
      if (signal?.aborted === true) break
      try {
        const done = await run()
        counts.stuckJobsRecovered += done.stuckJobsRecovered ?? 0
        counts.expiredJobsDeleted += done.expiredJobsDeleted ?? 0
        counts.expiredLocksCleared += done.expiredLocksCleared ?? 0
        counts.validationIssuesFixed += done.validationIssuesFixed ?? 0
      } catch (error) {
        errors.push(`${name}: ${readText(error)}`)
      }
    }
    return { timestamp, ...counts, totalProcessingTime: Math.round(runtime.monotonic() - begunAt), errors }
  }

  async #recoverStuckJobs({ cause }: Extent): Promise<Partial<Counts>> {
    const swept = await this.#options.recover(cause)
    return {
      stuckJobsRecovered: jobsRecovered(swept),
      expiredLocksCleared: swept.sessionsEnded + swept.locksCleared,
    }
  }

  async #deleteExpiredJobs({ signal }: Extent): Promise<Partial<Counts>> {
    const { store, retention } = this.#options
    const expiredJobsDeleted = await purgeExpired({
      store,
      retention,
      isStopping: () => signal.aborted,
      onPaths: (paths) => removeBytes(store, paths),
    })
    return { expiredJobsDeleted }
  }

  /** Artifacts that have expired, old tellings of deletions, sessions that nothing shows any more. */
  async #sweepUp({ signal }: Extent): Promise<Partial<Counts>> {
    const { store } = this.#options
    const bounds = { eventsMs: DEFAULTS.deletedEventMs, sessionsMs: DEFAULTS.endedSessionMs, limit: SWEPT_AT_ONCE }
    let most = 0
    do {
      const { artifacts, deletedEvents, sessions, paths } = await store.retention.sweepUp(bounds)
      await removeBytes(store, paths)
      most = Math.max(artifacts, deletedEvents, sessions)
    } while (most >= SWEPT_AT_ONCE && !signal.aborted)
    return {}
  }

  /** A share of all jobs, each time the next; or all of them. */
  async #fixJobs({ isWhole, signal }: Extent): Promise<Partial<Counts>> {
    const { integrity } = this.#options.store
    let validationIssuesFixed = 0
    let after = isWhole ? null : this.#audited
    const most = isWhole ? Number.POSITIVE_INFINITY : AUDITED_PAGES
    for (let pages = 0; pages < most; pages += 1) {
      const { jobs, next } = await integrity.audit({ after, limit: AUDITED_AT_ONCE })
      for (const job of jobs.filter((each) => validateJob(each).some(({ repairable }) => repairable))) {
        validationIssuesFixed += (await integrity.repairJob(job.id)).length
      }
      after = next
      if (next === null || signal.aborted) break
    }
    if (!isWhole) this.#audited = after
    return { validationIssuesFixed }
  }

  async #removeOrphans({ isWhole, signal }: Extent): Promise<Partial<Counts>> {
    const { store, runtime } = this.#options
    if (!isWhole) this.#bytesPart += 1
    const share = isWhole ? { part: 0, parts: 1 } : { part: this.#bytesPart, parts: BYTES_PARTS }
    for await (const orphans of findOrphans(store, { ...share, ageMs: DEFAULTS.orphanFileMs, now: runtime.now() })) {
      await removeBytes(store, orphans)
      if (signal.aborted) break
    }
    return {}
  }
}
