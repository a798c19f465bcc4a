/**
 * Claimed jobs as they travel from the store's thread: lists instead of objects, and what many have in common once. A message of objects
 * repeats the name of every field, which takes longer than it takes to claim the job.
 */
import type { JobPolicy } from '../core/policy.ts'
import type { Claimed, ClaimedJob } from '../store/claims.ts'
import { dashed } from './ids.ts'

/** What many jobs of a claim have in common. */
export interface ClaimKind extends Tried {
  readonly type: string
  readonly queue: string
  readonly policy: JobPolicy
  readonly phaseNames: readonly string[]
  readonly tenant: string
  readonly owner: string | null
  readonly deadlineAt: number | null
}

/** How a job has fared so far, its present attempt among it. */
export type Tried = Pick<ClaimedJob, 'attempt' | 'generation' | 'failures' | 'phase' | 'progress'> & {
  readonly fence: number
}

export type PackedJob = readonly [
  /** Index of its kind. */
  kind: number,
  row: number,
  /** Without dashes. */
  id: string,
  input: string,
  createdAt: number,
  runAt: number,
  /** What few have; null: neither. */
  beside: Pick<ClaimedJob, 'labels' | 'results'> | null,
]

export interface PackedClaim extends Omit<Claimed, 'jobs'> {
  readonly kinds: readonly ClaimKind[]
  readonly jobs: readonly PackedJob[]
  /** When they were claimed. */
  readonly at: number
}

export const NO_LABELS: ClaimedJob['labels'] = Object.freeze({})
export const NO_RESULTS: ClaimedJob['results'] = []
const NOTHING_BESIDE = { labels: NO_LABELS, results: NO_RESULTS }

export function unpackClaim({ kinds, jobs, at, nextDueInMs, sessionLost }: PackedClaim, holder: number): Claimed {
  const unpacked: ClaimedJob[] = []
  for (const job of jobs) {
    const kind = kinds[job[0]]
    if (kind !== undefined) unpacked.push(unpackJob(kind, job, at, holder))
  }
  return { jobs: unpacked, nextDueInMs, sessionLost }
}

function unpackJob(
  { type, queue, policy, phaseNames, tenant, owner, deadlineAt, fence, ...tried }: ClaimKind,
  [, row, id, input, createdAt, runAt, beside]: PackedJob,
  startedAt: number,
  holder: number,
): ClaimedJob {
  const { attempt, generation, failures, phase, progress } = tried
  const { labels, results } = beside ?? NOTHING_BESIDE
  return {
    claim: { jobId: dashed(id), holder, fence, row },
    type,
    queue,
    tenant,
    owner,
    labels,
    policy,
    input,
    attempt,
    generation,
    failures,
    phaseNames,
    phase,
    results,
    progress,
    createdAt,
    runAt,
    startedAt,
    deadlineAt,
  }
}
