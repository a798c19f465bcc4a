/**
 * A worker whose steps a test decides. It takes one job at a time, and can be held where nothing of it is lost: after the claim, and after
 * each phase whose result has been committed. There the answer of the store is kept back, so that the worker is as it would be at that
 * moment anyway.
 */
import { asObject } from '../client/job.ts'
import type { Duration } from '../core/duration.ts'
import { decodeJson } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import { CHECKPOINT } from '../core/plans.ts'
import type { Claimed, ClaimedJob, PlanCall, PlanResult } from '../store/claims.ts'
import type { Handler } from '../worker/handler.ts'
import type { WorkerReport } from '../worker/worker-report.ts'
import type { Worker } from '../worker/worker.ts'
import { errorOf, failure } from './failure.ts'
import { TestProcess } from './test-process.ts'
import type { Surroundings } from './test-process.ts'

export interface TestWorkerOptions {
  /** Default `'30s'`. */
  readonly lease?: Duration
}

/** The job that a worker has in hand. */
export interface JobInHand {
  readonly id: string
  readonly type: string
  readonly attempt: number
  readonly generation: number
  /** Grows with every claim. */
  readonly fence: number
  /** The first phase that is not done; null: only the completion is missing. */
  readonly nextPhase: string | null
}

/** Where it stopped. */
type Halt =
  | { readonly at: 'claim'; readonly job: ClaimedJob }
  | { readonly at: 'phase'; readonly result: Json }
  | { readonly at: 'end'; readonly report: WorkerReport }
  | { readonly at: 'crash' }

/** Where it is to be held: after the claim, after a phase, or nowhere. */
type HoldAt = { readonly claim: true } | { readonly phase: string } | null

export class TestWorker {
  readonly #process: TestProcess
  readonly #surroundings: Surroundings
  readonly #crashed = Promise.withResolvers<Halt>()
  #worker: Worker | null = null
  #job: ClaimedJob | null = null
  /** Names of the phases that are done. */
  readonly #done = new Set<string>()
  #running: Promise<Halt> | null = null
  #holdAt: HoldAt = null
  #sessionLost = false
  #onHeld: (halt: Halt) => void = () => {}
  #letGo: () => void = () => {}

  /** @internal */
  constructor(surroundings: Surroundings, service: string) {
    this.#surroundings = surroundings
    this.#process = new TestProcess(surroundings, service, {
      claimed: async (claimed) => this.#claimed(claimed),
      applied: async (call, result) => this.#applied(call, result),
    })
  }

  /** @internal */
  async open(handlers: readonly Handler[], { lease }: TestWorkerOptions): Promise<void> {
    const options = { manual: true, concurrency: 1, ...(lease === undefined ? {} : { lease }) }
    this.#worker = await this.#process.mill.work(handlers, options)
  }

  /** The service whose worker it is. */
  get service(): string {
    return this.#worker?.service ?? ''
  }

  /** The job that it has taken and not ended; null: none. */
  get inHand(): JobInHand | null {
    return this.#job === null ? null : this.#toHand(this.#job)
  }

  /**
   * Takes a job and holds it before its handler begins.
   *
   * @returns the job; null: there is none to take
   * @throws AssertionError if it has one in hand, or has crashed
   */
  async claimOnce(): Promise<JobInHand | null> {
    if (this.#job !== null) throw this.#cannot('claimOnce', `it has job ${this.#job.claim.jobId} in hand`)
    const halt = await this.#go({ claim: true }, 'claimOnce')
    return halt.at === 'claim' ? this.#toHand(halt.job) : null
  }

  /**
   * Runs the job in hand, or one that it takes, until that phase is done and its result committed, and holds it there. The last phase ends
   * the job.
   *
   * @returns what the phase returned, as the later phases get it
   * @throws AssertionError if there is no job to take, if the phase is not one that comes next, or if it does not come to its good end
   */
  async runPhase(name: string): Promise<Json> {
    const job = this.#job ?? (await this.#take('runPhase'))
    const names = job.phaseNames
    if (!names.includes(name) || this.#done.has(name)) {
      const next = names.filter((phase) => !this.#done.has(phase)).join(', ')
      throw this.#cannot(
        'runPhase',
        `"${name}" is none of the phases of job ${job.claim.jobId} that are to come: ${next}`,
      )
    }
    const halt = await this.#go({ phase: name }, 'runPhase')
    if (halt.at === 'phase') return halt.result
    return this.#lastResult(job, name)
  }

  /** Goes on with the job in hand, or takes one, runs it to its end, and reports. */
  async runOnce(): Promise<WorkerReport> {
    const halt = await this.#go(null, 'runOnce')
    if (halt.at === 'end') return halt.report
    throw this.#cannot('runOnce', 'it was held meanwhile')
  }

  /** Runs until that phase is done and its result committed, and crashes there. */
  async crashAfterPhase(name: string): Promise<void> {
    await this.runPhase(name)
    await this.crash()
  }

  /**
   * Its process dies. What it has in hand stays as it is until its lease has run out and somebody looks: `clock.advance('31s')`, then
   * `mill.maintenance.runOnce()`. Its handler can't be ended, but gets no answer of Millrace any more.
   */
  async crash(): Promise<void> {
    this.#crashed.resolve({ at: 'crash' })
    this.#job = null
    await this.#process.view.die()
  }

  /**
   * Its lease is lost, as after a pause of its whole process: its jobs are back in the queue, and it does not know. Go on with `runOnce()` or
   * `runPhase()`: whatever it still writes is refused.
   */
  async loseLease(): Promise<void> {
    const { store, runtime } = this.#surroundings
    await this.#process.view.endSessions()
    await store.claims.sweep({ graceMs: 0, random: runtime.random() })
  }

  /** @internal */
  async end(): Promise<void> {
    // Held as it is, it would never come to rest.
    if (this.#job !== null && !this.#process.view.dead) await this.crash()
    await this.#process.end()
  }

  async #take(operator: string): Promise<ClaimedJob> {
    const halt = await this.#go({ claim: true }, operator)
    if (halt.at === 'claim') return halt.job
    const { mill } = this.#process
    const { queued, scheduled, retrying, running } = await mill.counts()
    const there = `queued ${queued}, scheduled ${scheduled}, retrying ${retrying}, running ${running}`
    throw this.#cannot(operator, `there is no job that it could take; jobs: ${there}`)
  }

  /** Lets it go on until it is held, or comes to its end. */
  async #go(holdAt: HoldAt, operator: string): Promise<Halt> {
    if (this.#worker === null || this.#process.view.dead) throw this.#cannot(operator, 'it has crashed')
    const held = Promise.withResolvers<Halt>()
    this.#holdAt = holdAt
    this.#onHeld = held.resolve
    this.#running ??= this.#run(this.#worker)
    this.#letGo()
    const halt = await Promise.race([held.promise, this.#running, this.#crashed.promise])
    if (halt.at === 'crash') throw this.#cannot(operator, 'it crashed meanwhile')
    // Not before it is told: a job may be lost while it is held, and whoever asks next is to hear of that.
    if (halt.at === 'end') [this.#job, this.#running] = [null, null]
    return halt
  }

  async #run(worker: Worker): Promise<Halt> {
    this.#done.clear()
    this.#sessionLost = false
    let report = await worker.runOnce()
    if (this.#sessionLost) {
      // Only the claim has told it. It has a new session by now, and what it came for is to take a job.
      await this.#surroundings.flow.settle()
      report = await worker.runOnce()
    }
    return { at: 'end', report }
  }

  async #claimed({ jobs: [job], sessionLost }: Claimed): Promise<void> {
    this.#sessionLost ||= sessionLost
    if (job === undefined) return
    this.#job = job
    for (const name of job.phaseNames.slice(0, job.phase)) this.#done.add(name)
    if (this.#holdAt !== null && 'claim' in this.#holdAt) await this.#hold({ at: 'claim', job })
  }

  async #applied({ plan, detail, result }: PlanCall, { applied }: PlanResult): Promise<void> {
    if (plan !== CHECKPOINT || !applied || detail === null || result === undefined) return
    const { phase, next } = asObject(decodeJson(detail))
    if (typeof phase !== 'string') return
    this.#done.add(phase)
    // The last one shares its commit with the completion, so there is nothing to hold.
    if (next === null || this.#holdAt === null || !('phase' in this.#holdAt)) return
    if (this.#holdAt.phase === phase) await this.#hold({ at: 'phase', result: decodeJson(result) })
  }

  #hold(halt: Halt): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#letGo = resolve
    this.#onHeld(halt)
    return promise
  }

  async #lastResult({ claim: { jobId, fence }, type }: ClaimedJob, name: string): Promise<Json> {
    const job = await this.#process.mill.get(jobId)
    const phase = job.phases.find((one) => one.name === name)
    if (phase?.state === 'done' && job.fence === fence) return phase.result
    throw failure(
      [
        `The phase "${name}" of job ${jobId} (${type}) did not come to its good end; the job is ${job.state}.`,
        ...errorOf(job),
      ],
      { operator: 'runPhase', actual: job.state, expected: name, cause: job.error ?? undefined },
    )
  }

  #toHand({ claim, type, attempt, generation, phaseNames }: ClaimedJob): JobInHand {
    const nextPhase = phaseNames.find((name) => !this.#done.has(name)) ?? null
    return { id: claim.jobId, type, attempt, generation, fence: claim.fence, nextPhase }
  }

  #cannot(operator: string, why: string): Error {
    return failure([`${operator}: the worker of "${this.service}" can't go on: ${why}.`], { operator })
  }
}
