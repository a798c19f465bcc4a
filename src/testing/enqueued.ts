/** What has been enqueued, and what not. */
import { isDeepStrictEqual } from 'node:util'
import type { InputOf } from '../client/job-values.ts'
import type { Job } from '../client/job.ts'
import { parseDuration } from '../core/duration.ts'
import type { Duration } from '../core/duration.ts'
import type { JobDefinition } from '../core/definition.ts'
import type { JobState } from '../core/states.ts'
import { LIMITS } from '../core/limits.ts'
import type { Millrace } from '../open-millrace.ts'
import { systemRuntime } from '../runtime/system-runtime.ts'
import { pause } from '../runtime/pause.ts'
import { failure, listed, written } from './failure.ts'

/** Of an object any members, of those in turn any, and so on. */
type PartOf<Whole> = Whole extends readonly unknown[]
  ? Whole
  : Whole extends object
    ? { readonly [Name in keyof Whole]?: PartOf<Whole[Name]> }
    : Whole

/** Which jobs of a type are meant. Everything that is said has to match. */
export interface EnqueuedFilter<Definition extends JobDefinition = JobDefinition> {
  /** Of the stored input: members that are left out may be anything, lists have to be equal. Default: any input. */
  readonly input?: PartOf<InputOf<Definition>>
  /** Default: any, since a job that was enqueued may be over by now. */
  readonly state?: JobState | readonly JobState[]
  readonly tenant?: string
  readonly owner?: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface EnqueuedOptions<Definition extends JobDefinition = JobDefinition> extends EnqueuedFilter<Definition> {
  /** Exactly so many. Default: at least one. */
  readonly count?: number
  /** Look again for so long, by a real clock, before it has failed. Default: look once. */
  readonly within?: Duration
}

type Found = readonly Job<undefined>[]

/** The jobs that match, oldest first. @throws AssertionError */
export async function assertEnqueued<Definition extends JobDefinition>(
  mill: Millrace,
  definition: Definition,
  options: EnqueuedOptions<Definition>,
): Promise<Found> {
  const { count, within, ...filter } = options
  const fits = (found: Found): boolean => (count === undefined ? found.length > 0 : found.length === count)
  const looked = await lookFor(within, async () => findJobs(mill, definition, filter), fits)
  if (fits(looked)) return looked
  const wanted = count === undefined ? 'a job' : `${count} jobs`
  const found = looked.length === 0 ? 'there is none' : `there are ${looked.length}`
  throw failure(
    [
      `Expected ${wanted} of type ${meant(definition, filter)} to have been enqueued; ${found}.`,
      ...(await whatIs(mill, definition)),
    ],
    { operator: 'assertEnqueued', actual: looked.map(({ input }) => input), expected: options },
  )
}

/** @throws AssertionError */
export async function refuteEnqueued<Definition extends JobDefinition>(
  mill: Millrace,
  definition: Definition,
  filter: EnqueuedFilter<Definition>,
): Promise<void> {
  const found = await findJobs(mill, definition, filter)
  if (found.length === 0) return
  throw failure(
    [
      `Expected no job of type ${meant(definition, filter)} to have been enqueued; there ${found.length === 1 ? 'is one' : `are ${found.length}`}.`,
      ...listed('Found:', found.map(lineOf)),
    ],
    { operator: 'refuteEnqueued', actual: found.map(({ input }) => input), expected: [] },
  )
}

const LOOK_EVERY_MS = 10

async function lookFor(
  within: Duration | undefined,
  look: () => Promise<Found>,
  fits: (found: Found) => boolean,
): Promise<Found> {
  const runtime = systemRuntime()
  const until = runtime.monotonic() + (within === undefined ? 0 : parseDuration(within, 'within'))
  for (;;) {
    const found = await look()
    const leftMs = until - runtime.monotonic()
    if (fits(found) || leftMs <= 0) return found
    await pause(runtime, Math.min(leftMs, LOOK_EVERY_MS))
  }
}

async function findJobs(
  mill: Millrace,
  definition: JobDefinition,
  { input, ...filter }: EnqueuedFilter,
): Promise<Found> {
  const found: Job<undefined>[] = []
  let after: string | undefined
  do {
    const page = await mill.list({
      ...filter,
      type: definition.name,
      limit: LIMITS.listPage,
      ...(after === undefined ? {} : { after }),
    })
    for (const { id } of page.jobs) found.push(await mill.get(id))
    after = page.next ?? undefined
  } while (after !== undefined)
  return found.filter((job) => input === undefined || isPart(job.input, input)).toReversed()
}

function isPart(whole: unknown, part: unknown): boolean {
  if (!isObject(part) || !isObject(whole)) return isDeepStrictEqual(whole, part)
  return Object.entries(part).every(([name, member]) => isPart(Reflect.get(whole, name), member))
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function meant({ name }: JobDefinition, filter: EnqueuedFilter): string {
  const said = Object.entries(filter).map(([what, value]) => `${what} ${written(value)}`)
  return said.length === 0 ? name : `${name} with ${said.join(', ')}`
}

/** The jobs of the type; where there are none, how many there are of others. */
async function whatIs(mill: Millrace, definition: JobDefinition): Promise<readonly string[]> {
  const ofType = await findJobs(mill, definition, {})
  if (ofType.length > 0) return listed(`Jobs of type ${definition.name}:`, ofType.map(lineOf))
  const { jobs } = await mill.list({ limit: LIMITS.listPage })
  if (jobs.length === 0) return ['There are no jobs at all.']
  const types = [...Map.groupBy(jobs, ({ type }) => type)].map(([type, { length }]) => `${type}: ${length}`)
  return listed(`There are no jobs of type ${definition.name}, but of others:`, types)
}

function lineOf({ id, state, input }: Job<undefined>): string {
  return `${id} ${state} ${written(input)}`
}
