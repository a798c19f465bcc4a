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
  row: number,
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

const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({})
const NO_RESULTS: readonly string[] = []

export function unpackClaim({ kinds, jobs, at, nextDueInMs, sessionLost }: PackedClaim, holder: number): Claimed {
  const unpacked: ClaimedJob[] = []
  for (const job of jobs) {
    const kind = kinds[job[0]]
    if (kind !== undefined) unpacked.push(unpackJob(kind, job, at, holder))
  }
  return { jobs: unpacked, nextDueInMs, sessionLost }
}

function unpackJob(
  { type, queue, policy, phaseNames }: ClaimKind,
  job: PackedJob,
  startedAt: number,
  holder: number,
): ClaimedJob {
  return {
    claim: { jobId: dashed(job[2]), holder, fence: job[3], row: job[1] },
    type,
    queue,
    tenant: job[4],
    owner: job[5],
    labels: job[6] ?? NO_LABELS,
    policy,
    input: job[7],
    attempt: job[8],
    generation: job[9],
    failures: job[10],
    phaseNames,
    phase: job[11],
    results: job[12] ?? NO_RESULTS,
    progress: job[13],
    createdAt: job[14],
    runAt: job[15],
    startedAt,
    deadlineAt: job[16],
  }
}
