/** Takes jobs back from workers that died, ends attempts that ran too long, and queues what has come due. The only one that does. */
import { DEFAULTS } from '../core/limits.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { machineProcesses } from '../runtime/processes.ts'
import type { Processes } from '../runtime/processes.ts'
import { Service } from '../runtime/service.ts'
import type { Pass } from '../runtime/service.ts'
import type { SweepReport } from '../store/claims.ts'
import type { ProcessSession } from '../store/sessions.ts'
import { findDead } from './find-dead.ts'
import type { Store } from '../store/store.ts'
import { FRESH_TRUST, isTrusted, judgePass } from './reaper-trust.ts'

export interface ReaperOptions {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  /** By which the dead of this machine are recognised before their leases are over. Default: those of the machine. */
  readonly processes?: Processes
  /** Between two sweeps; default 5 s. */
  readonly sweepMs?: number
  /** How long it waits after passes that were late; default 30 s. */
  readonly leaseMs?: number
  /** How much longer than its deadline and its type's grace an attempt is left to a worker that lives; default 2 s. */
  readonly graceMs?: number
}

export interface ReaperReport extends SweepReport {
  /** The reaper did not trust its own clock, and did nothing. */
  readonly held: boolean
}

const HELD: ReaperReport = {
  sessionsEnded: 0,
  jobsReaped: 0,
  jobsPoisoned: 0,
  jobsTimedOut: 0,
  jobsCancelled: 0,
  jobsPromoted: 0,
  jobsStuck: 0,
  locksCleared: 0,
  held: true,
}
const JITTER = 0.2

/** The service around `store.claims.sweep`. A pass that was asked for by `runOnce()` sweeps in any case. */
export class Reaper {
  readonly #options: Required<ReaperOptions>
  readonly #service: Service<ReaperReport>
  #trust = FRESH_TRUST

  constructor(options: ReaperOptions) {
    const { sweepMs = DEFAULTS.sweepMs, leaseMs = DEFAULTS.leaseMs, graceMs = DEFAULTS.overdueGraceMs } = options
    const { runtime, logger, processes = machineProcesses() } = options
    this.#options = { ...options, processes, sweepMs, leaseMs, graceMs }
    const pass = ({ cause }: Pass): Promise<ReaperReport> => this.#pass(cause)
    this.#service = new Service({ name: 'reaper', runtime, logger, everyMs: sweepMs, jitter: JITTER, pass })
  }

  start(): void {
    this.#service.start()
  }

  runOnce(): Promise<ReaperReport> {
    return this.#service.runOnce()
  }

  stop(): Promise<void> {
    return this.#service.stop()
  }

  /** A sweep for somebody else, beside the passes. By time it is held where a pass would be; asked for it is made in any case. */
  async recover(cause: Pass['cause']): Promise<ReaperReport> {
    const { store, runtime, processes, sweepMs } = this.#options
    const dead = await findDead(store.sessions, processes)
    const now = runtime.now()
    const trusts = isTrusted(this.#trust, { now, everyMs: this.#service.started ? sweepMs : null })
    return cause === 'time' && !trusts ? HELD : this.#sweep(dead)
  }

  async #pass(cause: Pass['cause']): Promise<ReaperReport> {
    const { store, runtime, logger, processes, sweepMs, leaseMs } = this.#options
    // Before the judgement, which speaks of now: the sweep follows it at once.
    const dead = await findDead(store.sessions, processes)
    const judgement = judgePass(this.#trust, { now: runtime.now(), everyMs: sweepMs, leaseMs })
    if (this.#trust.onTime > 0 && judgement.trust.onTime === 0) {
      logger.info('The reaper does not trust its clock; it waits for the sessions to beat again.', { leaseMs })
    }
    this.#trust = judgement.trust
    return cause === 'time' && !judgement.sweep ? HELD : this.#sweep(dead)
  }

  async #sweep(dead: readonly ProcessSession[]): Promise<ReaperReport> {
    const { store, runtime, logger, graceMs } = this.#options
    const report = await store.claims.sweep({ graceMs, random: runtime.random(), dead })
    if (report.sessionsEnded + report.jobsReaped + report.jobsPoisoned > 0) {
      logger.warn('Workers died; their jobs were taken back.', { ...report })
    }
    if (report.jobsStuck > 0)
      logger.warn('Jobs driven by hand were stuck; they were put back or failed.', { ...report })
    return { ...report, held: false }
  }
}
