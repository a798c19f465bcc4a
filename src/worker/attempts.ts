/**
 * The attempts of one worker. Each is in one of these places:
 *
 *     running ──────────▶ settling ──▶ gone        its handler ended, what came of it is on its way into the store
 *        │                    ▲
 *        ├── grace over ──────┴──▶ abandoned       its handler runs on; whatever it writes is refused
 *        └── claim lost ─────────▶ abandoned
 *
 * Only a running attempt takes a slot. What becomes of an abandoned one's handler is in `left-handlers.ts`.
 */
import { MillraceError } from '../core/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { Pauses } from '../runtime/pause.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { ClaimedJob, PlanResult } from '../store/claims.ts'
import type { Store } from '../store/store.ts'
import { Alarms } from './alarms.ts'
import { Attempt } from './attempt.ts'
import type { AttemptCall } from './attempt-call.ts'
import type { AttemptHost } from './attempt.ts'
import type { AttemptsOptions } from './attempts-options.ts'
import type { Answer } from './claim-loop.ts'
import { logEnd, logLost, logStart } from './attempt-logs.ts'
import type { Delivery } from './deliver.ts'
import { INSTEAD, endingAfter, failureInstead } from './ending.ts'
import type { Ending } from './ending.ts'
import { SentCall, SentEnding } from './sent.ts'
import type { Outcomes } from './sent.ts'
import { LeftHandlers } from './left-handlers.ts'
import { InterruptionWatch, KNOWN_FOR_MS } from './interruption-watch.ts'
import { AttemptRun } from './attempt-run.ts'
import type { RunHost } from './attempt-run.ts'
import { leaseLostStop, notBegunStop, shutdownStop, timeOutStop } from './stop.ts'
import type { Stop } from './stop.ts'
import { Together } from './together.ts'
import type { Sent } from './together.ts'
import type { TurnBudget } from './turn-budget.ts'
import { WaitingJobs } from './waiting-jobs.ts'
import { countOf, emptyTally } from './worker-report.ts'
import type { WorkerReport, WorkerTally } from './worker-report.ts'

export class Attempts implements AttemptHost, RunHost {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  readonly turns: TurnBudget
  readonly #options: AttemptsOptions
  /** Taken ahead: they wait for a slot. */
  readonly #waiting: WaitingJobs
  readonly #running = new Set<Attempt>()
  /** How many attempts are on their way into the store. */
  #settling = 0
  readonly #left: LeftHandlers
  readonly #alarms: Alarms<Attempt>
  readonly #watch: InterruptionWatch
  readonly #pauses = new Pauses()
  readonly #together: Together
  readonly #outcomes: Outcomes
  #tally: WorkerTally = emptyTally()
  #beginning = false
  #delayed = 0
  #shuttingDown = false
  #closed = false
  #onRest: (() => void)[] = []

  constructor(options: AttemptsOptions) {
    const { store, runtime, logger, turns } = options
    this.store = store
    this.runtime = runtime
    this.logger = logger
    this.turns = turns
    this.#options = options
    this.#waiting = new WaitingJobs({ ...options, onGiveBack: (jobs) => this.#giveBack(jobs, notBegunStop) })
    this.#together = new Together({ store, turns, deliveryOf: (sent) => this.#deliveryOf(sent) })
    this.#outcomes = {
      kept: (attempt, call, result) => this.#kept(attempt, call, result),
      settled: (attempt, ending, result) => this.#settled(attempt, ending, result),
      broken: (attempt, error) => this.broken(attempt, error),
    }
    this.#alarms = new Alarms(runtime, (attempt) => this.#ring(attempt))
    this.#watch = new InterruptionWatch({ store, runtime, logger, running: this.#running })
    this.#left = new LeftHandlers({
      host: this,
      end: (attempt) => options.cells?.end(attempt),
      alarm: (attempt, ms) => this.#alarms.set(attempt, runtime.monotonic() + ms),
      onAbandoned: options.onAbandoned,
      onRest: () => this.#restMaybe(),
    })
  }

  get running(): number {
    return this.#running.size
  }

  get abandoned(): number {
    return this.#left.abandoned
  }

  /** Jobs that have been taken ahead of their slots. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Results wait for the store, or very many are on their way: to take more jobs would only make more of them. */
  get delayed(): boolean {
    return this.#delayed > 0 || this.#settling >= MOST_SETTLING
  }

  get resting(): boolean {
    const isEmpty = this.#running.size === 0 && this.#settling === 0 && this.#waiting.size === 0
    return isEmpty && this.#left.resting
  }

  get deafSince(): number | null {
    return this.#watch.deafSince
  }

  within<T>(run: () => T): T {
    return this.#options.within(run)
  }

  lookNow(attempt: Attempt, everyMs?: number): void {
    this.#watch.lookNow(attempt, everyMs)
  }

  /** The longest that a handler that runs may take to stop. */
  get longestGraceMs(): number {
    return Math.max(0, ...[...this.#running].map(({ job }) => job.policy.cancelGraceMs))
  }

  /** What became of the jobs since this was last asked. */
  takeReport(): WorkerReport {
    const report = this.#tally
    this.#tally = emptyTally()
    return report
  }

  /** Begins the jobs, as many at a time as there are slots. */
  take(answer: Answer): void {
    this.#waiting.add(answer)
    this.#beginWaiting()
  }

  #beginWaiting(): void {
    while (this.#running.size < this.#options.concurrency && this.#waiting.size > 0) {
      let now = this.runtime.monotonic()
      if (now - this.#waiting.askedAt >= KNOWN_FOR_MS) {
        this.#waiting.ask((jobs) => this.#watch.stopsOf(jobs))
        now = this.runtime.monotonic()
      }
      const job = this.#waiting.next()
      if (job === undefined) break
      this.#begin(job, this.#shuttingDown ? shutdownStop(job.claim.jobId) : this.#waiting.stopOf(job), now)
    }
    this.#waiting.watch()
  }

  #noteSlot({ job, startedAt, unbegun }: Attempt): void {
    if (!unbegun) this.#options.ahead.note(job, this.runtime.monotonic() - startedAt)
  }

  /** They are told to stop before they begin. */
  #giveBack(jobs: readonly ClaimedJob[], stopOf: (jobId: string) => Stop): void {
    const now = this.runtime.monotonic()
    for (const job of jobs) this.#begin(job, stopOf(job.claim.jobId), now)
  }

  #begin(job: ClaimedJob, stop: Stop | null, now: number): void {
    const handler = this.#options.handlers.get(job.type)
    if (handler === undefined) throw new MillraceError('handler-unknown', `There is no handler for ${job.type}.`)
    const attempt = new Attempt(job, handler, this, now)
    this.#tally.claimed += 1
    this.#running.add(attempt)
    this.#watch.began()
    if (stop === null) logStart(attempt)
    else {
      attempt.unbegun = true
      attempt.interrupt(stop)
    }
    new AttemptRun(attempt, this).begin()
    // One that has ended already needs no alarm. One that has been given more time, or told to stop, has its own.
    const { deadlineAt, startedAt } = job
    if (deadlineAt === null || !this.#running.has(attempt) || this.#alarms.get(attempt) !== undefined) return
    this.#alarms.set(attempt, attempt.startedAt + deadlineAt - startedAt)
  }

  /** Something was committed. */
  changed(): void {
    this.#watch.changed()
  }

  /** The session is gone, and every claim with it. */
  loseAll(): void {
    this.#tally.lost += this.#waiting.takeAll().length
    for (const attempt of this.#running) attempt.interrupt(leaseLostStop(attempt.job.claim.jobId, 'heartbeat'))
  }

  /** Tells every handler to stop, and those that begin from now on. */
  shutDown(): void {
    this.#shuttingDown = true
    for (const attempt of this.#running) attempt.interrupt(shutdownStop(attempt.job.claim.jobId))
    this.#giveBack(this.#waiting.takeAll(), shutdownStop)
  }

  /** Ends every attempt whose handler still runs. Answers how many. */
  abandonAll(): number {
    const left = [...this.#running]
    for (const attempt of left) this.#abandon(attempt)
    return left.length
  }

  /** Resolves when nothing runs and everything that ended is in the store. */
  rest(): Promise<void> {
    if (this.resting) return Promise.resolve()
    return new Promise((resolve) => this.#onRest.push(resolve))
  }

  /** What is not in the store by now is not tried again. */
  close(): void {
    this.#closed = true
    this.#pauses.endAll()
    this.#waiting.close()
    this.#watch.close()
    this.#left.close()
    this.#alarms.close()
  }

  /** Resolves when the stops of handlers that have come to rest are in the store. */
  noted(): Promise<void> {
    return this.#left.noted()
  }

  stopped(attempt: Attempt, stop: Stop, earlier: Stop | null): void {
    if (stop.cause === 'lease-lost') this.#drop(attempt)
    // A shutdown waits by its own clock, and who has been given a grace gets no second one.
    else if (stop.cause !== 'shutdown' && (earlier === null || earlier.cause === 'shutdown')) {
      this.#alarms.set(attempt, this.runtime.monotonic() + attempt.job.policy.cancelGraceMs)
    }
  }

  extended(attempt: Attempt, timeoutMs: number): void {
    if (attempt.stop === null && !attempt.over) this.#alarms.set(attempt, this.runtime.monotonic() + timeoutMs)
  }

  async runElsewhere(attempt: Attempt): Promise<string> {
    const { cells } = this.#options
    // It needs no thread or process to learn that it may not begin.
    if (attempt.stop !== null) throw attempt.stop.error
    if (cells === null) throw new RangeError('a handler that is not inline has nowhere to run')
    return cells.run(attempt)
  }

  keep(run: AttemptRun, call: AttemptCall): void {
    this.#together.add(new SentCall(run, call, this.#outcomes))
  }

  #kept(attempt: Attempt, { plan }: AttemptCall, result: PlanResult | null): boolean {
    if (result?.applied === true) {
      attempt.notice(result.row)
      return !attempt.over
    }
    // It had been kept already, and the answer was lost.
    if (result?.refusal === 'phase-moved') return !attempt.over
    attempt.interrupt(leaseLostStop(attempt.job.claim.jobId, plan.name))
    return false
  }

  settle(attempt: Attempt, ending: Ending): void {
    if (ending.failure !== null) attempt.flushProgress()
    attempt.end()
    this.#alarms.clear(attempt)
    // It may be settled a second time, when the first ending was not the right one.
    if (this.#running.delete(attempt)) this.#noteSlot(attempt)
    if (!attempt.settling) this.#settling += 1
    attempt.settling = true
    this.#slotFreed()
    this.#together.add(new SentEnding(attempt, ending, this.#outcomes))
  }

  handlerEnded(attempt: Attempt): void {
    this.#alarms.clear(attempt)
    this.#left.ended(attempt)
  }

  broken(attempt: Attempt, error: unknown): void {
    attempt.end()
    this.#alarms.clear(attempt)
    this.#running.delete(attempt)
    this.#noLongerSettling(attempt)
    this.logger.error('A bug in Millrace: an attempt broke off. Its job is run again after its lease.', {
      jobId: attempt.job.claim.jobId,
      error,
    })
    this.#slotFreed()
    this.#restMaybe()
  }

  #deliveryOf(sent: Sent): Delivery {
    const { attempt, calls } = sent
    return {
      host: this,
      calls,
      pauses: this.#pauses,
      mayTryAgain: () => sent.isWanted() && !this.#closed && this.#options.holds(attempt.job.claim.holder),
      onDelay: (delayed) => {
        this.#delayed += delayed ? 1 : -1
        if (!this.delayed) this.#options.onSlotFree()
      },
    }
  }

  #settled(attempt: Attempt, ending: Ending, result: PlanResult | null): void {
    if (result?.applied === false && INSTEAD.has(result.refusal) && ending.failure !== null) {
      this.settle(attempt, failureInstead(attempt, ending.failure, this.runtime.random()))
      return
    }
    this.#noLongerSettling(attempt)
    if (this.#settling === MOST_SETTLING - 1) this.#options.onSlotFree()
    if (ending.failure !== null) this.#left.settled(attempt)
    if (result?.applied === true) {
      this.#tally[countOf(result.row.state)] += 1
      logEnd(attempt, ending, result.row)
    } else {
      this.#tally.lost += 1
      if (result !== null) logLost(attempt)
    }
    this.#restMaybe()
  }

  #noLongerSettling(attempt: Attempt): void {
    if (attempt.settling) this.#settling -= 1
    attempt.settling = false
  }

  #ring(attempt: Attempt): void {
    // It has had its time to notice, or to be ended.
    if (attempt.over) this.#left.ring(attempt)
    else if (attempt.stop === null) this.#timeOut(attempt)
    // The alarm of an old deadline. How long a shutdown waits is up to its own clock.
    else if (attempt.stop.cause !== 'shutdown' || !this.#shuttingDown) this.#abandon(attempt)
  }

  #timeOut(attempt: Attempt): void {
    const { claim, policy } = attempt.job
    const tookMs = Math.round(this.runtime.monotonic() - attempt.startedAt)
    attempt.interrupt(timeOutStop(claim.jobId, policy.timeoutMs === null ? tookMs : Math.max(policy.timeoutMs, tookMs)))
  }

  /** Its end is written without its handler, which fills no slot any more. */
  #abandon(attempt: Attempt): void {
    const { claim, type } = attempt.job
    const error = attempt.stop?.error
    this.settle(attempt, endingAfter(attempt, { error, now: this.runtime.now(), random: this.runtime.random() }))
    this.logger.warn('A handler did not stop when it was told to; its job ends without it.', {
      jobId: claim.jobId,
      jobType: type,
      cause: attempt.stop?.cause,
    })
    this.#left.leave(attempt)
  }

  #drop(attempt: Attempt): void {
    if (!this.#running.delete(attempt)) return
    this.#noteSlot(attempt)
    this.#left.lose(attempt)
    this.#alarms.set(attempt, this.runtime.monotonic() + attempt.job.policy.cancelGraceMs)
    this.#tally.lost += 1
    logLost(attempt)
    this.#slotFreed()
    this.#restMaybe()
  }

  #restMaybe(): void {
    if (!this.resting) return
    const waiting = this.#onRest
    this.#onRest = []
    for (const resolve of waiting) resolve()
    this.#options.onRest()
  }

  #slotFreed(): void {
    if (this.#waiting.size > 0) this.#beginSoon()
    this.#options.onSlotFree()
  }

  /** Not within the end of another attempt, or a thousand of them would stand on the stack. */
  #beginSoon(): void {
    if (this.#beginning) return
    this.#beginning = true
    queueMicrotask(() => {
      this.#beginning = false
      this.#beginWaiting()
    })
  }
}

const MOST_SETTLING = 4_000
