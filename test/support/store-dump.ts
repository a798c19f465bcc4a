/** Everything that a store lets one see, as plain data: to show that two stores agree, or that nothing has changed. */
import { decodeJson } from '../../src/core/json.ts'
import type { Json } from '../../src/core/json.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { ArtifactRecord } from '../../src/store/artifacts.ts'
import type { AuditRecord } from '../../src/store/audit.ts'
import type { EventRecord } from '../../src/store/events.ts'
import type { AttemptRecord, JobDetails, JobSummary, StateCounts } from '../../src/store/jobs.ts'
import type { TypeRecord } from '../../src/store/job-types.ts'
import type { QueueRecord } from '../../src/store/queues.ts'
import type { SessionRecord } from '../../src/store/sessions.ts'
import type { Store } from '../../src/store/store.ts'

export interface StoreDump {
  readonly jobs: readonly Json[]
  readonly artifacts: readonly ArtifactRecord[]
  readonly audit: readonly AuditRecord[]
  readonly counts: StateCounts
  readonly paused: readonly QueueRecord[]
  readonly types: readonly TypeRecord[]
  readonly sessions: readonly Partial<SessionRecord>[]
}

const PAGE = 200

export async function listAll(store: Store): Promise<readonly JobSummary[]> {
  const jobs: JobSummary[] = []
  let after: string | null = null
  do {
    const { jobs: page, next } = await store.jobs.list({ scope: OPERATOR, limit: PAGE, after })
    jobs.push(...page)
    after = next
  } while (after !== null)
  return jobs
}

export async function readEvents(store: Store, jobId: string | null = null): Promise<readonly EventRecord[]> {
  const events: EventRecord[] = []
  for (;;) {
    const page = await store.events.read({ scope: OPERATOR, after: events.at(-1)?.position ?? 0, limit: PAGE, jobId })
    events.push(...page)
    if (page.length < PAGE) return events
  }
}

/** Jobs come newest first, each with its events; positions in the log and the beats of sessions are left out, for they are a store's own. */
export async function dumpStore(store: Store): Promise<StoreDump> {
  const summaries = await listAll(store)
  const events = Map.groupBy(await readEvents(store), ({ jobId }) => jobId)
  const jobs: Json[] = []
  const artifacts: ArtifactRecord[] = []
  for (const { id } of summaries) {
    const details = await store.jobs.get(id, OPERATOR)
    if (typeof details === 'string') throw new RangeError(`job ${id} is listed, but ${details}`)
    const made = await store.artifacts.list(id, OPERATOR)
    if (typeof made !== 'string') artifacts.push(...made)
    jobs.push(plainJob(details, events.get(id) ?? []))
  }
  const [{ records: audit }, counts, queues, types, sessions] = await Promise.all([
    store.audit.list({ scope: OPERATOR, jobId: null, limit: 10_000, after: null }),
    store.jobs.counts({ scope: OPERATOR }),
    store.queues.list(),
    store.jobTypes.list(),
    store.sessions.list(),
  ])
  return {
    jobs,
    artifacts,
    audit,
    counts,
    paused: queues.filter(({ pausedAt }) => pausedAt !== null).toSorted(byName),
    types: types.toSorted((left, right) => (left.type < right.type ? -1 : 1)),
    sessions: sessions.map(plainSession).toSorted((left, right) => (left.pid ?? 0) - (right.pid ?? 0)),
  }
}

/** When an attempt's code came to rest may still be noted once the attempt is over: the one write that needs no claim. */
export function withoutStops<Dump extends Pick<StoreDump, 'jobs'>>(dump: Dump): Dump {
  return { ...dump, jobs: dump.jobs.map(withoutItsStops) }
}

function withoutItsStops(job: Json): Json {
  if (!isObject(job) || !Array.isArray(job['attempts'])) return job
  const attempts: readonly Json[] = job['attempts']
  const still = { stoppedAt: null, stoppedBy: null }
  return { ...job, attempts: attempts.map((attempt) => (isObject(attempt) ? { ...attempt, ...still } : attempt)) }
}

function byName(left: QueueRecord, right: QueueRecord): number {
  return left.name < right.name ? -1 : 1
}

function plainSession({ beatAt: _beatAt, expiresAt: _expiresAt, ...session }: SessionRecord): Partial<SessionRecord> {
  return session
}

function plainJob(details: JobDetails, events: readonly EventRecord[]): Json {
  return decodeJson(JSON.stringify({ ...plainDetails(details), events: events.map(plainEvent) }))
}

export function plainDetails({ attempts, ...job }: JobDetails): object {
  return { ...job, attempts: attempts.map(plainAttempt) }
}

function plainAttempt(attempt: AttemptRecord): object {
  return { ...attempt, error: attempt.error === null ? null : ownWordsOut(decodeJson(attempt.error)) }
}

export function plainEvent({ position: _position, detail, ...event }: EventRecord): object {
  return { ...event, detail: detail === null ? null : ownWordsOut(decodeJson(detail)) }
}

/** The codes of errors that a store itself speaks of. */
const OWN_CODES: ReadonlySet<unknown> = new Set(['time-out', 'poison', 'session-lost', 'job-cancelled', 'lock-expired'])

/** What a store says by itself of a lost attempt counts but for its wording. */
function ownWordsOut(told: Json): Json {
  if (!isObject(told)) return told
  if (OWN_CODES.has(told['code'])) return { ...told, message: '' }
  const { error = null } = told
  return isObject(error) && OWN_CODES.has(error['code']) ? { ...told, error: { ...error, message: '' } } : told
}

function isObject(json: Json): json is { readonly [key: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
