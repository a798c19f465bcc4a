/**
 * What the people of one tenant do, as plain data, and what they see of it. The same life can be lived alone and beside another tenant's, and
 * what is seen compared: ids are told by when they first came up, and where something stands in the log of all tenants is left out.
 */
import * as fc from 'fast-check'

import { defineJob, handle, MillraceError, UnrecoverableError } from '../../src/index.ts'
import type { AsOptions, Handler, JobClient, Millrace, Worker } from '../../src/index.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { readLog } from '../support/job-history.ts'

/** Both tenants have jobs of this type; each waits in the queue of its tenant, so that a worker can be led to one of them. */
export const work = defineJob('book.parse', {
  service: 'library',
  phases: ['split', 'count'],
  retry: { maxAttempts: 2, backoff: { base: '1h', jitter: 0 } },
})

export const workHandler: Handler = handle(work)
  .phase('split', async ({ input, artifact }) => {
    await artifact.write('chapters.txt', `chapters of ${String(input)}`)
    return 2
  })
  .phase('count', ({ input, results }) => {
    if (input === 1) throw new UnrecoverableError('the book has no words')
    if (input === 2) throw new Error('the shelf is busy')
    return results.split
  })

const USERS = ['ann', 'bob', 'ada', 'olga'] as const
type User = (typeof USERS)[number]

const ACTS = ['cancel', 'retry', 'runNow', 'forceFail', 'forceReset'] as const
const LOOKS = ['get', 'explain', 'events', 'artifacts', 'waitFor', 'openArtifact'] as const

export type Deed =
  | {
      readonly do: 'enqueue'
      readonly user: User
      readonly input: number
      readonly key: number
      readonly unique: number
      readonly delayed: boolean
      readonly intrudes: boolean
    }
  /** On one of the own jobs, or on one of the other tenant, if there is one, else on one that never was. */
  | {
      readonly do: 'act' | 'look'
      readonly user: User
      readonly what: number
      readonly job: number
      readonly foreign: boolean
    }
  | { readonly do: 'page'; readonly user: User; readonly limit: number; readonly foreignCursor: boolean }
  | { readonly do: 'cancelMany'; readonly user: User; readonly filter: number; readonly preview: boolean }
  | { readonly do: 'work' }
  | { readonly do: 'advance'; readonly ms: number }

const small = fc.nat({ max: 3 })
const anyUser = fc.constantFrom(...USERS)
const seldom = fc.nat({ max: 5 }).map((number) => number === 0)

const anyDeed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('enqueue' as const),
      user: anyUser,
      input: small,
      key: small,
      unique: small,
      delayed: fc.boolean(),
      intrudes: seldom,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('act' as const, 'look' as const),
      user: anyUser,
      what: fc.nat({ max: 29 }),
      job: fc.nat({ max: 9 }),
      foreign: seldom,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('page' as const),
      user: anyUser,
      limit: fc.integer({ min: 1, max: 3 }),
      foreignCursor: seldom,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('cancelMany' as const),
      user: anyUser,
      filter: small,
      preview: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'work' as const }) },
)
const passing: fc.Arbitrary<Deed> = fc.record({ do: fc.constant('advance' as const), ms: fc.nat({ max: 4_000_000 }) })

/** Of the tenant that is watched: time passes in it. */
export const watchedLife: fc.Arbitrary<readonly Deed[]> = fc.array(
  fc.oneof({ weight: 12, arbitrary: anyDeed }, { weight: 1, arbitrary: passing }),
  { minLength: 15, maxLength: 40, size: 'max' },
)
/** Of the one beside it: what it does takes no time. */
export const otherLife: fc.Arbitrary<readonly Deed[]> = fc.array(anyDeed, { minLength: 15, maxLength: 40, size: 'max' })

export interface World {
  readonly mill: Millrace
  readonly runtime: VirtualRuntime
  readonly worker: Worker
}

/** One tenant in its world. */
export class Tenant {
  readonly name: string
  readonly jobs: string[] = []
  readonly #world: World
  readonly #other: () => Tenant | null
  readonly #clients: Readonly<Record<User, JobClient>>
  /** Cursors that this tenant has been given. */
  readonly #cursors: string[] = []
  readonly #artifacts: string[] = []

  constructor(world: World, name: string, other: () => Tenant | null) {
    this.name = name
    this.#world = world
    this.#other = other
    const as = (options: AsOptions): JobClient => world.mill.as(options)
    this.#clients = {
      ann: as({ tenant: name, user: 'ann', role: 'member' }),
      bob: as({ tenant: name, user: 'bob', role: 'member' }),
      ada: as({ tenant: name, user: 'ada', role: 'admin' }),
      // An operator, who is let see nothing here, and acts on this tenant's jobs alone.
      olga: as({ user: 'olga', role: 'operator' }),
    }
  }

  /** Does it, and answers what was seen of it. */
  async live(deed: Deed): Promise<unknown> {
    try {
      return await this.#do(deed)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      return { name: error.name, code: error.code, message: error.message, details: error.details }
    }
  }

  #do(deed: Deed): Promise<unknown> {
    switch (deed.do) {
      case 'enqueue':
        return this.#enqueue(deed)
      case 'act':
        return this.#act(deed)
      case 'look':
        return this.#look(deed)
      case 'page':
        return this.#page(deed)
      case 'cancelMany':
        return this.#cancelMany(deed)
      case 'work':
        return this.#work()
      case 'advance':
        return this.#advance(deed.ms)
    }
  }

  /** What has come due is queued at once, not when whoever is first looks for work. */
  async #advance(ms: number): Promise<void> {
    await this.#world.runtime.advance(ms)
    await this.#world.mill.maintenance.runOnce()
  }

  async #enqueue({
    user,
    input,
    key,
    unique,
    delayed,
    intrudes,
  }: Extract<Deed, { readonly do: 'enqueue' }>): Promise<unknown> {
    const place = intrudes ? { tenant: this.#other()?.name ?? 'other' } : {}
    const { outcome, state, job } = await this.#clients[user].enqueue(work, input, {
      ...(user === 'olga' ? { tenant: this.name, owner: 'ann' } : place),
      queue: this.name,
      ...(key === 0 ? {} : { key: `order-${key}` }),
      ...(unique === 0 ? {} : { unique: `book-${unique}` }),
      ...(delayed ? { delay: '30m' } : {}),
    })
    if (outcome === 'created') this.jobs.push(job.id)
    return { outcome, state, id: job.id }
  }

  /** Refused to whoever is not above tenants, wherever it comes from. */
  #target(job: number, foreign: boolean, user: User): string {
    const jobs = foreign && user !== 'olga' ? (this.#other()?.jobs ?? []) : this.jobs
    return jobs.toReversed()[job] ?? jobs[0] ?? NOBODY
  }

  #act({ user, what, job, foreign }: Extract<Deed, { readonly do: 'act' | 'look' }>): Promise<unknown> {
    const client = this.#clients[user]
    const id = this.#target(job, foreign, user)
    const act = ACTS[what % ACTS.length] ?? 'cancel'
    if (act === 'forceFail' || act === 'forceReset') return client[act](id, { reason: 'as it must be' })
    return client[act](id)
  }

  async #look({ user, what, job, foreign }: Extract<Deed, { readonly do: 'act' | 'look' }>): Promise<unknown> {
    const client = this.#clients[user === 'olga' ? 'ada' : user]
    const id = this.#target(job, foreign, user === 'olga' ? 'ada' : user)
    switch (LOOKS[what % LOOKS.length] ?? 'get') {
      case 'get':
        return client.get(id)
      case 'explain':
        return client.explain(id)
      case 'events':
        return client.events({ job: id })
      case 'artifacts': {
        const artifacts = await client.artifacts(id)
        this.#artifacts.push(...artifacts.map((artifact) => artifact.id))
        return artifacts
      }
      case 'waitFor':
        return client.waitFor(id, { state: ['scheduled', 'queued', 'retrying', 'completed', 'failed', 'cancelled'] })
      case 'openArtifact': {
        const known = foreign ? this.#other()?.anArtifact : this.anArtifact
        const { record, bytes } = await client.openArtifact(known ?? NOBODY)
        return { record, text: new TextDecoder().decode(await bytes()) }
      }
    }
  }

  get anArtifact(): string | undefined {
    return this.#artifacts.at(-1)
  }

  async #page({ user, limit, foreignCursor }: Extract<Deed, { readonly do: 'page' }>): Promise<unknown> {
    const client = this.#clients[user === 'olga' ? 'ada' : user]
    const after = foreignCursor ? undefined : this.#cursors.at(-1)
    // A cursor of others may lead anywhere, but to what is one's own.
    if (foreignCursor) {
      const { jobs } = await client.list({ after: this.#other()?.aCursor ?? 'none' })
      if (jobs.some(({ tenant }) => tenant !== this.name)) throw new Error("another tenant's jobs are listed")
    }
    const page = await client.list({ limit, ...(after === undefined ? {} : { after }) })
    if (page.next !== null) this.#cursors.push(page.next)
    return { jobs: page.jobs, more: page.next !== null }
  }

  get aCursor(): string | undefined {
    return this.#cursors.at(-1)
  }

  #cancelMany({ user, filter, preview }: Extract<Deed, { readonly do: 'cancelMany' }>): Promise<unknown> {
    const filters = [{ type: work }, { state: 'scheduled' }, { owner: 'ann' }, { queue: this.name }] as const
    const own = user === 'olga' ? { tenant: this.name } : {}
    return this.#clients[user].cancelMany({ ...filters[filter], ...own }, { preview })
  }

  /** A worker takes what this tenant has, and nothing else. */
  async #work(): Promise<void> {
    const { mill, worker } = this.#world
    const other = this.#other()?.name
    if (other !== undefined) await mill.pauseQueue(other)
    while ((await worker.runOnce()).claimed > 0);
    if (other !== undefined) await mill.resumeQueue(other)
  }

  /** Everything that the tenant's people can see. */
  async look(): Promise<unknown> {
    const seen: unknown[] = []
    for (const name of ['ann', 'bob', 'ada'] as const) {
      const client = this.#clients[name]
      const { jobs } = await client.list({ limit: 500 })
      const whole: unknown[] = []
      for (const { id } of jobs) whole.push(await client.get(id), await client.explain(id), await client.artifacts(id))
      const audit = name === 'ada' ? await client.audit({ limit: 500 }) : null
      seen.push({
        name,
        jobs,
        whole,
        counts: await client.counts(),
        events: await readLog(client),
        audit: audit?.entries,
      })
    }
    return seen
  }
}

const NOBODY = '019b7613-6800-7000-8000-00000000dead'
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** As plain text, with the own ids by when they first came up; one that is not among them is somebody's. */
export function asSeen(seen: readonly unknown[], own: ReadonlySet<string>): readonly string[] {
  const names = new Map<string, string>()
  const nameOf = (id: string): string => {
    if (own.has(id) && !names.has(id)) names.set(id, `<id ${names.size + 1}>`)
    return names.get(id) ?? '<some id>'
  }
  const withoutPlaces = (key: string, held: unknown): unknown => (key === 'position' ? undefined : held)
  return seen.map((one) => JSON.stringify([one], withoutPlaces, 1).replaceAll(ID, nameOf))
}
