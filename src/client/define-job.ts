import type { ClassificationRule } from '../core/classification.ts'
import type { JobDefinition } from '../core/definition.ts'
import { parseDuration } from '../core/duration.ts'
import type { Duration } from '../core/duration.ts'
import type { EntityProbe } from '../core/entity-status.ts'
import { InvalidInputError } from '../core/errors.ts'
import { DEFAULTS, LIMITS } from '../core/limits.ts'
import { ONLY_PHASE } from '../core/phases.ts'
import type { JobPolicy, LockPolicy } from '../core/policy.ts'
import type { Expectation } from '../core/red-flags.ts'
import { DEFAULT_BACKOFF } from '../core/retry.ts'
import type { Backoff } from '../core/retry.ts'
import type { Schema, SchemaInput } from '../core/schema.ts'
import { checkName, shown } from './names.ts'
import { checkRetention } from './retention-options.ts'
import type { RetentionOptions } from './retention-options.ts'
import { checkChoice, checkList, checkNumber, checkOptions, checkWhole } from './option-values.ts'

/** How long a failed job waits before its next attempt. */
export interface BackoffOptions {
  /** The wait after the first failure, before jitter. Default `'1s'`. */
  readonly base?: Duration
  /** The longest wait. Default `'10m'`, or `base` where that is longer. */
  readonly max?: Duration
  /** What an exponential wait is multiplied by with each further failure: 1 to 1,000, default 2. */
  readonly factor?: number
  /** The share of the wait that is random: 0 none, 1 all of it, default 0.5. */
  readonly jitter?: number
  /** `'exponential'` (the default), or `'fixed'`: `base` after every failure. */
  readonly kind?: 'exponential' | 'fixed'
}

export interface RetryOptions {
  /** How often a job may fail before it has failed for good, the first attempt included: 1 to 10,000, default 3. */
  readonly maxAttempts?: number
  readonly backoff?: BackoffOptions
}

/** What is to be expected of jobs that complete. Those that are otherwise raise a red flag, and change nothing. */
export interface ExpectOptions {
  /** A job that takes less has probably not done its work. Default: none is too fast. */
  readonly minDuration?: Duration
}

/** For jobs that somebody drives by hand, as with a `JobManager`. */
export interface LockOptions {
  /**
   * How long a lock lasts from when it is taken. Default `'15m'`. After a write it lasts at least another 5 min, or as long as this where that is
   * less.
   */
  readonly duration?: Duration
  /** A job whose lock has run out is stuck once nothing has been written for so long. Default `'10m'`. */
  readonly quiet?: Duration
  /**
   * What becomes of a stuck job with progress: `'fail'` (the default) for a person to look at, `'requeue'` where it may simply be done again. One
   * without progress is queued in any case, and so is one with a finished phase, which goes on from there.
   */
  readonly progressed?: 'fail' | 'requeue'
}

/** What there is to say about a job type. Only `service` must be said. */
export interface JobOptions<
  InputSchema extends Schema | undefined = Schema | undefined,
  OutputSchema extends Schema | undefined = Schema | undefined,
  Phases extends readonly string[] = readonly string[],
> {
  /** The one service that works on the type. A second one that tries is refused. */
  readonly service: string
  /** Any Standard Schema (zod, valibot, arktype, …). The input is checked when the job is enqueued and again before it is worked on. */
  readonly input?: InputSchema
  /** Any Standard Schema. What the handler returns is checked, and the output is parsed with it when the job is read. */
  readonly output?: OutputSchema
  /** Names of the phases in their order, 1 to 100, no two alike. Default: one phase, `run`. */
  readonly phases?: Phases
  readonly retry?: RetryOptions
  /** The longest that one attempt may take; then it has failed as timed out. Default `'30m'`. `'none'`: as long as it likes. */
  readonly timeout?: Duration | 'none'
  /** How long a handler may go on after it was told to stop, before the job is final without it. Default `'5s'`. */
  readonly cancelGrace?: Duration
  /** A name to pause jobs by, which several types may share. Default: the type's name. */
  readonly queue?: string
  /** Deaths of a worker with the job as the suspect, after which the job has failed as poison: 1 to 100, default 3. */
  readonly maxStrikes?: number
  readonly expect?: ExpectOptions
  readonly lock?: LockOptions
  /** Own rules for which errors are fatal, asked before those of Millrace. */
  readonly rules?: readonly ClassificationRule[]
  /**
   * How the thing stands that a job was about, for a job that is over. One that is not final a while after raises a red flag. Asked by workers
   * of the type; where the answer needs what only they have, give it to `handle` instead, whose option goes before this one. Default: nobody asks.
   */
  readonly entityStatus?: EntityProbe<SchemaInput<InputSchema>>
  /** How long jobs of this type are kept once they are over, where it differs from what `openMillrace` is told. `'none'`: for good. */
  readonly retention?: RetentionOptions | 'none'
}

/**
 * Defines a job type: its name, who works on it, what goes in and comes out, and how it is retried. The definition carries no code of the
 * handler, so that whoever enqueues can import it without the handler's dependencies.
 *
 * Names (of types, services, queues, phases) have 1 to 100 characters: letters and digits of ASCII, `.`, `_`, `-`, `:`, the first a letter
 * or a digit.
 *
 * @example
 *     export const exportMap = defineJob('map.export', {
 *       service: 'workers',
 *       input: MapRequest,
 *       output: MapFile,
 *       phases: ['load', 'project', 'render', 'store'],
 *       retry: { maxAttempts: 4, backoff: { base: '1s', max: '1m' } },
 *       timeout: '5m',
 *     })
 * @throws InvalidInputError that names the option: `option-invalid`, or `name-invalid` for a name
 */
export function defineJob<
  const Name extends string,
  InputSchema extends Schema | undefined = undefined,
  OutputSchema extends Schema | undefined = undefined,
  const Phases extends readonly string[] = readonly ['run'],
>(
  name: Name,
  options: JobOptions<InputSchema, OutputSchema, Phases>,
): JobDefinition<Name, InputSchema, OutputSchema, Phases> {
  checkName(name, 'name')
  checkOptions<JobOptions>(options, KNOWN_OPTIONS, 'options')
  const phases = checkPhases(options.phases ?? [ONLY_PHASE])
  return Object.freeze({
    name,
    service: checkName(options.service, 'service'),
    queue: checkName(options.queue ?? name, 'queue'),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- where no schema was given, the type parameter is undefined
    input: checkSchema(options.input, 'input') as InputSchema,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
    output: checkSchema(options.output, 'output') as OutputSchema,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above: the default names the one phase
    phases: phases as Phases,
    policy: policyOf(options, phases),
    rules: checkRules(options.rules ?? []),
    entityStatus: checkProbe(options.entityStatus),
  })
}

const KNOWN_OPTIONS: Readonly<Record<keyof JobOptions, true>> = {
  service: true,
  input: true,
  output: true,
  phases: true,
  retry: true,
  timeout: true,
  cancelGrace: true,
  queue: true,
  maxStrikes: true,
  expect: true,
  lock: true,
  rules: true,
  entityStatus: true,
  retention: true,
}
const KNOWN_EXPECT: Readonly<Record<keyof ExpectOptions, true>> = { minDuration: true }
const KNOWN_RETRY: Readonly<Record<keyof RetryOptions, true>> = { maxAttempts: true, backoff: true }
const KNOWN_LOCK: Readonly<Record<keyof LockOptions, true>> = { duration: true, quiet: true, progressed: true }
const KNOWN_BACKOFF: Readonly<Record<keyof BackoffOptions, true>> = {
  base: true,
  max: true,
  factor: true,
  jitter: true,
  kind: true,
}

function checkPhases(phases: readonly string[]): readonly string[] {
  const expected = `a list of 1 to ${LIMITS.phases} names`
  const { length } = checkList(phases, 'phases', expected)
  if (length === 0 || length > LIMITS.phases) {
    throw new InvalidInputError({ path: 'phases', expected, received: `${length} of them` })
  }
  phases.forEach((phase, index) => {
    checkName(phase, `phases[${index}]`)
    if (phases.indexOf(phase) === index) return
    throw new InvalidInputError({
      path: `phases[${index}]`,
      expected: 'a name that no earlier phase has',
      received: shown(phase),
    })
  })
  return Object.freeze([...phases])
}

function checkSchema(schema: Schema | undefined, path: string): Schema | undefined {
  if (schema === undefined || typeof schema?.['~standard']?.validate === 'function') return schema
  throw new InvalidInputError({
    path,
    expected: 'a schema that speaks Standard Schema (zod from 3.24, valibot from 1.0, arktype from 2.0 and others do)',
    received: shown(schema),
  })
}

function checkRules(rules: readonly ClassificationRule[]): readonly ClassificationRule[] {
  checkList(rules, 'rules').forEach(({ name, test }, index) => {
    checkName(name, `rules[${index}].name`)
    if (typeof test === 'function') return
    throw new InvalidInputError({ path: `rules[${index}].test`, expected: 'a function', received: shown(test) })
  })
  return Object.freeze([...rules])
}

/** What the probe is handed is the input of a job of this type, which only its definition knows. */
function checkProbe<Input>(probe: EntityProbe<Input> | undefined): EntityProbe | null {
  if (probe === undefined) return null
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is only ever asked about jobs of the type
  if (typeof probe === 'function') return probe as EntityProbe
  throw new InvalidInputError({ path: 'entityStatus', expected: 'a function', received: shown(probe) })
}

/** What stands in the policy that a store keeps of a type, or may do so. */
type PolicyOptions = Omit<JobOptions, 'service' | 'entityStatus'>

/** The policy of a type that is known by its name alone: everything as it is by default. */
export const DEFAULT_POLICY: JobPolicy = policyOf({}, [ONLY_PHASE])

function policyOf(options: PolicyOptions, phases: readonly string[]): JobPolicy {
  const { timeout, cancelGrace = DEFAULTS.cancelGraceMs, maxStrikes = DEFAULTS.maxStrikes } = options
  const { maxAttempts = DEFAULTS.maxAttempts, backoff = {} } = checkOptions(options.retry ?? {}, KNOWN_RETRY, 'retry')
  return Object.freeze({
    phases,
    maxAttempts: checkWhole(maxAttempts, { path: 'retry.maxAttempts', least: 1, most: 10_000 }),
    backoff: backoffOf(checkOptions(backoff, KNOWN_BACKOFF, 'retry.backoff')),
    timeoutMs: timeoutMsOf(timeout),
    cancelGraceMs: parseDuration(cancelGrace, 'cancelGrace'),
    maxStrikes: checkWhole(maxStrikes, { path: 'maxStrikes', least: 1, most: 100 }),
    expect: expectationOf(options),
    lock: lockOf(checkOptions(options.lock ?? {}, KNOWN_LOCK, 'lock')),
    ...(options.retention === undefined ? {} : { retention: checkRetention(options.retention) }),
  })
}

function expectationOf({ expect, output }: PolicyOptions): Expectation {
  const { minDuration } = checkOptions(expect ?? {}, KNOWN_EXPECT, 'expect')
  const minDurationMs = minDuration === undefined ? null : parseDuration(minDuration, 'expect.minDuration')
  return Object.freeze({ minDurationMs, output: output !== undefined })
}

function timeoutMsOf(timeout: Duration | 'none' = DEFAULTS.timeoutMs): number | null {
  if (timeout === 'none') return null
  const timeoutMs = parseDuration(timeout, 'timeout')
  if (timeoutMs > 0) return timeoutMs
  throw new InvalidInputError({ path: 'timeout', expected: "a duration above 0, or 'none'", received: shown(timeout) })
}

function lockOf({ duration, quiet, progressed }: LockOptions): LockPolicy {
  const durationMs = duration === undefined ? DEFAULTS.lockMs : parseDuration(duration, 'lock.duration')
  if (durationMs === 0) {
    throw new InvalidInputError({ path: 'lock.duration', expected: 'a duration above 0', received: shown(duration) })
  }
  return Object.freeze({
    durationMs,
    quietMs: quiet === undefined ? DEFAULTS.lockQuietMs : parseDuration(quiet, 'lock.quiet'),
    progressed: checkChoice(progressed ?? 'fail', ['fail', 'requeue'], 'lock.progressed'),
  })
}

function backoffOf({ base, max, factor, jitter, kind }: BackoffOptions): Backoff {
  const baseMs = base === undefined ? DEFAULT_BACKOFF.baseMs : parseDuration(base, 'retry.backoff.base')
  const maxMs = max === undefined ? Math.max(DEFAULT_BACKOFF.maxMs, baseMs) : parseDuration(max, 'retry.backoff.max')
  if (maxMs < baseMs) {
    const expected = `a duration of at least retry.backoff.base, which is ${baseMs} ms`
    throw new InvalidInputError({ path: 'retry.backoff.max', expected, received: `${maxMs} ms` })
  }
  return Object.freeze({
    kind: checkChoice(kind ?? DEFAULT_BACKOFF.kind, ['exponential', 'fixed'], 'retry.backoff.kind'),
    baseMs,
    maxMs,
    factor: checkNumber(factor ?? DEFAULT_BACKOFF.factor, { path: 'retry.backoff.factor', least: 1, most: 1_000 }),
    jitter: checkNumber(jitter ?? DEFAULT_BACKOFF.jitter, { path: 'retry.backoff.jitter', least: 0, most: 1 }),
  })
}
