/**
 * A simulated world: a few processes, each with a real Millrace and a real worker, over one simulated store, with people who interfere and
 * with everything going wrong. One seed makes one world, in one thread, without real time: the same seed does the same again.
 *
 * First come the troubled times, in which it is looked at after every step whether everything holds that must hold always. Then nothing goes
 * wrong any more, and everything must come to its end.
 */
import type { Store } from '../../src/store/store.ts'
import type { Defect, ModelState } from '../support/model-state.ts'
import { openModelStore } from '../support/model-store.ts'
import { judgeEnd, judgeStandstill } from './last-judgement.ts'
import { FAIR } from './faulty-link.ts'
import { Ledger } from './ledger.ts'
import { LogListener } from './log-listener.ts'
import { EVERYTHING, ONLY_QUICK } from './mill-jobs.ts'
import { People } from './people.ts'
import type { Scene } from './process-life.ts'
import { Probes } from './probes.ts'
import { describe, Referee } from './referee.ts'
import type { Violation } from './referee.ts'
import { Schedule } from './schedule.ts'
import { SeededChoice } from './seeded-choice.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { StoreClock } from './store-clock.ts'
import { Trouble } from './trouble.ts'

export interface WorldOptions {
  readonly seed: number
  /** How many things people do and how many go wrong, together; default 40. */
  readonly acts?: number
  /** Told of everything that happens, for whoever reads along. */
  readonly onLine?: (line: string) => void
  /** Bugs that are put in on purpose. */
  readonly planted?: Planted
}

export interface Planted {
  /** The plan that the store carries out for another. */
  readonly plan?: Defect
  /** Done to the store before each sweep. */
  readonly beforeSweep?: (state: ModelState) => void
  /** The store that processes get instead of theirs. */
  readonly store?: (store: Store) => Store
}

export interface WorldReport {
  readonly seed: number
  readonly steps: number
  readonly jobs: number
  /** Of the world's own clock. */
  readonly lastedMs: number
  readonly probes: Probes
  /** Null: everything held. */
  readonly violation: (Violation & { readonly atMs: number; readonly step: number }) | null
}

const DEFAULT_ACTS = 40
const LEASE_MS = 3_000
/** However long it takes until all is at rest: retries, leases, graces, patience with the store, and reapers that wait. */
const LONGEST_REST_MS = 300_000

export async function runWorld(options: WorldOptions): Promise<WorldReport> {
  const world = new World(options)
  const onRejection = (error: unknown): void => world.accuse('no promise is left to fail unheard', String(error))
  process.on('unhandledRejection', onRejection)
  try {
    return await world.run()
  } finally {
    process.off('unhandledRejection', onRejection)
  }
}

class World {
  readonly #options: WorldOptions
  readonly #choice: SeededChoice
  readonly #scene: Scene
  /** Where people come in; it has no worker. */
  readonly #desk: SimulatedProcess
  readonly #processes: readonly SimulatedProcess[]
  readonly #people: People
  readonly #trouble: Trouble
  readonly #isBurst: boolean
  #steps = 0

  constructor(options: WorldOptions) {
    const { seed, planted = {} } = options
    const choice = new SeededChoice(seed)
    const probes = new Probes()
    const schedule = new Schedule()
    const model = openModelStore(planted.plan)
    const referee = new Referee(model.state, probes)
    if (planted.beforeSweep !== undefined) referee.beforeSweep = planted.beforeSweep
    this.#options = options
    this.#choice = choice
    this.#isBurst = choice.chance(0.08)
    this.#scene = {
      schedule,
      model,
      referee,
      probes,
      clock: new StoreClock(schedule, model, probes),
      weather: { ...FAIR },
      ledger: new Ledger(),
      listener: new LogListener(model.state, referee),
      near: choice.chance(0.4),
      leaseMs: LEASE_MS,
      storeOf: planted.store ?? ((store) => store),
    }
    const names = choice.chance(0.3) ? ['a', 'b', 'c'] : ['a', 'b']
    this.#desk = new SimulatedProcess('desk', 'desk', this.#scene, choice.fork())
    this.#processes = [
      this.#desk,
      ...names.map((name) => new SimulatedProcess(name, this.#isBurst ? 'quick' : 'all', this.#scene, choice.fork())),
    ]
    this.#people = new People(this.#scene, choice.fork(), this.#isBurst ? ONLY_QUICK : EVERYTHING)
    this.#trouble = new Trouble(this.#scene, choice.fork(), this.#processes)
  }

  accuse(invariant: string, facts: string): void {
    this.#scene.referee.accuse(invariant, facts)
  }

  async run(): Promise<WorldReport> {
    await this.#turn()
    await this.#troubledTimes()
    await this.#quietTimes()
    const { schedule, model, probes, referee } = this.#scene
    const { violation } = referee
    return {
      seed: this.#options.seed,
      steps: this.#steps,
      jobs: model.state.jobs.size,
      lastedMs: schedule.now,
      probes,
      violation: violation === null ? null : { ...violation, atMs: schedule.now, step: this.#steps },
    }
  }

  async #troubledTimes(): Promise<void> {
    const { schedule } = this.#scene
    const { acts = DEFAULT_ACTS } = this.#options
    if (this.#choice.chance(0.8)) this.#trouble.changeWeather()
    for (let act = 0; act < acts && this.#holds; act += 1) {
      await this.#goOn(schedule.now + this.#choice.between(0, this.#choice.chance(0.8) ? 400 : 3_000))
      this.#say(this.#isBurst ? this.#burst() : this.#happen())
      await this.#turn()
    }
  }

  #happen(): string {
    // What a process gives back while it does not hear of a cancel would hardly ever come about by chance.
    const isLeaving = this.#processes.some(({ present }) => present.isEnding && present.link.isCut)
    if (isLeaving && isUp(this.#desk) && this.#choice.chance(0.5)) return this.#people.cancelRunning(this.#desk.present)
    if (this.#choice.chance(0.22)) return this.#trouble.strike()
    const process = this.#choice.pick(this.#processes)
    return isUp(process) ? this.#people.act(process.present) : 'nobody answers'
  }

  /** Many quick jobs, and from time to time slow ones among them. */
  #burst(): string {
    if (!isUp(this.#desk) || this.#choice.chance(0.05)) return this.#trouble.strike()
    const { present } = this.#desk
    if (this.#choice.chance(0.15)) return this.#people.act(present)
    const isSlow = this.#choice.chance(0.3)
    return this.#people.enqueueMany(present, isSlow ? 3 : this.#choice.between(4, 9), isSlow ? 'slow' : 'quick')
  }

  async #quietTimes(): Promise<void> {
    const { schedule, weather, referee, model } = this.#scene
    Object.assign(weather, FAIR)
    this.#say('from here on nothing goes wrong')
    const until = schedule.now + LONGEST_REST_MS
    const standsStill = (): boolean => this.#isAnswered && judgeStandstill(model.state)
    await this.#goOn(until, standsStill)
    if (!standsStill()) this.#accuseUnfinished()
    if (this.#holds) await this.#resumeQueues(until)
    const isOver = (): boolean => referee.unfinished === 0
    await this.#goOn(until, isOver)
    if (!isOver()) this.#accuseUnfinished()
    if (this.#holds) await this.#allReady(until)
    if (this.#holds) await this.#endAll(until)
    if (this.#holds) judgeEnd(this.#scene, this.#people.acknowledged)
  }

  /** What waits, waits for its queue, and says so; then it need not wait any longer. */
  async #resumeQueues(until: number): Promise<void> {
    const { model, referee } = this.#scene
    await this.#goOn(until, () => isUp(this.#desk) && this.#desk.present.hasBegun)
    const { mill } = this.#desk.present
    for (const { row } of model.state.jobs.values()) {
      if (row.finishedAt !== null) continue
      const explanation = await this.#answerTo(mill.explain(row.id), until)
      const isExplained = explanation?.reasons.some(({ code }) => code === 'queue-paused') ?? false
      if (!isExplained) referee.accuse('a job that waits says why', `${describe(row)}: ${explanation?.summary}`)
    }
    for (const { name } of model.state.queues.values()) await this.#answerTo(mill.resumeQueue(name), until)
  }

  /** Lets things happen until somebody has been answered; undefined: it was in vain. */
  async #answerTo<Answer>(asking: Promise<Answer>, until: number): Promise<Answer | undefined> {
    let isAnswered = false
    const answered = asking
      .catch((error: unknown) => {
        this.#scene.referee.accuse('the store answers when nothing goes wrong', String(error))
        return undefined
      })
      .finally(() => (isAnswered = true))
    await this.#goOn(until, () => isAnswered)
    return isAnswered ? answered : undefined
  }

  /** Every worker has come back to where it can work, and whoever listens has heard everything. */
  async #allReady(until: number): Promise<void> {
    const isReady = (process: SimulatedProcess): boolean =>
      isUp(process) && process.present.hasBegun && (process.trade === 'desk' || process.present.hasSession)
    const areReady = (): boolean => this.#processes.every(isReady)
    await this.#goOn(until, areReady)
    const missing = this.#processes.filter((process) => !isReady(process)).map(({ name }) => name)
    const { referee, listener, model } = this.#scene
    if (missing.length > 0) referee.accuse('every worker goes on', `${missing.join(' and ')} cannot`)
    const last = (): number => model.state.events.at(-1)?.position ?? 0
    const hasHeard = (): boolean => listener.heard >= last()
    await this.#goOn(until, hasHeard)
    const facts = `${listener.heard} of ${last()}`
    if (!hasHeard()) referee.accuse('whoever listens hears everything in the end', facts)
  }

  /** Every process is told to stop, and does. */
  async #endAll(until: number): Promise<void> {
    const { referee } = this.#scene
    this.#say('everybody is told to stop')
    const lives = this.#processes.map(({ present }) => present)
    for (const life of lives) {
      life.end().catch((error: unknown) => referee.accuse('a process ends', String(error)))
    }
    await this.#turn()
    await this.#goOn(until, () => lives.every(({ life }) => life === 'gone'))
    const left = lives.filter(({ life }) => life !== 'gone').length
    if (left > 0) referee.accuse('a process that is told to stop comes to its end', `${left} do not`)
  }

  /** Lets happen what is to happen until that moment, step by step, or until the goal is reached. */
  async #goOn(until: number, isReached: () => boolean = () => false): Promise<void> {
    const { schedule } = this.#scene
    while (this.#holds && !isReached()) {
      const entry = schedule.next(until)
      if (entry === undefined) return
      entry.run()
      await this.#turn()
    }
  }

  /** Whatever was set off runs to its end; then it is looked at what it has come to. */
  async #turn(): Promise<void> {
    this.#steps += 1
    await settled()
    const { referee } = this.#scene
    referee.look()
    const { onLine } = this.#options
    if (onLine !== undefined) for (const note of referee.notes) this.#say(note)
    referee.notes.length = 0
    for (const { present, name } of this.#processes) {
      if (present.isOverfull) referee.accuse('a worker runs no more jobs than it has slots', name)
      // A worker that has given up asks for its process to be restarted.
      if (present.worker?.state === 'stopped' && !present.isEnding) present.crash()
    }
  }

  get #holds(): boolean {
    return this.#scene.referee.violation === null
  }

  #say(what: string): void {
    this.#options.onLine?.(`${this.#scene.schedule.now} ${what}`)
  }

  get #isAnswered(): boolean {
    return this.#people.atRest && this.#scene.referee.strays === 0
  }

  #accuseUnfinished(): void {
    const { model, referee } = this.#scene
    const jobs = [...model.state.jobs.values()].filter(({ row }) => row.finishedAt === null)
    const facts = jobs.map(({ row, made }) => `${describe(row)} of ${made.type} with ${made.input}`)
    referee.accuse('everything comes to its end', facts.join('; '))
  }
}

function isUp({ present }: SimulatedProcess): boolean {
  return present.life === 'going' && !present.isEnding
}

/** Resolves when no promise has anything left to do. */
function settled(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  setImmediate(resolve)
  return promise
}
