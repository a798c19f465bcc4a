import { explainWaiting } from '../core/explain.ts'
import type { Act, Bystanders, Explanation, HolderFacts, LiveWorkers, WaitingFacts } from '../core/explain.ts'
import { LIMITS } from '../core/limits.ts'
import { isLive, worksOn } from '../core/ownership.ts'
import type { Ownership } from '../core/ownership.ts'
import type { Scope } from '../core/scope.ts'
import { stuckAt } from '../core/settle.ts'
import { isFinal, UNFINISHED_STATES } from '../core/states.ts'
import type { JobState } from '../core/states.ts'
import type { JobDetails } from '../store/jobs.ts'
import type { QueueRecord } from '../store/queues.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import { toJob } from './job.ts'
import { readDetails } from './read-jobs.ts'

/** Gathers what the store knows about a job, and lets the rule speak. */
export async function explainJob(store: Store, scope: Scope, jobId: string): Promise<Explanation> {
  const details = await readDetails(store, scope, jobId)
  const [now, queues, sessions, types, jobsAhead, uniqueHeldBy] = await Promise.all([
    store.now(),
    store.queues.list(),
    store.sessions.list(),
    store.jobTypes.list(),
    details.state === 'queued' ? countAhead(store, scope, details) : 0,
    isFinal(details.state) && details.uniqueKey !== null ? findUniqueHolder(store, scope, details) : null,
  ])
  const live = sessions.filter((session) => isLive(session, now))
  const taking = live.filter(({ drainingSince }) => drainingSince === null)
  const { type, service } = details
  const owned = types.find((known) => known.type === type) ?? { type, service, epoch: 0 }
  return explainWaiting({
    ...factsOf(details),
    now,
    paused: pausedBy(queues, details.queue),
    workers: workersOf(
      taking.filter((session) => worksOn(session, owned)),
      scope,
    ),
    bystanders: bystandersOf(live, owned),
    holder: await holderOf(store, details, { now, live }),
    jobsAhead,
    uniqueHeldBy,
  })
}

type FactsOfJob = Omit<
  WaitingFacts,
  'now' | 'paused' | 'workers' | 'bystanders' | 'holder' | 'jobsAhead' | 'uniqueHeldBy'
>

function factsOf(details: JobDetails): FactsOfJob {
  const { state, runAt, finishedAt, type, queue, service, deadlineAt, failures, suspect, policy } = details
  const { cancelRequestedAt, cancelledBy } = details
  return {
    state,
    runAt,
    finishedAt,
    type,
    queue,
    service,
    deadlineAt,
    failures,
    suspect,
    maxAttempts: policy.maxAttempts,
    cancel: cancelRequestedAt === null ? null : { at: cancelRequestedAt, by: cancelledBy ?? 'system' },
    lastError: toJob(details).error?.message ?? null,
  }
}

function pausedBy(queues: readonly QueueRecord[], name: string): Act | null {
  const queue = queues.find((record) => record.name === name)
  if (queue === undefined || queue.pausedAt === null) return null
  return { at: queue.pausedAt, by: queue.pausedBy ?? 'system' }
}

function bystandersOf(live: readonly SessionRecord[], owned: Ownership): Bystanders {
  const ours = live.filter(({ service }) => service === owned.service)
  const able = ours.filter((session) => worksOn(session, owned))
  const outdated = ours.filter((session) => session.types.includes(owned.type) && !worksOn(session, owned)).length
  return {
    draining: able.filter(({ drainingSince }) => drainingSince !== null).length,
    outdated,
    withoutHandler: ours.length - able.length - outdated,
  }
}

/** How busy the workers are is what all tenants do: only an operator is told. */
function workersOf(workers: readonly SessionRecord[], { role }: Scope): LiveWorkers {
  if (role !== 'operator') return { count: workers.length, freeSlots: null }
  const freeSlots = workers.reduce((sum, { concurrency, running }) => sum + Math.max(0, concurrency - running), 0)
  return { count: workers.length, freeSlots }
}

/** Null: nobody, or it is not known. */
async function holderOf(
  store: Store,
  details: JobDetails,
  { now, live }: { readonly now: number; readonly live: readonly SessionRecord[] },
): Promise<HolderFacts | null> {
  const { state, holder, worker, startedAt, fence, updatedAt, policy } = details
  if (state !== 'running' || holder === null) return null
  const held = await store.sessions.holder(holder)
  const { service, host, pid } = held ?? worker ?? {}
  if (service === undefined || host === undefined || pid === undefined) return null
  const facts = { service, host, pid, since: startedAt ?? 0, fence, blockedSince: null }
  if (held === null) return { ...facts, alive: false }
  const { by, expiresAt } = held
  const alive = expiresAt > now
  if (by === null) {
    const session = live.findLast((each) => each.service === service && each.host === host && each.pid === pid)
    return { ...facts, alive, blockedSince: session?.blockedSince ?? null }
  }
  const stuck = stuckAt({ lockExpiresAt: expiresAt, updatedAt, quietMs: policy.lock.quietMs })
  return { ...facts, alive, lock: { by, expiresAt, stuckAt: stuck } }
}

/** Exact among the newest 500 queued jobs of the type; those that are older still are taken to come before it. */
async function countAhead(store: Store, scope: Scope, job: JobDetails): Promise<number> {
  const filter = { type: job.type, states: ['queued'] as const satisfies readonly JobState[], scope }
  const [counts, page] = await Promise.all([
    store.jobs.counts(filter),
    store.jobs.list({ ...filter, limit: LIMITS.listPage, after: null }),
  ])
  const before = page.jobs.filter(({ priority, runAt, id }) => {
    if (priority !== job.priority) return priority < job.priority
    return runAt === job.runAt ? id < job.id : runAt < job.runAt
  })
  return before.length + Math.max(0, counts.queued - page.jobs.length)
}

async function findUniqueHolder(store: Store, scope: Scope, job: JobDetails): Promise<string | null> {
  const { type, tenant } = job
  const { jobs } = await store.jobs.list({
    type,
    tenant,
    states: UNFINISHED_STATES,
    scope,
    limit: LIMITS.listPage,
    after: null,
  })
  return jobs.find(({ uniqueKey }) => uniqueKey === job.uniqueKey)?.id ?? null
}
