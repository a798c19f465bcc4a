/** One life of a simulated process, from its start to its crash or its end: a real Millrace with a real worker, on a store of its own over the link. */
import type { Retention } from '../../src/core/retention.ts'
import { Millrace } from '../../src/open-millrace.ts'
import type { Logger } from '../../src/runtime/logger.ts'
import type { Store } from '../../src/store/store.ts'
import type { Handler } from '../../src/worker/handler.ts'
import type { WorkOptions } from '../../src/worker/start-worker.ts'
import type { Worker } from '../../src/worker/worker.ts'
import { isAlive } from '../support/model-state.ts'
import type { ModelStore } from '../support/model-store.ts'
import { FaultyLink } from './faulty-link.ts'
import type { Weather } from './faulty-link.ts'
import type { Ledger } from './ledger.ts'
import type { LogListener } from './log-listener.ts'
import type { Surroundings } from './mill-jobs.ts'
import { noteLine } from './note-rarities.ts'
import type { Probes } from './probes.ts'
import { processRuntime } from './process-runtime.ts'
import type { ProcessRuntime } from './process-runtime.ts'
import type { Referee } from './referee.ts'
import type { Owner, Schedule } from './schedule.ts'
import type { SeededChoice } from './seeded-choice.ts'
import type { StoreClock } from './store-clock.ts'

/** What all processes of a world have in common. */
export interface Scene {
  readonly schedule: Schedule
  readonly model: ModelStore
  readonly clock: StoreClock
  readonly weather: Weather
  readonly referee: Referee
  readonly probes: Probes
  readonly ledger: Ledger
  readonly listener: LogListener
  /** Whether the store is a thread of each process, or a server. */
  readonly near: boolean
  readonly leaseMs: number
  /** The store that a process gets for the one at the end of its link: the same, unless a bug is put into it. */
  readonly storeOf: (store: Store) => Store
}

export interface LifeOptions {
  readonly scene: Scene
  readonly name: string
  readonly choice: SeededChoice
  /** How far the clock of its machine is ahead. */
  readonly aheadMs: () => number
  /** Nothing: it has no worker. */
  readonly handlers: (around: Surroundings) => readonly Handler[]
  readonly work: WorkOptions
  /** It has crashed, or has come to its end. */
  readonly onGone: () => void
}

/** So short that jobs are deleted while their world lasts. */
const SOON = { ageMs: 8_000, count: null }
const RETENTION: Retention = { completed: SOON, failed: SOON, cancelled: SOON }

export class ProcessLife implements Owner {
  readonly link: FaultyLink
  readonly mill: Millrace
  worker: Worker | null = null
  readonly #options: LifeOptions
  readonly #runtime: ProcessRuntime
  readonly #model: ModelStore
  #life: Owner['life'] = 'going'
  #isBlocked = false
  #isSuspended = false
  #isEnding = false
  #hasStarted = false
  /** Of its threads, which go on while it is blocked. */
  readonly #thread: Owner

  constructor(options: LifeOptions) {
    this.#options = options
    const { scene, name, choice, aheadMs } = options
    const isSuspended = (): boolean => this.#isSuspended
    const lifeOf = (): Owner['life'] => this.#life
    this.#thread = {
      get life() {
        if (lifeOf() === 'gone') return 'gone'
        return isSuspended() ? 'stopped' : 'going'
      },
    }
    const model = scene.model.another()
    this.#model = model
    this.#runtime = processRuntime({ schedule: scene.schedule, owner: this, choice: choice.fork(), aheadMs })
    this.link = new FaultyLink({ ...scene, name, model, choice: choice.fork(), caller: this, thread: this.#thread })
    this.mill = new Millrace({
      store: scene.storeOf(this.link.store),
      runtime: this.#runtime,
      logger: this.#logger(),
      service: 'mill',
      version: null,
      retention: RETENTION,
      maintenance: null,
    })
  }

  get life(): Owner['life'] {
    if (this.#life === 'gone') return 'gone'
    return this.#isBlocked || this.#isSuspended ? 'stopped' : 'going'
  }

  /** Its worker is there, or it listens, and it can reach the store. */
  get hasBegun(): boolean {
    return this.#hasStarted && !this.link.isCut
  }

  get isEnding(): boolean {
    return this.#isEnding
  }

  /** Whether it can take jobs, as far as the store is concerned. */
  get hasSession(): boolean {
    const { state } = this.#model
    return [...state.kept].some((holder) => isAlive(state, holder))
  }

  /** Whether more jobs run here than there are slots. */
  get isOverfull(): boolean {
    return this.worker !== null && this.worker.running > (this.#options.work.concurrency ?? 0)
  }

  /** Starts the worker, or listens. A process that can't ends. */
  async start(): Promise<void> {
    const { handlers, work, scene, name } = this.#options
    const given = handlers(this.#surroundings())
    this.link.startBeats(Math.floor(scene.leaseMs / 3))
    try {
      if (given.length === 0) await scene.listener.listen(this.mill)
      else this.worker = await this.mill.work(given, work)
      this.#hasStarted = true
    } catch {
      scene.referee.note(`${name} could not begin`)
      this.crash()
    }
  }

  /** Everything of it vanishes, but for calls that are on their way. */
  crash(): void {
    if (this.#life === 'gone') return
    this.#life = 'gone'
    this.link.die()
    this.#options.onGone()
  }

  suspend(): void {
    this.#isSuspended = true
  }

  /** What came due meanwhile happens now; the clocks have gone on. */
  resume(): void {
    const { schedule } = this.#options.scene
    this.#isSuspended = false
    schedule.release(this.#thread)
    if (!this.#isBlocked) schedule.release(this)
  }

  /** Closes its Millrace, as a program does that is told to stop, and ends. */
  async end(): Promise<void> {
    const { scene, name } = this.#options
    this.#isEnding = true
    let isAtRest = true
    try {
      await this.mill.close()
      scene.probes.see('a process stopped in good order')
    } catch {
      isAtRest = false
      scene.probes.see('a worker did not come to rest in time')
    }
    if (isAtRest && this.worker !== null && this.worker.running !== 0) {
      scene.referee.accuse('a worker that has stopped runs nothing', `${name} runs ${this.worker.running}`)
    }
    // Not at once: what was to happen in the next turn happens first.
    scene.schedule.add(scene.schedule.now, () => this.#gone(isAtRest), this)
  }

  #gone(isAtRest: boolean): void {
    const { scene, name } = this.#options
    const waiting = this.#runtime.waiting()
    if (isAtRest && waiting > 0) {
      scene.referee.accuse('a process that has come to its end leaves no timer', `${name} leaves ${waiting}`)
    }
    this.crash()
  }

  #surroundings(): Surroundings {
    const { scene, choice } = this.#options
    const { referee, ledger, probes } = scene
    return {
      wait: (ms) => this.wait(choice.between(Math.ceil(ms / 2), Math.ceil(ms) + 1)),
      block: (ms) => this.#block(ms),
      crash: () => {
        probes.see('a process crashed')
        this.crash()
      },
      begins: (context) => referee.begins(this, context),
      did: (context) => ledger.enter(context),
      stoppedByCancel: () => probes.see('a handler stopped when it was cancelled'),
      endedLate: () => probes.see('a handler that was left to itself ended'),
    }
  }

  /** No timer of Millrace's: handlers, and people, may leave theirs behind. */
  wait(ms: number): Promise<void> {
    const { schedule } = this.#options.scene
    const { promise, resolve } = Promise.withResolvers<void>()
    schedule.add(schedule.now + ms, resolve, this)
    return promise
  }

  #block(ms: number): Promise<void> {
    const { schedule, probes } = this.#options.scene
    probes.see('a process held up its own thread')
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#isBlocked = true
    const goOn = (): void => {
      // In the order of things: first the handler that held the thread, then all that came in.
      resolve()
      this.#isBlocked = false
      if (!this.#isSuspended) schedule.release(this)
    }
    schedule.add(schedule.now + ms, goOn, this.#thread)
    return promise
  }

  #logger(): Logger {
    const { scene, name } = this.#options
    const line = (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      noteLine(scene.probes, message, fields['cause'])
      if (!message.startsWith('A bug in Millrace')) return
      scene.referee.accuse('no bug is logged', `${name}: ${message} ${String(fields['error'])}`)
    }
    return { infoWanted: true, info: line, warn: line, error: line }
  }
}
