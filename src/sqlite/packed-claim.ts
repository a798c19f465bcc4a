/**
 * Claimed jobs as they travel from the store's thread: a text for each column, as the database has put it together, and what the jobs of a
 * lane have in common once. To post and read a text takes a small part of what a list takes, or an object, for each job.
 */
import type { Claim } from '../core/job-row.ts'
import type { JobPolicy } from '../core/policy.ts'
import { INPUT_LOST } from '../store/claims.ts'
import type { Claimed, ClaimedJob } from '../store/claims.ts'
import { idsFromHex } from './ids.ts'

/** Of jobs in their order, JSON texts of lists where nothing else is said. */
export interface JobColumns {
  /** Integer keys. */
  readonly keys: string
  /** The hexadecimal digits of ids, one behind the other. */
  readonly ids: string
  /** Null: among the bodies. */
  readonly inputs: string
  readonly created: string
  /** How much later than created it was to run. */
  readonly waits: string
  /** Which of `phaseLists`. */
  readonly lists: string
  /** What few jobs have beside, as `Beside`; 0: nothing. */
  readonly beside: string
}

type Beside = readonly [tenant: string, owner: string | null, tried: Tried | null, labels?: ClaimedJob['labels']]

/** How a job has fared so far, its present attempt among it; null: nothing has happened to it. */
type Tried = readonly [fence: number, attempt: number, generation: number, failures: number, phase: number]

/** Jobs of one lane. */
export interface PackedPage {
  readonly type: string
  readonly queue: string
  readonly policy: JobPolicy
  readonly deadlineAt: number | null
  readonly columns: JobColumns
  /** The names of phases that the jobs refer to. */
  readonly phaseLists: ReadonlyMap<number, readonly string[]>
  /** Inputs that are too long for the job's row, by key; null: none is. */
  readonly bodies: ReadonlyMap<number, string> | null
  /** Of the phases that are done, by key; null: no job has one. */
  readonly results: ReadonlyMap<number, ClaimedJob['results']> | null
}

export interface PackedClaim extends Omit<Claimed, 'jobs'> {
  readonly pages: readonly PackedPage[]
  /** Keys in the order in which the jobs are to start; null: as they come. */
  readonly order: readonly number[] | null
  /** When they were claimed. */
  readonly at: number
}

const NO_LABELS: ClaimedJob['labels'] = Object.freeze({})
const UNTRIED: Tried = [1, 1, 1, 0, 0]
const NO_RESULTS: ClaimedJob['results'] = []
const NO_PHASES: readonly string[] = []
const NOTHING_BESIDE: Beside = ['', null, null]

export function unpackClaim({ pages, order, at, nextDueInMs, sessionLost }: PackedClaim, holder: number): Claimed {
  const jobs = pages.flatMap((page) => unpackPage(page, at, holder))
  return { jobs: order === null ? jobs : inOrder(order, jobs), nextDueInMs, sessionLost }
}

function inOrder(order: readonly number[], jobs: readonly PagedJob[]): readonly PagedJob[] {
  const byKey = new Map(jobs.map((job) => [job.key, job]))
  return order.flatMap((key) => byKey.get(key) ?? [])
}

/** Read when it is first asked for: some columns never are. */
class Column<Value> {
  #text: string
  #values: readonly Value[] | null = null

  constructor(text: string) {
    this.#text = text
  }

  at(index: number): Value | undefined {
    return this.#all()[index]
  }

  #all(): readonly Value[] {
    if (this.#values !== null) return this.#values
    const values = JSON.parse(this.#text) as readonly Value[]
    this.#text = ''
    return (this.#values = values)
  }
}

/**
 * What the jobs of a page have in common, and some numbers in which they differ. It is there until the last of them is over, so no text of a
 * single job is in it but its id.
 */
class JobPage {
  readonly type: string
  readonly queue: string
  readonly policy: JobPolicy
  readonly deadlineAt: number | null
  readonly startedAt: number
  readonly holder: number
  readonly phaseLists: PackedPage['phaseLists']
  readonly ids: readonly string[]
  readonly keys: readonly number[]
  readonly created: Column<number>
  readonly waits: Column<number>
  readonly lists: Column<number>

  constructor({ type, queue, policy, deadlineAt, phaseLists, columns }: PackedPage, startedAt: number, holder: number) {
    this.type = type
    this.queue = queue
    this.policy = policy
    this.deadlineAt = deadlineAt
    this.startedAt = startedAt
    this.holder = holder
    this.phaseLists = phaseLists
    this.ids = idsFromHex(columns.ids)
    this.keys = JSON.parse(columns.keys) as readonly number[]
    this.created = new Column(columns.created)
    this.waits = new Column(columns.waits)
    this.lists = new Column(columns.lists)
  }
}

function unpackPage(packed: PackedPage, startedAt: number, holder: number): readonly PagedJob[] {
  const { bodies, results, columns } = packed
  const page = new JobPage(packed, startedAt, holder)
  const inputs = JSON.parse(columns.inputs) as readonly (string | null)[]
  const besides = JSON.parse(columns.beside) as readonly (Beside | 0)[]
  return page.keys.map((key, index) => {
    const own: OwnParts = {
      input: inputs[index] ?? bodies?.get(key) ?? INPUT_LOST,
      results: results?.get(key) ?? NO_RESULTS,
      beside: besideOf(besides[index]),
    }
    return new PagedJob(page, index, own)
  })
}

function besideOf(beside: Beside | 0 = 0): Beside {
  return beside === 0 ? NOTHING_BESIDE : beside
}

interface OwnParts extends Pick<ClaimedJob, 'input' | 'results'> {
  readonly beside: Beside
}

/** A job as a place in its page: of jobs under way there are many, and what is alive while rubbish is collected holds up the event loop. */
class PagedJob implements ClaimedJob {
  readonly input: string
  readonly results: readonly string[]
  readonly #beside: Beside
  readonly #page: JobPage
  readonly #index: number

  constructor(page: JobPage, index: number, { input, results, beside }: OwnParts) {
    this.input = input
    this.results = results
    this.#beside = beside
    this.#page = page
    this.#index = index
  }

  get key(): number {
    return this.#page.keys[this.#index] ?? 0
  }

  get claim(): Claim {
    const { ids, holder } = this.#page
    return { jobId: ids[this.#index] ?? '', holder, fence: this.#tried[0], row: this.key }
  }

  get type(): string {
    return this.#page.type
  }

  get queue(): string {
    return this.#page.queue
  }

  get policy(): JobPolicy {
    return this.#page.policy
  }

  get deadlineAt(): number | null {
    return this.#page.deadlineAt
  }

  get startedAt(): number {
    return this.#page.startedAt
  }

  get phaseNames(): readonly string[] {
    return this.#page.phaseLists.get(this.#page.lists.at(this.#index) ?? 0) ?? NO_PHASES
  }

  get createdAt(): number {
    return this.#page.created.at(this.#index) ?? 0
  }

  get runAt(): number {
    return this.createdAt + (this.#page.waits.at(this.#index) ?? 0)
  }

  get tenant(): string {
    return this.#beside[0]
  }

  get owner(): string | null {
    return this.#beside[1]
  }

  get labels(): ClaimedJob['labels'] {
    return this.#beside[3] ?? NO_LABELS
  }

  get attempt(): number {
    return this.#tried[1]
  }

  get generation(): number {
    return this.#tried[2]
  }

  get failures(): number {
    return this.#tried[3]
  }

  get phase(): number {
    return this.#tried[4]
  }

  /** A claim begins with the progress of the phases that are done. */
  get progress(): number {
    return (100 * this.phase) / this.phaseNames.length
  }

  get #tried(): Tried {
    return this.#beside[2] ?? UNTRIED
  }
}
