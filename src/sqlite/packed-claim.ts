/**
 * Claimed jobs as they travel from the store's thread: one text for each lane, as the database has put it together, and what its jobs have in
 * common once. To post and read a text takes a small part of what a list takes, or an object, for each job.
 */
import type { JobPolicy } from '../core/policy.ts'
import type { Claimed, ClaimedJob } from '../store/claims.ts'
import { dashed } from './ids.ts'

/** Jobs of one lane. */
export interface PackedPage {
  readonly type: string
  readonly queue: string
  readonly policy: JobPolicy
  readonly deadlineAt: number | null
  /** The names of phases that the jobs refer to. */
  readonly phaseLists: ReadonlyMap<number, readonly string[]>
  /** A `PackedJob` for each, JSON text. */
  readonly jobs: string
  /** Inputs that are too long for the job's row, by key; null: none is. */
  readonly bodies: ReadonlyMap<number, string> | null
}

export type PackedJob = readonly [
  row: number,
  /** Without dashes. */
  id: string,
  /** Null: among the bodies. */
  input: string | null,
  createdAt: number,
  runAt: number,
  tenant: string,
  owner: string | null,
  /** Which of `phaseLists`. */
  phaseList: number,
  /** Null: nothing has happened to it. */
  tried: Tried | null,
  /** Absent: no job has any. */
  labels?: ClaimedJob['labels'],
]

/** How a job has fared so far, its present attempt among it. */
type Tried = readonly [
  fence: number,
  attempt: number,
  generation: number,
  failures: number,
  phase: number,
  /** Of the phases that are done. */
  results: ClaimedJob['results'],
]

export interface PackedClaim extends Omit<Claimed, 'jobs'> {
  readonly pages: readonly PackedPage[]
  /** Keys in the order in which the jobs are to start; null: as they come. */
  readonly order: readonly number[] | null
  /** When they were claimed. */
  readonly at: number
}

const NO_LABELS: ClaimedJob['labels'] = Object.freeze({})
const UNTRIED: Tried = [1, 1, 1, 0, 0, []]

export function unpackClaim({ pages, order, at, nextDueInMs, sessionLost }: PackedClaim, holder: number): Claimed {
  const jobs: ClaimedJob[] = []
  for (const page of pages) {
    for (const job of JSON.parse(page.jobs) as readonly PackedJob[]) jobs.push(unpackJob(page, job, at, holder))
  }
  return { jobs: order === null ? jobs : inOrderOf(order, jobs), nextDueInMs, sessionLost }
}

function inOrderOf(order: readonly number[], jobs: readonly ClaimedJob[]): readonly ClaimedJob[] {
  const byKey = new Map(jobs.map((job) => [job.claim.row, job]))
  return order.flatMap((key) => byKey.get(key) ?? [])
}

function unpackJob(page: PackedPage, job: PackedJob, startedAt: number, holder: number): ClaimedJob {
  const [row, id, input, createdAt, runAt, tenant, owner, phaseList, tried, labels = NO_LABELS] = job
  const { type, queue, policy, deadlineAt, phaseLists, bodies } = page
  const phaseNames = phaseLists.get(phaseList) ?? []
  const [fence, attempt, generation, failures, phase, results] = tried ?? UNTRIED
  return {
    claim: { jobId: dashed(id), holder, fence, row },
    type,
    queue,
    tenant,
    owner,
    labels,
    policy,
    input: input ?? bodies?.get(row) ?? 'null',
    attempt,
    generation,
    failures,
    phaseNames,
    phase,
    results,
    // A claim begins with the progress of the phases that are done.
    progress: phase === 0 ? 0 : (100 * phase) / phaseNames.length,
    createdAt,
    runAt,
    startedAt,
    deadlineAt,
  }
}
