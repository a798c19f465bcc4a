/**
 * Claimed jobs as they travel from the store's thread: lists instead of objects, and what many have in common once. A message of objects
 * repeats the name of every field, which takes longer than it takes to claim the job.
 */
import type { JobPolicy } from '../core/policy.ts'
import type { Claimed, ClaimedJob } from '../store/claims.ts'
import { dashed } from './ids.ts'

/** What jobs of one type, queue and list of phases share. */
export interface ClaimKind {
  readonly type: string
  readonly queue: string
  readonly policy: JobPolicy
  readonly phaseNames: readonly string[]
}

export type PackedJob = readonly [
  /** Index of its kind. */
  kind: number,
  /** Without dashes. */
  id: string,
  fence: number,
  tenant: string,
  owner: string | null,
  /** Null: none. */
  labels: Readonly<Record<string, string>> | null,
  input: string,
  attempt: number,
  generation: number,
  failures: number,
  phase: number,
  /** Null: none. */
  results: readonly string[] | null,
  progress: number,
  createdAt: number,
  runAt: number,
  deadlineAt: number | null,
]

export interface PackedClaim extends Omit<Claimed, 'jobs'> {
  readonly kinds: readonly ClaimKind[]
  readonly jobs: readonly PackedJob[]
  /** When they were claimed. */
  readonly at: number
}

const NO_LABELS: Readonly<Record<string, string>> = {}
const NO_RESULTS: readonly string[] = []

export function unpackClaim({ kinds, jobs, at, nextDueInMs, sessionLost }: PackedClaim, holder: number): Claimed {
  return { jobs: jobs.flatMap((job) => unpackJob(kinds[job[0]], job, at, holder)), nextDueInMs, sessionLost }
}

function unpackJob(
  kind: ClaimKind | undefined,
  job: PackedJob,
  startedAt: number,
  holder: number,
): ClaimedJob | readonly [] {
  if (kind === undefined) return []
  const [, id, fence, tenant, owner, labels, input, attempt, generation, failures, phase, results, ...rest] = job
  const [progress, createdAt, runAt, deadlineAt] = rest
  const { type, queue, policy, phaseNames } = kind
  return {
    claim: { jobId: dashed(id), holder, fence },
    type,
    queue,
    tenant,
    owner,
    labels: labels ?? NO_LABELS,
    policy,
    input,
    attempt,
    generation,
    failures,
    phaseNames,
    phase,
    results: results ?? NO_RESULTS,
    progress,
    createdAt,
    runAt,
    startedAt,
    deadlineAt,
  }
}
