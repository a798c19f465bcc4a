/** What a claim has brought, for comparison: a store may hand out views instead of plain objects. */
import type { Claimed, ClaimedJob } from '../../src/store/claims.ts'

const PARTS: Readonly<Record<keyof ClaimedJob, true>> = {
  claim: true,
  type: true,
  queue: true,
  tenant: true,
  owner: true,
  labels: true,
  policy: true,
  input: true,
  attempt: true,
  generation: true,
  failures: true,
  phaseNames: true,
  phase: true,
  results: true,
  progress: true,
  createdAt: true,
  runAt: true,
  startedAt: true,
  deadlineAt: true,
}

export function plainClaimed({ jobs, ...beside }: Claimed): object {
  return { jobs: jobs.map(plainJob), ...beside }
}

function plainJob(job: ClaimedJob): object {
  return Object.fromEntries(Object.keys(PARTS).map((part) => [part, job[part as keyof ClaimedJob]]))
}

/** Without what is a store's own: where a claim says that the job lies, which spares it a look-up. */
export function withoutPlaces(claimed: Claimed): Claimed {
  return { ...claimed, jobs: claimed.jobs.map(withoutPlace) }
}

function withoutPlace(job: ClaimedJob): ClaimedJob {
  const { row: _row, ctid: _ctid, ...claim } = job.claim
  return { ...(plainJob(job) as ClaimedJob), claim }
}
