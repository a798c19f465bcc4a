/** The model's jobs: adding, reading, listing, counting. */
import { canonicalJson, decodeJson } from '../../src/core/json.ts'
import { phaseState } from '../../src/core/phases.ts'
import { canSee, canTouch } from '../../src/core/scope.ts'
import { JOB_STATES } from '../../src/core/states.ts'
import type { JobState } from '../../src/core/states.ts'
import type {
  AttemptRecord,
  Enqueued,
  JobDetails,
  JobFilter,
  JobPage,
  JobQuery,
  JobStore,
  JobSummary,
  NewJob,
  PhaseRecord,
} from '../../src/store/jobs.ts'
import type { Scope } from '../../src/core/scope.ts'
import { appendEvent, beat, commit, policyOf, presentPhase, uniqueHolder } from './model-state.ts'
import type { ModelJob, ModelState } from './model-state.ts'

export function modelJobs(state: ModelState): JobStore {
  return {
    async enqueue(jobs) {
      beat(state)
      return enqueue(state, jobs)
    },
    async get(id, scope) {
      const job = state.jobs.get(id)
      if (job === undefined || !canSee(scope, job.row)) return 'not-found'
      return canTouch(scope, job.row) ? detailsOf(state, job) : 'forbidden'
    },
    async list(query) {
      return listPage(state, query)
    },
    async counts(filter) {
      const counts = Object.fromEntries(JOB_STATES.map((name) => [name, 0])) as Record<JobState, number>
      for (const job of state.jobs.values()) if (matches(job, filter)) counts[job.row.state] += 1
      return counts
    },
    async states(ids) {
      const known = ids.flatMap((id) => state.jobs.get(id) ?? [])
      return new Map(known.map(({ row }) => [row.id, row.state]))
    },
  }
}

/** All or none: an id that is taken already undoes the whole call, and so does a key that was used for another input. */
function enqueue(state: ModelState, jobs: readonly NewJob[]): readonly Enqueued[] {
  const types = new Map(state.types)
  const events = state.events.length
  const { latest } = state.insertions
  const logged = state.log.latest
  const added: string[] = []
  const undo = (): void => {
    for (const id of added) state.jobs.delete(id)
    state.events.length = events
    state.insertions.latest = latest
    state.log.latest = logged
    state.types.clear()
    for (const [type, entry] of types) state.types.set(type, entry)
  }
  const outcomes = jobs.map((job) => {
    const outcome = enqueueOne(state, job)
    if (outcome === 'id-taken') {
      undo()
      throw new RangeError(`there is a job ${job.id} already`)
    }
    if (outcome.outcome === 'created') added.push(job.id)
    return outcome
  })
  if (outcomes.some(({ outcome }) => outcome === 'key-reused')) undo()
  commit(state)
  return outcomes
}

function enqueueOne(state: ModelState, made: NewJob): Enqueued | 'id-taken' {
  noteProducerType(state, made)
  const keyed = keyHolder(state, made)
  const gone = keyed === undefined ? goneKeyHolder(state, made) : undefined
  if (gone !== undefined) {
    return sameInput(gone.made, made)
      ? { outcome: 'duplicate', id: gone.row.id, state: 'deleted' }
      : { outcome: 'key-reused', id: gone.row.id }
  }
  if (keyed !== undefined && !sameInput(keyed.made, made)) return { outcome: 'key-reused', id: keyed.row.id }
  const present = keyed ?? uniqueHolder(state, made, made.uniqueKey, null)
  if (present !== undefined) return duplicateOf(present)
  if (state.jobs.has(made.id)) return 'id-taken'
  const job = addJob(state, made)
  appendEvent(state, job, job.row.state === 'queued' ? 'job:queued' : 'job:scheduled', null)
  return { outcome: 'created', id: made.id, state: job.row.state }
}

const OWNED_BY_NOBODY = { service: null, registeredAt: null, epoch: 0, ownedSince: null, transfer: null } as const

/** Until its owner has registered the type, the newest producer's copy counts. */
function noteProducerType({ types }: ModelState, { type, queue, policy }: NewJob): void {
  const known = types.get(type)
  if (known === undefined || known.service === null) types.set(type, { type, queue, policy, ...OWNED_BY_NOBODY })
}

function duplicateOf({ row }: ModelJob): Enqueued {
  return { outcome: 'duplicate', id: row.id, state: row.state }
}

function keyHolder(state: ModelState, { tenant, type, key }: NewJob): ModelJob | undefined {
  if (key === null) return undefined
  return [...state.jobs.values()].find(({ made }) => made.key === key && made.tenant === tenant && made.type === type)
}

/** A deleted job holds its key until its time is over. */
function goneKeyHolder(state: ModelState, { tenant, type, key }: NewJob): Pick<ModelJob, 'row' | 'made'> | undefined {
  if (key === null) return undefined
  return [...state.gone.values()].find(
    ({ made, heldUntil }) =>
      heldUntil > state.clock.at && made.key === key && made.tenant === tenant && made.type === type,
  )
}

function sameInput(one: NewJob, other: NewJob): boolean {
  return canonicalJson(decodeJson(one.input)) === canonicalJson(decodeJson(other.input))
}

function addJob(state: ModelState, made: NewJob): ModelJob {
  state.insertions.latest += 1
  const phaseNames = state.types.get(made.type)?.policy.phases ?? made.policy.phases
  const now = state.clock.at
  const runAt = made.runAt ?? now + made.delayMs
  const job: ModelJob = {
    n: state.insertions.latest,
    made,
    row: {
      id: made.id,
      tenant: made.tenant,
      owner: made.owner,
      state: runAt > now ? 'scheduled' : 'queued',
      runAt,
      attempt: 0,
      failures: 0,
      strikes: 0,
      suspect: false,
      fence: 0,
      generation: 1,
      holder: null,
      phase: 0,
      phaseCount: phaseNames.length,
      phaseStartedAt: null,
      progress: 0,
      createdAt: now,
      startedAt: null,
      finishedAt: null,
      deadlineAt: null,
      cancelRequestedAt: null,
      cancelledBy: null,
      cancelReason: null,
      uniqueKey: made.uniqueKey,
      eventSeq: 1,
    },
    phaseNames,
    done: [],
    input: made.input,
    output: null,
    ended: [],
    holders: new Map(),
    worker: null,
    updatedAt: now,
  }
  state.jobs.set(made.id, job)
  return job
}

function summaryOf(state: ModelState, job: ModelJob): JobSummary {
  const { type, queue, priority, labels, key } = job.made
  return {
    ...job.row,
    type,
    queue,
    service: state.types.get(type)?.service ?? null,
    priority,
    labels,
    key,
    updatedAt: job.updatedAt,
    policy: policyOf(state, job),
    phaseNames: job.phaseNames,
  }
}

function detailsOf(state: ModelState, job: ModelJob): JobDetails {
  return {
    ...summaryOf(state, job),
    input: job.input,
    output: job.output,
    phases: job.phaseNames.map((name, index) => phaseOf(job, name, index)),
    attempts: [...job.ended, ...latestAttempt(job)],
    worker: job.worker,
  }
}

function phaseOf(job: ModelJob, name: string, index: number): PhaseRecord {
  const { row, done, output } = job
  const state = phaseState({ jobState: row.state, phase: row.phase, index })
  const present = index === row.phase ? row.phaseStartedAt : null
  const attempts = attemptsOf(job, name, index)
  if (state !== 'done') return { name, state, startedAt: present, finishedAt: null, attempts, result: null }
  const { startedAt, finishedAt, result } = done[index] ?? {
    startedAt: row.phaseStartedAt,
    finishedAt: row.finishedAt,
    result: output,
  }
  return { name, state, startedAt, finishedAt, attempts, result }
}

/** Attempts of this generation that were cut off in the phase, and the one that finished it or is in it. */
function attemptsOf({ row, done, ended }: ModelJob, name: string, index: number): number {
  const finisher = index < row.phase ? (done[index] ?? row) : null
  const before = finisher?.attempt ?? Infinity
  const cutOff = ended.filter(
    ({ generation, attempt, phase }) => generation === row.generation && attempt < before && phase === name,
  )
  const finished = finisher !== null && finisher.generation === row.generation
  return cutOff.length + (finished || (index === row.phase && row.state === 'running') ? 1 : 0)
}

/** The one attempt that the job row itself tells of. */
export function latestAttempt(job: ModelJob): AttemptRecord[] {
  const { row, worker } = job
  const { attempt, generation, startedAt, progress } = row
  if (startedAt === null || (row.state !== 'running' && row.state !== 'completed')) return []
  const outcome = row.state
  const phase = presentPhase(job)
  const endedAt = row.finishedAt
  const stoppedBy = endedAt === null ? null : 'handler'
  const place = { attempt, generation, phase, progress }
  return [{ ...place, startedAt, endedAt, outcome, error: null, stoppedAt: endedAt, stoppedBy, worker }]
}

function listPage(state: ModelState, query: JobQuery): JobPage {
  const before = query.after === null ? Infinity : Number(query.after)
  const found = [...state.jobs.values()].toReversed().filter((job) => job.n < before && matches(job, query))
  const page = found.slice(0, query.limit)
  const next = found.length > page.length ? `${page.at(-1)?.n}` : null
  return { jobs: page.map((job) => summaryOf(state, job)), next }
}

function matches({ row, made }: ModelJob, filter: JobFilter & { readonly scope: Scope }): boolean {
  const { scope, states, type, queue, tenant, owner, labels = {} } = filter
  return (
    canTouch(scope, row) &&
    (states === undefined || states.includes(row.state)) &&
    (type === undefined || type === made.type) &&
    (queue === undefined || queue === made.queue) &&
    (tenant === undefined || tenant === made.tenant) &&
    (owner === undefined || owner === made.owner) &&
    Object.entries(labels).every(([name, text]) => Object.hasOwn(made.labels, name) && made.labels[name] === text)
  )
}
