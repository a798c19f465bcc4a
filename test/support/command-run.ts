/**
 * Runs random commands on two stores side by side. What a command's small numbers mean is looked up in the first store, which is the oracle;
 * both are handed the very same calls, and must answer the same.
 */
import assert from 'node:assert/strict'

import type { Claim } from '../../src/core/job-row.ts'
import { validateJob } from '../../src/core/validation.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Claimed, PlanCall } from '../../src/store/claims.ts'
import type { JobDetails, NewJob } from '../../src/store/jobs.ts'
import type { Store } from '../../src/store/store.ts'
import { pick } from './command.ts'
import type { Command, NewJobChoice } from './command.ts'
import { callsOf, SCOPES } from './command-calls.ts'
import type { RunSoFar } from './command-calls.ts'
import { LEASE_MS, newJob, ONE_PHASE } from './contract-bench.ts'
import { withoutPlaces } from './plain-claimed.ts'
import { dumpStore, plainDetails, plainEvent } from './store-dump.ts'
import { countedIds } from './store-under-test.ts'
import type { StoreUnderTest } from './store-under-test.ts'

export interface SideBySide {
  readonly oracle: StoreUnderTest
  readonly other: StoreUnderTest
}

const TYPES = ['plain', 'phased', 'timed'] as const
const QUEUES = ['plain', 'phased', 'timed', 'shared'] as const
const TENANTS = ['', 'acme', 'other'] as const
const OWNERS = [null, 'ann', 'bob'] as const
const PRIORITIES = [0, 0, 0, -1, 5] as const
const DELAYS = [0, 0, 0, 1, 100, 20_000] as const
const STEPS = [0, 1, 10, 100, 1_000, 5_000, 20_000, LEASE_MS / 3, LEASE_MS, 2 * LEASE_MS] as const
const POLICIES = [
  ONE_PHASE,
  { ...ONE_PHASE, phases: ['load', 'render', 'store'], maxStrikes: 2 },
  {
    ...ONE_PHASE,
    timeoutMs: 5_000,
    cancelGraceMs: 100,
    maxAttempts: 2,
    maxStrikes: 1,
    lock: { durationMs: 1_000, quietMs: 100, progressed: 'requeue' },
  },
] as const
const SERVICES = ['workers', 'workers', 'workers', 'others'] as const
const DUMP_EVERY = 10

export class CommandRun implements RunSoFar {
  readonly #stores: SideBySide
  readonly ids: ReturnType<typeof countedIds> = countedIds()
  /** Every job and every claim that there ever was, oldest first. */
  readonly jobs: string[] = []
  readonly claims: Claim[] = []
  readonly #sessions: number[] = []
  #pid = 0

  constructor(stores: SideBySide) {
    this.#stores = stores
  }

  /** Throws where the stores differ. */
  async run(commands: readonly Command[]): Promise<void> {
    for (const slot of [0, 1, 2]) await this.#openSession(slot)
    for (const [index, command] of commands.entries()) {
      await this.#carryOut(command)
      if (index % DUMP_EVERY === DUMP_EVERY - 1) await this.#compareAll()
    }
    await this.#compareAll()
  }

  async #compareAll(): Promise<void> {
    await this.#same(async (store) => {
      const dump = await dumpStore(store)
      // Which producer's queue an unowned type is listed with matters to nobody: jobs have their own.
      return { ...dump, types: dump.types.map((type) => (type.service === null ? { ...type, queue: '' } : type)) }
    })
    const audited = await this.#same(async ({ integrity }) => {
      const { jobs } = await integrity.audit({ after: null, limit: 1_000 })
      return jobs.toSorted((left, right) => (left.id < right.id ? -1 : 1))
    })
    assert.deepEqual(audited.flatMap(validateJob), [], 'no command leads to an impossible state')
  }

  async #both<Answer>(ask: (store: Store) => Promise<Answer>): Promise<readonly [Answer, Answer]> {
    return Promise.all([ask(this.#stores.oracle.store), ask(this.#stores.other.store)])
  }

  /** Asks both, and they must answer the same. */
  async #same<Answer>(ask: (store: Store) => Promise<Answer>): Promise<Answer> {
    const [expected, actual] = await this.#both(ask)
    assert.deepEqual(actual, expected)
    return expected
  }

  async #carryOut(command: Command): Promise<unknown> {
    switch (command.do) {
      case 'enqueue':
        return this.#enqueue([command.jobs])
      case 'enqueue-together':
        return this.#enqueue(command.calls)
      case 'claim':
        return this.#claim(command)
      case 'take':
        return this.#take(command)
      case 'held-act':
      case 'outside-act':
        return this.#apply([await callsOf(this, command)])
      case 'together':
        return this.#apply(await Promise.all(command.acts.map((act) => callsOf(this, act))))
      case 'advance':
        return this.#advance(pick(STEPS, command.step))
      case 'sweep': {
        const { graceMs, random } = command
        return this.#same((store) => store.claims.sweep({ graceMs, random }))
      }
      case 'purge':
        return this.#purge(command.job, command.amount)
      case 'session':
        return this.#session(command.act, command.session)
      case 'queue':
        return this.#same(({ queues }) =>
          command.act === 'pause'
            ? queues.pause(pick(QUEUES, command.queue), 'ann')
            : queues.resume(pick(QUEUES, command.queue), 'bob'),
        )
      case 'register':
        return this.#register(command)
      case 'ask':
        return this.#ask(command)
    }
  }

  async #purge(job: number, amount: number): Promise<void> {
    const from = this.jobs.length === 0 ? 0 : job % this.jobs.length
    const seen = await Promise.all(this.jobs.slice(from, from + amount).map((id) => this.see(id)))
    const doomed = seen.flatMap((each) =>
      each === null ? [] : [{ id: each.id, finishedAt: each.finishedAt ?? each.createdAt }],
    )
    await this.#same(async ({ retention }) => {
      const { jobs, paths } = await retention.purge(doomed)
      return { jobs: jobs.toSorted(), paths: paths.toSorted() }
    })
  }

  #advance(ms: number): void {
    this.#stores.oracle.advance(ms)
    this.#stores.other.advance(ms)
  }

  async #enqueue(calls: readonly (readonly NewJobChoice[])[]): Promise<void> {
    const made = calls.map((jobs) => jobs.map((choice) => this.#newJob(choice)))
    const answers = await this.#same((store) => Promise.all(made.map((jobs) => store.jobs.enqueue(jobs))))
    for (const outcomes of answers) {
      if (outcomes.some(({ outcome }) => outcome === 'key-reused')) continue
      this.jobs.push(...outcomes.flatMap(({ outcome, id }) => (outcome === 'created' ? [id] : [])))
    }
  }

  #newJob(choice: NewJobChoice): NewJob {
    return newJob(this.ids.uuid(), {
      type: pick(TYPES, choice.type),
      queue: choice.queue % 3 === 0 ? 'shared' : pick(TYPES, choice.type),
      policy: pick(POLICIES, choice.type),
      tenant: pick(TENANTS, choice.tenant),
      owner: pick(OWNERS, choice.owner),
      labels: choice.owner % 4 === 0 ? { course: `${choice.input % 3}` } : {},
      key: choice.key % 4 === 0 ? `k${choice.key % 3}` : null,
      uniqueKey: choice.uniqueKey % 4 === 0 ? `u${choice.uniqueKey % 3}` : null,
      input: choice.input % 9 === 0 ? JSON.stringify('long '.repeat(100)) : `${choice.input % 2}`,
      priority: pick(PRIORITIES, choice.priority),
      delayMs: pick(DELAYS, choice.delay),
    })
  }

  async #claim({
    session,
    types,
    limit,
  }: {
    readonly session: number
    readonly types: number
    readonly limit: number
  }): Promise<void> {
    const request = {
      holder: pick(this.#sessions, session),
      types: types % 2 === 0 ? TYPES : [pick(TYPES, types)],
      limit,
    }
    const [expected, actual] = await this.#both(({ claims }) => claims.claim(request))
    // How early a worker is woken is a store's own affair too.
    const { nextDueInMs } = expected
    assert.deepEqual(withoutPlaces({ ...actual, nextDueInMs }), withoutPlaces(expected))
    assertSoonEnough(expected, actual, limit)
    this.claims.push(...expected.jobs.map(({ claim }) => claim))
  }

  async #take({ job, scope, service }: Command & { readonly do: 'take' }): Promise<void> {
    const jobId = this.jobs.length === 0 ? this.ids.uuid() : pick(this.jobs.toReversed(), job)
    this.#pid += 1
    const driver = { service: pick(SERVICES, service), host: 'desk', pid: this.#pid, by: `driver ${this.#pid}` }
    const lock = { holder: this.ids.key(), ...driver }
    const taken = await this.#same(({ claims }) => claims.take({ jobId, scope: pick(SCOPES, scope), lock }))
    if (taken.outcome === 'taken') this.claims.push(taken.claim)
  }

  /** All at once: those that share a commit are carried out in their order. */
  async #apply(calls: readonly (readonly PlanCall[])[]): Promise<void> {
    const made = withoutRaces(inGoodOrder(calls.flat()))
    // Whether a write of nothing beats for the sessions is a store's own affair.
    if (made.length === 0) return
    const asOne = made.length % 2 === 0
    await this.#same(({ claims }) =>
      asOne ? claims.applyAll(made) : Promise.all(made.map((call) => claims.apply(call))),
    )
  }

  async #session(act: 'end' | 'abandon' | 'open' | 'die', slot: number): Promise<void> {
    const present = this.#sessions[slot % 3]
    if (act === 'open' || present === undefined) return this.#openSession(slot % 3)
    if (act !== 'die') return this.#same(({ sessions }) => sessions[act](present))
    await this.#same(({ sessions }) => sessions.end(present))
    await this.#same(({ claims }) => claims.sweep({ graceMs: 0, random: 0.5 }))
    return this.#openSession(slot % 3)
  }

  async #openSession(slot: number): Promise<void> {
    const holder = this.ids.key()
    this.#sessions[slot] = holder
    this.#pid += 1
    const session = { holder, service: 'workers', host: 'mill', pid: this.#pid, leaseMs: LEASE_MS, concurrency: 5 }
    await this.#same(({ sessions }) => sessions.open(session, () => undefined))
  }

  async #register({
    type,
    service,
    policy,
  }: {
    readonly type: number
    readonly service: number
    readonly policy: number
  }): Promise<void> {
    const name = pick(TYPES, type)
    const newest = { ...pick(POLICIES, type), maxAttempts: 1 + (policy % 4) }
    await this.#same(({ jobTypes }) =>
      jobTypes.register(pick(SERVICES, service), [{ type: name, queue: name, policy: newest }]),
    )
  }

  async #ask(command: Command & { readonly do: 'ask' }): Promise<void> {
    const scope = pick(SCOPES, command.scope)
    const { what, amount } = command
    const jobId = this.jobs.length === 0 ? this.ids.uuid() : pick(this.jobs, command.job)
    const limit = 1 + (amount % 5)
    const filter = {
      scope,
      ...(amount % 3 === 0 ? { type: pick(TYPES, amount) } : {}),
      ...(amount % 4 === 0 ? { states: ['queued', 'running', 'failed'] as const } : {}),
      ...(amount % 5 === 0 ? { labels: { course: '1' } } : {}),
      ...(amount % 7 === 0 ? { queue: 'shared' } : {}),
    }
    switch (what) {
      case 'list':
        return void (await this.#same((store) => listPages(store, { ...filter, limit })))
      case 'counts':
        return void (await this.#same(({ jobs }) => jobs.counts(filter)))
      case 'get':
        return void (await this.#same(async ({ jobs }) => {
          const job = await jobs.get(jobId, scope)
          return typeof job === 'string' ? job : plainDetails(job)
        }))
      case 'states':
        return void (await this.#same(({ jobs }) => jobs.states([...this.jobs.slice(-limit), this.ids.uuid()])))
      case 'holders':
        return void (await this.#same(({ sessions }) =>
          Promise.all(this.claims.slice(-limit).map(({ holder }) => holderIn(sessions, holder))),
        ))
      case 'interruptions':
        return void (await this.#same(({ claims }) => claims.interruptions(this.claims.slice(-2 * limit))))
      case 'events':
        return void (await this.#same(async ({ events }) => {
          const told = await events.read({ scope, after: 0, limit: 1_000, jobId })
          return told.map(plainEvent)
        }))
    }
  }

  /** The job as the oracle has it. */
  async see(jobId: string): Promise<JobDetails | null> {
    const job = await this.#stores.oracle.store.jobs.get(jobId, OPERATOR)
    return typeof job === 'string' ? null : job
  }
}

const ADOPTION = 'adopt-phases'
const MOVES: ReadonlySet<string> = new Set([ADOPTION, 'checkpoint', 'complete-only-phase'])

/** A worker adopts a list of phases before it starts, and awaits that. */
function inGoodOrder(calls: readonly PlanCall[]): readonly PlanCall[] {
  return calls.filter(({ plan, jobId }, index) => {
    const before = calls.slice(0, index).filter((call) => call.jobId === jobId)
    if (plan.name === ADOPTION) return !before.some((call) => MOVES.has(call.plan.name))
    return !MOVES.has(plan.name) || !before.some((call) => call.plan.name === ADOPTION)
  })
}

/**
 * Between different jobs of one moment there is no order, so whether one of them may have the unique key that another gives up is left open:
 * whoever asks for a key is alone with its job.
 */
function withoutRaces(calls: readonly PlanCall[]): readonly PlanCall[] {
  const isLonely = calls.every(({ jobId }) => jobId === calls[0]?.jobId)
  return isLonely ? calls : calls.filter(({ plan }) => plan.cases.every(({ when }) => !when.includes('unique-held')))
}

/** When a worker's lease runs out depends on when its store beats. */
async function holderIn(sessions: Store['sessions'], key: number): Promise<object | null> {
  const holder = await sessions.holder(key)
  return holder?.by === null ? { ...holder, expiresAt: null } : holder
}

/** A worker may be woken too early, never too late. */
function assertSoonEnough(expected: Claimed, actual: Claimed, limit: number): void {
  if (expected.nextDueInMs === null || expected.jobs.length === limit) return
  assert.ok(actual.nextDueInMs !== null && actual.nextDueInMs <= expected.nextDueInMs)
}

async function listPages(
  store: Store,
  query: Parameters<Store['jobs']['counts']>[0] & { readonly limit: number },
): Promise<readonly unknown[]> {
  const pages: unknown[] = []
  let after: string | null = null
  do {
    const { jobs, next } = await store.jobs.list({ ...query, after })
    pages.push(jobs)
    after = next
  } while (after !== null)
  return pages
}
