/**
 * Claimed jobs as they travel from the store's thread: a text for each column, as the database has put it together, and what the jobs of a
 * lane have in common once. To post and read a text takes a small part of what a list takes, or an object, for each job.
 */
import type { JobPolicy } from '../core/policy.ts'
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
const NOTHING_BESIDE: Beside = ['', null, null]

export function unpackClaim({ pages, order, at, nextDueInMs, sessionLost }: PackedClaim, holder: number): Claimed {
  const jobs = pages.flatMap((page) => unpackPage(page, at, holder))
  return { jobs: order === null ? jobs : inOrderOf(order, jobs), nextDueInMs, sessionLost }
}

function inOrderOf(order: readonly number[], jobs: readonly ClaimedJob[]): readonly ClaimedJob[] {
  const byKey = new Map(jobs.map((job) => [job.claim.row, job]))
  return order.flatMap((key) => byKey.get(key) ?? [])
}

function unpackPage(page: PackedPage, startedAt: number, holder: number): readonly ClaimedJob[] {
  const { type, queue, policy, deadlineAt, phaseLists, bodies, results, columns } = page
  const ids = idsFromHex(columns.ids)
  const inputs = JSON.parse(columns.inputs) as readonly (string | null)[]
  const created = JSON.parse(columns.created) as readonly number[]
  const waits = JSON.parse(columns.waits) as readonly number[]
  const lists = JSON.parse(columns.lists) as readonly number[]
  const besides = JSON.parse(columns.beside) as readonly (Beside | 0)[]
  const keys = JSON.parse(columns.keys) as readonly number[]
  return keys.map((row, index): ClaimedJob => {
    const beside = besides[index] ?? 0
    const [tenant, owner, tried, labels = NO_LABELS] = beside === 0 ? NOTHING_BESIDE : beside
    const [fence, attempt, generation, failures, phase] = tried ?? UNTRIED
    const phaseNames = phaseLists.get(lists[index] ?? 0) ?? []
    const createdAt = created[index] ?? 0
    return {
      claim: { jobId: ids[index] ?? '', holder, fence, row },
      type,
      queue,
      tenant,
      owner,
      labels,
      policy,
      input: inputs[index] ?? bodies?.get(row) ?? 'null',
      attempt,
      generation,
      failures,
      phaseNames,
      phase,
      results: results?.get(row) ?? NO_RESULTS,
      // A claim begins with the progress of the phases that are done.
      progress: (100 * phase) / phaseNames.length,
      createdAt,
      runAt: createdAt + (waits[index] ?? 0),
      startedAt,
      deadlineAt,
    }
  })
}
