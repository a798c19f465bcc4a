import type { JobDefinition } from '../core/definition.ts'
import { InvalidInputError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import { LIMITS } from '../core/limits.ts'
import { parseWith } from '../core/schema.ts'
import type { Scope } from '../core/scope.ts'
import { JOB_STATES } from '../core/states.ts'
import type { JobState } from '../core/states.ts'
import type { JobDetails, JobFilter, StateCounts } from '../store/jobs.ts'
import type { Store } from '../store/store.ts'
import type { DefinitionIn, JobReference, OutputOf } from './job-values.ts'
import { toJob, toListedJob } from './job.ts'
import type { Job, ListedJob } from './job.ts'
import { noSuchJob } from './job-watcher.ts'
import { checkKey, checkName, checkTenant, checkText, shown } from './names.ts'
import { checkChoice, checkList, checkOptions, checkWhole } from './option-values.ts'
import { notYours } from './refusals.ts'

/** Which jobs. All that is said has to match. */
export interface JobFilterOptions {
  readonly state?: JobState | readonly JobState[]
  /** The name of a type, or its definition. */
  readonly type?: string | JobDefinition
  readonly queue?: string
  /** `''`: jobs without a tenant. */
  readonly tenant?: string
  readonly owner?: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface ListOptions extends JobFilterOptions {
  /** At most this many, newest first: 1 to 500, default 50. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly after?: string
}

export interface JobList {
  readonly jobs: readonly ListedJob[]
  /** Where the next page starts; null: this was the last. */
  readonly next: string | null
}

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * The id that a reference names.
 *
 * @throws NotFoundError for a text that can't be an id, InvalidInputError for what is no reference
 */
export function idOf(reference: JobReference): string {
  const id: unknown = typeof reference === 'object' && reference !== null ? reference.id : reference
  if (typeof id !== 'string') {
    throw new InvalidInputError({
      path: 'job',
      expected: 'the id of a job, or an object with that id',
      received: shown(id),
    })
  }
  const lower = id.toLowerCase()
  if (ID.test(lower)) return lower
  throw noSuchJob(id.slice(0, LIMITS.nameCharacters))
}

/** @throws NotFoundError, ForbiddenError */
export async function readDetails(store: Store, scope: Scope, jobId: string): Promise<JobDetails> {
  const details = await store.jobs.get(jobId, scope)
  if (details === 'not-found') throw noSuchJob(jobId)
  if (details === 'forbidden') throw notYours(jobId)
  return details
}

/** The job, its output parsed by the definition's schema where there is one. */
export async function readJob<Reference extends JobReference>(
  store: Store,
  scope: Scope,
  reference: Reference,
): Promise<Job<DefinitionIn<Reference>>> {
  const job = toJob(await readDetails(store, scope, idOf(reference)))
  const definition = definitionIn(reference)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the schema of the definition says what it is
  const output = (await parseOutput(definition, job)) as OutputOf<DefinitionIn<Reference>> | null
  return { ...job, output }
}

function definitionIn(reference: JobReference): JobDefinition | undefined {
  return typeof reference === 'string' ? undefined : reference.definition
}

async function parseOutput(definition: JobDefinition | undefined, job: Job<undefined>): Promise<unknown> {
  if (definition !== undefined && definition.name !== job.type) {
    throw new InvalidInputError({
      path: 'definition',
      expected: `the definition of ${job.type}, the type of job ${job.id}`,
      received: shown(definition.name),
    })
  }
  if (job.state !== 'completed' || definition?.output === undefined) return job.output
  return parseWith(definition.output, job.output satisfies Json | null, { path: 'output', code: 'output-invalid' })
}

export async function listJobs(store: Store, scope: Scope, options: ListOptions): Promise<JobList> {
  const { limit = LIMITS.listPageDefault, after } = checkOptions(options, KNOWN_LIST, 'options')
  const { jobs, next } = await store.jobs.list({
    ...filterOf(options),
    scope,
    limit: checkWhole(limit, { path: 'limit', least: 1, most: LIMITS.listPage }),
    after: after === undefined ? null : checkText(after, { path: 'after', maxCharacters: LIMITS.reasonCharacters }),
  })
  return { jobs: jobs.map(toListedJob), next }
}

export async function countJobs(store: Store, scope: Scope, options: JobFilterOptions): Promise<StateCounts> {
  return store.jobs.counts({ ...filterOf(checkOptions(options, KNOWN_FILTER, 'options')), scope })
}

export const KNOWN_FILTER: Readonly<Record<keyof JobFilterOptions, true>> = {
  state: true,
  type: true,
  queue: true,
  tenant: true,
  owner: true,
  labels: true,
}
const KNOWN_LIST: Readonly<Record<keyof ListOptions, true>> = { ...KNOWN_FILTER, limit: true, after: true }

export function filterOf({ state, type, queue, tenant, owner, labels }: JobFilterOptions): JobFilter {
  return {
    ...(state === undefined ? {} : { states: checkStates(state, 'state') }),
    ...(type === undefined ? {} : { type: checkName(typeof type === 'object' ? type?.name : type, 'type') }),
    ...(queue === undefined ? {} : { queue: checkName(queue, 'queue') }),
    ...(tenant === undefined ? {} : { tenant: checkTenant(tenant, 'tenant') }),
    ...(owner === undefined ? {} : { owner: checkKey(owner, 'owner') }),
    ...(labels === undefined ? {} : { labels: checkFilterLabels(labels) }),
  }
}

/** One state or several. */
export function checkStates(states: JobState | readonly JobState[], path: string): readonly JobState[] {
  const list = typeof states === 'string' ? [states] : checkList(states, path, 'a state, or a list of states')
  if (list.length > 0) return list.map((state) => checkChoice(state, JOB_STATES, path))
  throw new InvalidInputError({ path, expected: 'a state, or a list of states', received: 'an empty list' })
}

function checkFilterLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (typeof labels !== 'object' || labels === null) {
    throw new InvalidInputError({ path: 'labels', expected: 'an object of texts', received: shown(labels) })
  }
  for (const [name, content] of Object.entries(labels)) {
    checkName(name, 'labels (a name in it)')
    checkKey(content, `labels.${name}`)
  }
  return labels
}
