/**
 * The store as one process has it: the calls travel, and on the way there and back everything happens that may happen to them.
 *
 *     process ── call ──▶ (delay) ──▶ carried out ──▶ (delay) ──▶ answer ──▶ process
 *                │           │                           │
 *                │           └ the link is cut: waits    └ the link is cut, or the answer is lost:
 *                │             for 30 s, then             what became of it is looked up, and the answer
 *                └ refused     `store-unreachable`         comes late; or, after 30 s, `store-unreachable`
 *
 * What it may do to a call is what ARCHITECTURE promises: nothing is carried out twice, calls on one job keep their order, a claim that was
 * carried out is answered however long that takes, everything else may be refused although it was done.
 */
import { storeClosed } from '../../src/store/refusals.ts'
import type { Claimed } from '../../src/store/claims.ts'
import type { Store } from '../../src/store/store.ts'
import type { NewJob } from '../../src/store/jobs.ts'
import type { ModelStore } from '../support/model-store.ts'
import { noteLateBeat } from './note-rarities.ts'
import type { Probes } from './probes.ts'
import type { Entry, Owner, Schedule } from './schedule.ts'
import type { SeededChoice } from './seeded-choice.ts'
import type { StoreClock } from './store-clock.ts'
import { applyEach } from './apply-each.ts'
import { shortId } from './job-judge.ts'
import { anyRefusal, refusal } from './refusals.ts'
import type { Referee } from './referee.ts'

/** How bad things are between the processes and the store; the same for all, and changed as the world goes on. */
export interface Weather {
  /** Of calls that are refused before they are carried out, 0 to 1. */
  refused: number
  /** Of those that are answered late, or never. */
  lost: number
  /** Of those that take their time. */
  slow: number
}

export const FAIR: Readonly<Weather> = { refused: 0, lost: 0, slow: 0 }

/** How long a call is tried before it fails. */
const PATIENCE_MS = 30_000

export interface LinkOptions {
  readonly schedule: Schedule
  readonly clock: StoreClock
  readonly model: ModelStore
  readonly choice: SeededChoice
  readonly weather: Readonly<Weather>
  readonly referee: Referee
  readonly probes: Probes
  /** Whoever calls, and what it is called. */
  readonly caller: Owner
  readonly name: string
  /** Carries the calls out, and beats: stops with the process, but not when that is only blocked. */
  readonly thread: Owner
  /** Whether the store is a thread of the process, as SQLite's; else it is a server that goes on by itself. */
  readonly near: boolean
}

interface Call<Answer> {
  readonly name: string
  /** Calls on one job are carried out in their order. */
  readonly jobIds?: readonly string[]
  /** One that was carried out is answered, however long that takes. */
  readonly insists?: boolean
  readonly carryOut: () => Promise<Answer>
}

interface Answering<Answer> {
  readonly call: Call<Answer>
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

export class FaultyLink {
  readonly store: Store
  readonly #options: LinkOptions
  readonly #arriving = new Set<Entry>()
  readonly #lastArrivals = new Map<string, number>()
  readonly #onEnqueue = new Set<(jobs: readonly NewJob[]) => void>()
  readonly #onChange = new Set<() => void>()
  readonly #unsubscribe: () => void
  #parked: (() => void)[] = []
  #isCut = false
  /** A notice is on its way. */
  #noticed = false
  /** Something has been committed since the last one. */
  #unheard = false
  #closed = false

  constructor(options: LinkOptions) {
    this.#options = options
    this.store = this.#store()
    this.#unsubscribe = options.model.store.onChange(() => this.#notice())
  }

  get isCut(): boolean {
    return this.#isCut
  }

  /** Nothing gets through until it is mended. */
  cut(): void {
    this.#isCut = true
  }

  mend(): void {
    this.#isCut = false
    const parked = this.#parked
    this.#parked = []
    for (const goOn of parked) goOn()
    if (this.#unheard) this.#notice()
  }

  /** The process has died: of what it had sent, the half gets through, unless the store died with it. */
  die(): void {
    this.#unsubscribe()
    this.#parked = []
    const { near, choice, referee } = this.#options
    for (const entry of this.#arriving) {
      entry.cancelled = near || choice.chance(0.5)
      if (!entry.cancelled) referee.strays += 1
    }
  }

  /** Beats for the sessions of the process. */
  startBeats(everyMs: number): void {
    const { schedule, model, clock, thread, probes } = this.#options
    const beat = (): void => {
      if (!this.#isCut) {
        clock.move()
        noteLateBeat(probes, model.state)
        model.beat()
      }
      schedule.add(schedule.now + everyMs, beat, thread)
    }
    schedule.add(schedule.now + everyMs, beat, thread)
  }

  #send<Answer>(call: Call<Answer>): Promise<Answer> {
    if (this.#closed) return Promise.reject(storeClosed())
    const { weather, choice, schedule, caller, probes } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    if (caller.life === 'gone') return promise
    if (weather.refused > 0 && choice.chance(weather.refused)) {
      probes.see('a call failed before it was carried out')
      const error = anyRefusal(choice, this.#options.near, call.name)
      schedule.add(schedule.now + this.#delayMs(), () => reject(error), caller)
      return promise
    }
    this.#arriveAt(this.#arrivalOf(call), { call, resolve, reject })
    return promise
  }

  #arrivalOf({ jobIds = [] }: Call<unknown>): number {
    const at = this.#options.schedule.now + this.#delayMs()
    const inOrder = Math.max(at, ...jobIds.map((jobId) => this.#lastArrivals.get(jobId) ?? 0))
    for (const jobId of jobIds) this.#lastArrivals.set(jobId, inOrder)
    return inOrder
  }

  #delayMs(): number {
    const { choice, weather } = this.#options
    if (weather.slow > 0 && choice.chance(weather.slow)) return choice.between(5, choice.chance(0.2) ? 8_000 : 400)
    return choice.between(0, 2)
  }

  #arriveAt<Answer>(at: number, answering: Answering<Answer>): void {
    const { schedule, near, thread } = this.#options
    const arrive = (): void => {
      this.#arriving.delete(entry)
      this.#arrive(answering)
    }
    const entry = schedule.add(at, arrive, near ? thread : null)
    this.#arriving.add(entry)
  }

  #arrive<Answer>(answering: Answering<Answer>): void {
    const { schedule, caller, referee } = this.#options
    const isStray = caller.life === 'gone'
    if (isStray) referee.strays -= 1
    if (!this.#isCut) this.#carryOut(answering)
    else if (!isStray) this.#park(answering, () => this.#arriveAt(schedule.now, answering))
  }

  /** Waits for the link, but not for ever. */
  #park<Answer>({ call, reject }: Answering<Answer>, goOn: () => void): void {
    const { schedule, caller } = this.#options
    const mended = (): void => {
      patience.cancelled = true
      goOn()
    }
    const giveUp = (): void => {
      this.#parked = this.#parked.filter((parked) => parked !== mended)
      reject(refusal('store-unreachable', call.name))
    }
    const patience = schedule.add(schedule.now + PATIENCE_MS, giveUp, caller)
    this.#parked.push(mended)
  }

  #carryOut<Answer>(answering: Answering<Answer>): void {
    const { clock, referee, name } = this.#options
    const { call } = answering
    clock.move()
    referee.note([`${name}: ${call.name}`, ...(call.jobIds ?? []).map(shortId)].join(' '))
    call.carryOut().then(
      (answer) => this.#answer(answering, () => answering.resolve(answer)),
      (error: unknown) => this.#answer(answering, () => answering.reject(error)),
    )
  }

  #answer<Answer>(answering: Answering<Answer>, tell: () => void): void {
    const { schedule, caller, weather, choice, probes } = this.#options
    const { call, reject } = answering
    if (caller.life === 'gone') return
    const deliver = (): void => {
      if (this.#isCut) this.#awaitMending(answering, tell)
      else tell()
    }
    if (weather.lost === 0 || !choice.chance(weather.lost)) {
      schedule.add(schedule.now + this.#delayMs(), deliver, caller)
      return
    }
    if (call.insists === true || this.#options.near || choice.chance(0.4)) {
      probes.see('an answer was lost, and looked up')
      schedule.add(schedule.now + choice.between(20, 3_000), deliver, caller)
      return
    }
    probes.see('an answer was lost, and the call failed')
    if (call.name === 'artifact') probes.see('an artifact was kept, and its call failed')
    const failing = (): void => reject(refusal('store-unreachable', call.name))
    schedule.add(schedule.now + choice.between(200, 5_000), failing, caller)
  }

  /** It has been carried out: whoever insists waits as long as it takes. */
  #awaitMending<Answer>(answering: Answering<Answer>, tell: () => void): void {
    const { schedule, caller } = this.#options
    const goOn = (): void => void schedule.add(schedule.now, tell, caller)
    if (answering.call.insists === true) this.#parked.push(goOn)
    else this.#park(answering, goOn)
  }

  /** Tells of commits: soon, but many may share a notice, and while the link is cut there are none. */
  #notice(): void {
    const { schedule, caller } = this.#options
    this.#unheard = true
    if (this.#noticed || this.#isCut) return
    this.#noticed = true
    const tell = (): void => {
      this.#noticed = false
      if (this.#isCut) return
      this.#unheard = false
      for (const listener of this.#onChange) listener()
    }
    schedule.add(schedule.now + this.#delayMs(), tell, caller)
  }

  #store(): Store {
    const { model, referee, schedule, caller, probes } = this.#options
    const { jobs, claims, sessions, jobTypes, queues, events, artifacts, audit, retention } = model.store
    const { cleanupTurns, integrity, transactions } = model.store
    const send = <Answer>(name: string, carryOut: () => Promise<Answer>): Promise<Answer> =>
      this.#send({ name, carryOut })
    return {
      jobs: {
        enqueue: (added) => {
          for (const listener of this.#onEnqueue) listener(added)
          return send('enqueue', () => referee.watchEnqueue(added, () => jobs.enqueue(added)))
        },
        get: (id, scope) => send('get', () => jobs.get(id, scope)),
        list: (query) => send('list', () => jobs.list(query)),
        counts: (filter) => send('counts', () => jobs.counts(filter)),
        states: (ids) => send('states', () => jobs.states(ids)),
      },
      claims: {
        pace: claims.pace,
        claim: async (request) => {
          const carryOut = (): Promise<Claimed> => referee.watchClaim(request, () => claims.claim(request))
          const claimed = await this.#send({ name: 'claim', insists: true, carryOut })
          const isLate = (model.state.sessions.get(request.holder)?.endedAt ?? null) !== null && claimed.jobs.length > 0
          if (isLate) probes.see('a claim was answered after its session was lost')
          return claimed
        },
        take: (request) =>
          this.#send({
            name: 'take',
            insists: true,
            carryOut: () => referee.watchTake(request, () => claims.take(request)),
          }),
        apply: (call) =>
          this.#send({
            name: call.plan.name,
            jobIds: [call.jobId],
            carryOut: () => referee.watchApply(call, () => claims.apply(call)),
          }),
        applyAll: (calls) =>
          this.#send({
            name: 'apply all',
            jobIds: calls.map(({ jobId }) => jobId),
            carryOut: () =>
              applyEach(this.#options, calls, (call) => referee.watchApply(call, () => claims.apply(call))),
          }),
        noteStop: (note) =>
          this.#send({ name: 'note stop', jobIds: [note.jobId], carryOut: () => claims.noteStop(note) }),
        interruptions: (held) => send('interruptions', () => claims.interruptions(held)),
        interruptionsNow: (held) => (this.#isCut ? null : claims.interruptionsNow(held)),
        sweep: (options) => send('sweep', () => referee.watchSweep(() => claims.sweep(options))),
      },
      sessions: {
        open: (session, onLost) => {
          const tell = (): void => void schedule.add(schedule.now, onLost, caller)
          return send('open session', () => sessions.open(session, tell))
        },
        drain: (holder) => send('drain session', () => sessions.drain(holder)),
        end: (holder) => send('end session', () => sessions.end(holder)),
        abandon: (holder) => send('abandon session', () => sessions.abandon(holder)),
        holder: (holder) => send('look for a holder', () => sessions.holder(holder)),
        ofProcesses: (space) => send('list processes', () => sessions.ofProcesses(space)),
        list: () => send('list sessions', () => sessions.list()),
      },
      jobTypes: {
        register: (service, types) => send('register', () => jobTypes.register(service, types)),
        transfer: (transfer) => send('transfer', () => jobTypes.transfer(transfer)),
        list: () => send('list types', () => jobTypes.list()),
        refusals: () => send('list refusals', () => jobTypes.refusals()),
        evidence: (query) => send('read evidence', () => jobTypes.evidence(query)),
        noteEntities: (notes) => send('note entities', () => jobTypes.noteEntities(notes)),
      },
      queues: {
        pause: (name, actor) => send('pause', () => queues.pause(name, actor)),
        resume: (name, actor) => send('resume', () => queues.resume(name, actor)),
        list: () => send('list queues', () => queues.list()),
      },
      events: {
        read: (query) => send('read events', () => events.read(query)),
        latest: () => send('latest event', () => events.latest()),
      },
      artifacts: {
        list: (id, scope) => send('list artifacts', () => artifacts.list(id, scope)),
        get: (id, scope) => send('get artifact', () => artifacts.get(id, scope)),
        bytes: {
          ...artifacts.bytes,
          write: (path, chunks) => send('write bytes', () => artifacts.bytes.write(path, chunks)),
          remove: (path) => send('remove bytes', () => artifacts.bytes.remove(path)),
        },
      },
      audit: { list: (query) => send('read audit', () => audit.list(query)) },
      retention: {
        finished: (query) => send('find what is over', () => retention.finished(query)),
        purge: (over) => send('purge', () => referee.watchPurge(() => retention.purge(over))),
        sweepUp: (bounds) => send('sweep up', () => retention.sweepUp(bounds)),
        artifactPaths: (ids) => send('find paths', () => retention.artifactPaths(ids)),
      },
      cleanupTurns: {
        begin: (request) => send('begin a turn', () => referee.watchTurn(request, () => cleanupTurns.begin(request))),
        keep: (key, leaseMs) => send('keep a turn', () => cleanupTurns.keep(key, leaseMs)),
        end: (key, report) => send('end a turn', () => cleanupTurns.end(key, report)),
        latest: () => send('look at the turn', () => referee.watchReport(() => cleanupTurns.latest())),
      },
      integrity: {
        audit: (page) => send('examine jobs', () => integrity.audit(page)),
        auditOne: (id, scope) => send('examine a job', () => integrity.auditOne(id, scope)),
        repairJob: (id) => send('repair a job', () => referee.watchRepair(() => integrity.repairJob(id))),
        strays: (belonging, page) => send('find strays', () => integrity.strays(belonging, page)),
        dropStrays: (belonging, strays) => send('drop strays', () => integrity.dropStrays(belonging, strays)),
        faults: () => send('find faults', () => integrity.faults()),
        repairFault: (fault) => send('repair a fault', () => integrity.repairFault(fault)),
        artifacts: (page) => send('find artifacts', () => integrity.artifacts(page)),
      },
      transactions,
      now: () => send('now', () => model.store.now()),
      onChange: (listener) => subscribe(this.#onChange, listener),
      onEnqueue: (listener) => subscribe(this.#onEnqueue, listener),
      description: 'simulated',
      close: async () => {
        this.#closed = true
        this.#unsubscribe()
      },
    }
  }
}

function subscribe<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
