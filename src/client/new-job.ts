import { types } from 'node:util'

import type { JobDefinition } from '../core/definition.ts'
import { parseDuration } from '../core/duration.ts'
import type { Duration } from '../core/duration.ts'
import { encodeJson } from '../core/encode-json.ts'
import { ForbiddenError, InvalidInputError } from '../core/errors.ts'
import { DEFAULTS, LIMITS } from '../core/limits.ts'
import type { Scope, Scoped } from '../core/scope.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { NewJob } from '../store/jobs.ts'
import { DEFAULT_POLICY } from './define-job.ts'
import { checkKey, checkName, checkTenant, shown } from './names.ts'
import { checkOptions, checkWhole } from './option-values.ts'

/** What may be said about a job when it is enqueued. */
export interface EnqueueOptions {
  /** The organization it belongs to, at most 200 characters. Default: none, which is `''`. */
  readonly tenant?: string
  /** The user it belongs to, 1 to 200 characters. Default: none; then it is the tenant admin's. */
  readonly owner?: string | null
  /** Up to 16 facts to find it by, such as `{ course: 'c-12' }`: a name, and 1 to 200 characters. */
  readonly labels?: Readonly<Record<string, string>>
  /** A lower number goes first: -1,000,000 to 1,000,000, default 0. */
  readonly priority?: number
  /** Wait this long before it may start. Default: none. Not together with `runAt`. */
  readonly delay?: Duration
  /** The instant at which it may start, at most 10 years ahead. An instant that has passed: at once. A number is epoch milliseconds. */
  readonly runAt?: Date | number
  /**
   * Idempotency key, 1 to 200 characters: a second enqueue of the type and tenant with the same key and input adds nothing and answers with
   * the first job; another input under the same key is refused (`key-reused`). Held until the job has been deleted, and at least 24 h.
   */
  readonly key?: string
  /** At most one unfinished job of the type and tenant has this key, 1 to 200 characters; a second answers with the first. */
  readonly unique?: string
  /** The queue it waits in. Default: that of the definition. */
  readonly queue?: string
}

/** Everything that an enqueue says, before the schema had its word. */
export interface JobRequest {
  readonly target: JobDefinition | string
  readonly input: unknown
  readonly options: EnqueueOptions
  /** Where the request stands in a list: `jobs[3]`; `''`: it is alone. */
  readonly path: string
}

export interface JobMaker {
  readonly scope: Scope
  readonly runtime: Runtime
}

/**
 * The job that a request asks for, its input encoded as it was given. Nothing is written. Where a type is named that has no definition here, its
 * queue is the one of that name.
 *
 * @throws InvalidInputError, ForbiddenError
 */
export function makeJob({ target, input, options, path }: JobRequest, { scope, runtime }: JobMaker): NewJob {
  const definition = typeof target === 'string' ? undefined : checkDefinition(target, at(path, 'definition'))
  const type = definition?.name ?? checkName(target, at(path, 'type'))
  // Not spread: of what is made by the thousand, that would take twice as long.
  const { tenant, owner } = placeOf(scope, options, path)
  const { priority, delayMs, runAt } = orderOf(options, runtime, path)
  return {
    id: runtime.uuid(),
    type,
    policy: definition?.policy ?? DEFAULT_POLICY,
    tenant,
    owner,
    priority,
    delayMs,
    runAt,
    queue: options.queue === undefined ? (definition?.queue ?? type) : checkName(options.queue, at(path, 'queue')),
    labels: options.labels === undefined ? NO_LABELS : checkLabels(options.labels, at(path, 'labels')),
    key: options.key === undefined ? null : checkKey(options.key, at(path, 'key')),
    uniqueKey: options.unique === undefined ? null : checkKey(options.unique, at(path, 'unique')),
    input: encodeJson(input === undefined && definition?.input === undefined ? null : input, {
      path: at(path, 'input'),
      limitBytes: LIMITS.inputBytes,
    }),
  }
}

/** Shared by all jobs without any. */
const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({})

/** Where an option of a request stands. */
export function at(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

/** The options of enqueueing, all that are known: a misspelt one is refused. */
export function checkEnqueueOptions(options: EnqueueOptions, path: string = ''): EnqueueOptions {
  return checkOptions(options, KNOWN_OPTIONS, at(path, 'options'))
}

export const KNOWN_OPTIONS: Readonly<Record<keyof EnqueueOptions, true>> = {
  tenant: true,
  owner: true,
  labels: true,
  priority: true,
  delay: true,
  runAt: true,
  key: true,
  unique: true,
  queue: true,
}

function checkDefinition(definition: JobDefinition, path: string): JobDefinition {
  if (typeof definition?.name === 'string' && typeof definition.policy === 'object') return definition
  throw new InvalidInputError({
    path,
    expected: 'a definition made by defineJob, or the name of a type',
    received: shown(definition),
  })
}

/** Whoever is bound to a tenant enqueues in it, and a member for nobody else. */
function placeOf(scope: Scope, options: EnqueueOptions, path: string): Scoped {
  const tenant = options.tenant === undefined ? null : checkTenant(options.tenant, at(path, 'tenant'))
  const owner = (options.owner ?? null) === null ? null : checkKey(options.owner, at(path, 'owner'))
  if (scope.role === 'operator') return { tenant: tenant ?? '', owner }
  const user = scope.role === 'member' ? scope.user : owner
  if ((tenant ?? scope.tenant) === scope.tenant && (owner ?? user) === user)
    return { tenant: scope.tenant, owner: user }
  throw new ForbiddenError(
    'forbidden',
    'Jobs can be enqueued only in the own tenant, and by a member only for the member.',
  )
}

type Order = Pick<NewJob, 'priority' | 'delayMs' | 'runAt'>

const USUAL_ORDER: Order = { priority: DEFAULTS.priority, delayMs: 0, runAt: null }

function orderOf({ priority, delay, runAt }: EnqueueOptions, runtime: Runtime, path: string): Order {
  if (priority === undefined && delay === undefined && runAt === undefined) return USUAL_ORDER
  if (delay !== undefined && runAt !== undefined) {
    throw new InvalidInputError({ path: at(path, 'runAt'), expected: 'nothing, where delay is given' })
  }
  return {
    priority: checkWhole(priority === undefined ? DEFAULTS.priority : priority, {
      path: at(path, 'priority'),
      least: -1_000_000,
      most: 1_000_000,
    }),
    delayMs: delay === undefined ? 0 : parseDuration(delay, at(path, 'delay')),
    runAt: runAt === undefined ? null : checkInstant(runAt, runtime, at(path, 'runAt')),
  }
}

function checkInstant(instant: Date | number, runtime: Runtime, path: string): number {
  const epochMs = types.isDate(instant) ? instant.getTime() : instant
  const latest = runtime.now() + LIMITS.scheduleAheadMs
  if (typeof epochMs === 'number' && Number.isSafeInteger(epochMs) && epochMs >= 0 && epochMs <= latest) return epochMs
  throw new InvalidInputError({
    path,
    expected: 'a Date, or whole epoch milliseconds, at most 10 years ahead',
    received: shown(epochMs),
  })
}

function checkLabels(labels: Readonly<Record<string, string>>, path: string): Readonly<Record<string, string>> {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
    throw new InvalidInputError({ path, expected: 'an object of texts', received: shown(labels) })
  }
  const entries = Object.entries(labels)
  if (entries.length > LIMITS.labels) {
    throw new InvalidInputError({ path, expected: `at most ${LIMITS.labels} labels`, received: `${entries.length}` })
  }
  return Object.fromEntries(
    entries.map(([name, content]) => [checkName(name, `${path} (a name in it)`), checkKey(content, `${path}.${name}`)]),
  )
}
