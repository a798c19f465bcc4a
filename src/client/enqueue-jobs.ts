import type { JobDefinition } from '../core/definition.ts'
import { ConflictError, InvalidInputError } from '../core/errors.ts'
import { decodeJson } from '../core/json.ts'
import { LIMITS } from '../core/limits.ts'
import type { Scope } from '../core/scope.ts'
import type { JobState } from '../core/states.ts'
import type { Enqueued, NewJob } from '../store/jobs.ts'
import type { Store } from '../store/store.ts'
import type { CallerConnection } from '../store/transactions.ts'
import { checkInput, checkInputAtOnce } from './check-input.ts'
import type { ClientContext } from './client-context.ts'
import type { DefinitionOf, InputOf, JobHandle } from './job-values.ts'
import { shown } from './names.ts'
import { at, checkEnqueueOptions, KNOWN_OPTIONS, makeJob } from './new-job.ts'
import type { EnqueueOptions, JobRequest } from './new-job.ts'
import { checkList, checkOptions } from './option-values.ts'

/** What became of an enqueue. */
export interface EnqueueResult<Definition extends JobDefinition | undefined = JobDefinition | undefined> {
  /** `duplicate`: the key, or the unique key, names a job that is there already; nothing was added, and `job` is that one. */
  readonly outcome: 'created' | 'duplicate'
  readonly job: JobHandle<Definition>
  /** The job's state at that moment. `deleted`: its idempotency key is still held, but the job itself is gone. */
  readonly state: JobState | 'deleted'
}

/** One of the jobs of `enqueueMany`: what it is, what goes in, and any option of `enqueue`. */
export interface EnqueueItem<Target extends JobDefinition | string = JobDefinition | string> extends EnqueueOptions {
  readonly definition: Target
  readonly input?: Target extends JobDefinition ? InputOf<Target> : unknown
}

/** A request whose job is made, with the schema that has not had its word yet. */
interface Draft {
  readonly job: NewJob
  readonly request: JobRequest
}

interface Enqueuer {
  readonly context: ClientContext
  readonly scope: Scope
}

export async function enqueueAll(
  { context, scope }: Enqueuer,
  requests: readonly JobRequest[],
  act: string,
): Promise<readonly EnqueueResult[]> {
  const store = context.writer(act)
  // At once: what the caller does to an item or an input afterwards is of no account.
  const made = requests.map((request) => draftOf(request, { context, scope }))
  const drafts = requests.some(namesItsType) ? inRegisteredQueues(made, await registeredQueues(store)) : made
  for (const { job, request } of drafts) {
    const schema = schemaOf(request)
    if (schema !== undefined) await checkInput(schema, decodeJson(job.input), at(request.path, 'input'))
  }
  // The schemas may have taken their time: the Millrace may have been closed since.
  return toResults(drafts, await context.writer(act).jobs.enqueue(drafts.map(({ job }) => job)))
}

/** Inside a transaction of the caller's there may be no waiting, so a type that is named gets the queue of that name. */
export function enqueueInTransaction(
  { context, scope }: Enqueuer,
  connection: CallerConnection,
  request: JobRequest,
): EnqueueResult | Promise<EnqueueResult> {
  const store = context.reader()
  const draft = draftOf(request, { context, scope })
  checkInputAtOnce(schemaOf(request), decodeJson(draft.job.input), 'input')
  const enqueued = store.transactions.enqueue(connection, [draft.job])
  return 'then' in enqueued ? enqueued.then((outcomes) => only([draft], outcomes)) : only([draft], enqueued)
}

/** @throws InvalidInputError unless it is a list of at most 5,000 items */
export function requestsOf(items: readonly EnqueueItem[]): readonly JobRequest[] {
  if (checkList(items, 'jobs').length > LIMITS.enqueueManyJobs) {
    throw new InvalidInputError({
      path: 'jobs',
      expected: `at most ${LIMITS.enqueueManyJobs} jobs at once, which are added all or none; split the list`,
      received: `${items.length}`,
      code: 'too-large',
    })
  }
  return items.map((item, index) => {
    const path = `jobs[${index}]`
    const { definition: target, input } = checkOptions(item, KNOWN_ITEM, path)
    // An item is its options and two members more, which nobody looks for there.
    return { target, input, options: item, path }
  })
}

const KNOWN_ITEM: Readonly<Record<keyof EnqueueItem, true>> = { ...KNOWN_OPTIONS, definition: true, input: true }

/** @throws InvalidInputError */
export function requestOf(target: JobDefinition | string, input: unknown, options: EnqueueOptions = {}): JobRequest {
  return { target, input, options: checkEnqueueOptions(options), path: '' }
}

async function registeredQueues(store: Store): Promise<ReadonlyMap<string, string>> {
  const types = await store.jobTypes.list()
  return new Map(types.map(({ type, queue }) => [type, queue]))
}

/** A type that is named may have a queue of another name: the one that its owner has registered. */
function inRegisteredQueues(drafts: readonly Draft[], queues: ReadonlyMap<string, string>): readonly Draft[] {
  return drafts.map(({ request, job }) => {
    const queue = namesItsType(request) ? queues.get(job.type) : undefined
    return { request, job: queue === undefined ? job : { ...job, queue } }
  })
}

function namesItsType({ target, options }: JobRequest): boolean {
  return typeof target === 'string' && options.queue === undefined
}

function draftOf(request: JobRequest, { context, scope }: Enqueuer): Draft {
  return { request, job: makeJob(request, { scope, runtime: context.runtime }) }
}

function schemaOf({ target }: JobRequest): JobDefinition['input'] {
  return typeof target === 'string' ? undefined : target.input
}

function only(drafts: readonly Draft[], outcomes: readonly Enqueued[]): EnqueueResult {
  const [result] = toResults(drafts, outcomes)
  if (result === undefined) throw new RangeError('there was no draft')
  return result
}

function toResults(drafts: readonly Draft[], outcomes: readonly Enqueued[]): readonly EnqueueResult[] {
  return drafts.map((draft, index) => {
    const outcome = outcomes[index]
    if (outcome === undefined) throw new RangeError('the store answered no outcome')
    return toResult(draft, outcome)
  })
}

function toResult({ job, request }: Draft, enqueued: Enqueued): EnqueueResult {
  if (enqueued.outcome === 'key-reused') throw keyReused(job, request, enqueued.id)
  const { target } = request
  const definition: DefinitionOf<JobDefinition | string> = typeof target === 'string' ? undefined : target
  const { outcome, id, state } = enqueued
  return { outcome, state, job: { id, type: job.type, definition } }
}

function keyReused({ type, key }: NewJob, { path }: JobRequest, jobId: string): ConflictError {
  const all = path === '' ? '' : ' None of the jobs were added.'
  return new ConflictError(
    'key-reused',
    `${at(path, 'key')}: the key ${shown(key)} was used for another input of ${type}, by job ${jobId}.${all} ` +
      'Use a key of its own for each thing that is asked for.',
    { details: { jobId, type, key, path: at(path, 'key') } },
  )
}
