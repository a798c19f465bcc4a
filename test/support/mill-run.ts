/** A mill at work while something goes wrong: workers, producers, somebody who follows the log; and in the end the account of it all. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { FINAL_STATES, JOB_STATES } from '../../src/index.ts'
import type { JobEvent, Millrace, WorkOptions } from '../../src/index.ts'
import { grain, mouldy, sack } from '../guarantees/programs/mill-jobs.ts'
import type { Effect } from '../guarantees/programs/mill-jobs.ts'
import type { ChildProgram } from './child-program.ts'
import { readLog } from './job-history.ts'
import { followLog } from './log-follower.ts'
import type { LogFollower } from './log-follower.ts'
import { assertAccounts, listAll, readEffects } from './mill-accounts.ts'
import type { TestMill } from './open-test-mill.ts'
import { readLines } from './read-lines.ts'
import { take, within } from './wait-for-event.ts'

export const LEASE_MS = 1_000
const SWEEP_MS = 200
/** For whoever is to keep what he has, however busy the machine is: a beat has to come while he works, and may come late. */
export const STEADY: WorkOptions = { concurrency: 4, lease: 5_000, drain: '1s' }
/** More than the lease of whoever is steady. */
export const STEADY_WORK_MS = 6_000
/** Beyond lease and sweep, for the work itself on a busy machine: less than the usual time-outs of a statement and a connection. */
const SLACK_MS = 8_000
/** Between two batches of a producer. */
const PACE_MS = 150

const UNFINISHED = JOB_STATES.filter((state) => !FINAL_STATES.some((final) => final === state))

type Random = () => number

export interface MillRunOptions {
  readonly opened: TestMill
  readonly random: Random
  readonly context: TestContext
}

interface SettleOptions {
  readonly heldUpMs?: number
  readonly mayLose?: boolean
}

export class MillRun {
  readonly #options: MillRunOptions
  readonly #follower: LogFollower
  readonly #effects: string
  readonly #workers: ChildProgram[] = []
  readonly #producers: (() => Promise<void>)[] = []
  readonly #acknowledged: string[] = []

  constructor(options: MillRunOptions, follower: LogFollower) {
    this.#options = options
    this.#follower = follower
    this.#effects = join(options.opened.folder, 'effects')
  }

  /** A process of its own, which is to live through whatever comes. The facts may say another way to the database. */
  async startWorker(facts: object = {}, command: readonly string[] = []): Promise<ChildProgram> {
    const options = { concurrency: 4, lease: LEASE_MS, drain: '1s' }
    const worker = this.#options.opened.start('mill-worker', { effects: this.#effects, options, ...facts }, command)
    this.#workers.push(worker)
    await worker.hear('ready')
    return worker
  }

  /** A process of its own that enqueues until the faults are over. */
  async startProducer(facts: object = {}, command: readonly string[] = []): Promise<void> {
    const acknowledged = join(this.#options.opened.folder, `acknowledged-${this.#producers.length}.txt`)
    const producer = this.#options.opened.start('mill-producer', { acknowledged, batch: 4, ...facts }, command)
    await producer.hear('ready')
    const stopping = new AbortController()
    const ordering = (async () => {
      while (!stopping.signal.aborted) {
        producer.tell('produce')
        await take(PACE_MS)
      }
    })()
    this.#producers.push(async () => {
      stopping.abort()
      await ordering
      await producer.kill()
      this.#acknowledged.push(...readLines(acknowledged))
    })
  }

  /** Enqueues a few jobs at a time, in every way there is, until the faults are over. */
  produce(mill: Millrace): void {
    const stopping = new AbortController()
    const producing = (async () => {
      while (!stopping.signal.aborted) {
        await this.#enqueueBatch(mill)
        await take(PACE_MS)
      }
    })()
    // Whoever settles finds out.
    producing.catch(() => undefined)
    this.#producers.push(() => {
      stopping.abort()
      return producing
    })
  }

  async #enqueueBatch(mill: Millrace): Promise<void> {
    const { random } = this.#options
    const input = { flaky: random() % 4 === 0, slow: random() % 6 === 0 }
    const key = `order-${random()}`
    const [one, first, second, many] = await Promise.all([
      mill.enqueue(grain, input),
      mill.enqueue(sack, input, { key }),
      mill.enqueue(sack, input, { key }),
      mill.enqueueMany([grain, sack, mouldy].map((definition) => ({ definition, input }))),
    ])
    assert.deepEqual([first.outcome, second.outcome, first.job.id], ['created', 'duplicate', second.job.id])
    this.#acknowledged.push(one.job.id, first.job.id, ...many.map(({ job }) => job.id))
  }

  /**
   * Now that nothing goes wrong any more: fails unless everything is done, once, each worker goes on by itself, the log was told whole, and no
   * job was stuck.
   *
   * @param heldUpMs how long the fault itself kept everybody from working
   * @param mayLose whether a worker may have lost a job to another
   */
  async settle({ heldUpMs = 0, mayLose = true }: SettleOptions = {}): Promise<void> {
    const { opened, context } = this.#options
    for (const stop of this.#producers) await within('the answers to the producers', stop())
    await this.#allDone()
    await this.#eachWorkerGoesOn()
    await this.#allDone()
    for (const worker of this.#workers) await worker.kill()
    const jobs = await assertAccounts(opened, { acknowledged: this.#acknowledged, effects: this.#readEffects() })
    await this.#follower.assertHeardAll(opened.mill)
    const silence = longestSilence(await readLog(opened.mill))
    const lost = jobs.flatMap(({ attempts }) => attempts.filter(({ outcome }) => outcome === 'lost')).length
    context.diagnostic(`${jobs.length} jobs, ${lost} attempts lost, the longest silence of a job ${silence.ms} ms`)
    assert.ok(mayLose || lost === 0, `${lost} attempts were lost`)
    assert.ok(
      silence.ms <= LEASE_MS + SWEEP_MS + SLACK_MS + heldUpMs,
      `a job was stuck for ${silence.ms} ms: ${silence.of}`,
    )
  }

  async #allDone(): Promise<void> {
    const { mill } = this.#options.opened
    for (const { id } of await listAll(mill, { state: UNFINISHED })) await mill.waitFor(id, { timeout: '30s' })
  }

  async #eachWorkerGoesOn(): Promise<void> {
    const { mill } = this.#options.opened
    const begunAt = this.#readEffects().reduce((latest, { at }) => Math.max(latest, at), 0)
    const idle = (): boolean => {
      const pids = new Set(
        this.#readEffects()
          .filter(({ at }) => at > begunAt)
          .map(({ pid }) => pid),
      )
      return this.#workers.some(({ pid }) => !pids.has(pid))
    }
    const goOn = async (): Promise<void> => {
      while (idle()) {
        const items = Array.from({ length: 20 }, () => ({ definition: sack, input: { flaky: false, slow: true } }))
        const added = await mill.enqueueMany(items)
        this.#acknowledged.push(...added.map(({ job }) => job.id))
        for (const { job } of added) await mill.waitFor(job, { timeout: '10s' })
      }
    }
    await within('a new job at each worker', goOn())
  }

  #readEffects(): readonly Effect[] {
    return readEffects(this.#effects)
  }
}

/** After these the next event is a matter of moments. */
const ON_THE_WAY: ReadonlySet<string> = new Set(['job:queued', 'job:started', 'phase:completed'])

interface Silence {
  readonly ms: number
  /** Whose, and between which words. */
  readonly of: string
}

/** The longest that a job waited for a worker, or was under way at one, without a word of it in the log. */
function longestSilence(log: readonly JobEvent[]): Silence {
  let longest: Silence = { ms: 0, of: 'no job' }
  for (const [id, events] of Map.groupBy(log, ({ jobId }) => jobId)) {
    for (const [index, { name, at }] of events.slice(1).entries()) {
      const before = events[index]
      if (before === undefined || !ON_THE_WAY.has(before.name) || at - before.at <= longest.ms) continue
      longest = {
        ms: at - before.at,
        of: `${id} after ${before.name} (${index + 1} of ${events.length}), before ${name}`,
      }
    }
  }
  return longest
}

export async function startMillRun(options: MillRunOptions): Promise<MillRun> {
  const { mill, sweepEvery } = options.opened
  sweepEvery(SWEEP_MS)
  return new MillRun(options, await followLog(mill))
}
