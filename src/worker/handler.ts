/** Handlers: the code of a job type, one function a phase. */
import type { JobDefinition } from '../core/definition.ts'
import type { EntityProbe } from '../core/entity-status.ts'
import { InvalidInputError, MillraceError } from '../core/errors.ts'
import type { JsonCompatible } from '../core/json.ts'
import type { SchemaInput, SchemaOutput } from '../core/schema.ts'
import type { HandlerContext } from './handler-context.ts'

/** Where a handler runs: in the worker's own thread, in a thread beside it, or in a process of its own. */
export type Isolation = 'inline' | 'thread' | 'process'

export interface HandleOptions<Definition extends JobDefinition = JobDefinition> {
  /**
   * `import.meta.url` of the file that makes and exports the handler: what a thread or process imports. It must open nothing. Needed unless
   * the handler is `'inline'`.
   */
  readonly module?: string
  /**
   * Where the handler runs. `'inline'` (the default): in the worker's own thread; it can be told to stop, never ended. `'thread'`: in a thread,
   * which is ended if it does not stop. `'process'`: in a process, which is ended with all that it has started.
   */
  readonly isolation?: Isolation
  /**
   * How the thing stands that a job was about, for a job that is over. One that is not final a while after raises a red flag. Default: what the
   * definition says.
   */
  readonly entityStatus?: EntityProbe<SchemaInput<Definition['input']>>
}

/** A function of one phase, with its types forgotten: what the worker calls. */
export type PhaseFunction = (context: HandlerContext) => unknown

/** A handler with a function for every phase: what a worker takes. */
export interface Handler<Definition extends JobDefinition = JobDefinition, Results = object> {
  readonly definition: Definition
  readonly module: string | null
  readonly isolation: Isolation
  readonly entityStatus: EntityProbe | null
  /** Names of phases that have no function yet. */
  readonly missing: readonly []
  readonly functions: ReadonlyMap<string, PhaseFunction>
  /** What its phases return, by name. For the compiler alone: it is never there. */
  readonly returns?: Results
}

/** A handler on its way: it becomes a `Handler` with the function of its last phase. */
export interface HandlerBuilder<
  Definition extends JobDefinition,
  Missing extends readonly string[],
  Results,
> extends Omit<Handler<Definition, Results>, 'missing'> {
  /** Names of phases that have no function yet, in their order. */
  readonly missing: MissingPhases<Missing>
  /**
   * The function of the next phase. What it returns is kept as soon as the phase ends, and handed to the later phases in `results`; what
   * the last one returns is the job's output. It must be JSON: bytes and files are artifacts. Nothing counts as null.
   *
   * @throws InvalidInputError unless `name` is the next phase of the definition
   */
  phase<const Name extends Missing[0] & string, Result extends Returned<Definition, Missing>>(
    name: Name,
    run: (context: ContextOf<Definition, Results>) => Awaitable<Result & Keepable<Result>>,
  ): HandlerBuilder<Definition, Later<Missing>, Results & { readonly [Phase in Name]: Kept<Result> }>
}

type Awaitable<T> = T | Promise<T>

/** The context of a definition's handler. */
export type ContextOf<Definition extends JobDefinition, Results = object> = HandlerContext<
  SchemaOutput<Definition['input']>,
  Readonly<Results>
>

/** A list of phases that is not known to the compiler is left to the check at run time. */
type MissingPhases<Missing extends readonly string[]> = number extends Missing['length'] ? readonly [] : Missing

type Later<Missing extends readonly string[]> = Missing extends readonly [
  string,
  ...infer Rest extends readonly string[],
]
  ? Rest
  : Missing

/** What the next phase may return: the last one what the output's schema takes, the others what they like. */
type Returned<Definition extends JobDefinition, Missing extends readonly string[]> = Missing extends readonly [string]
  ? SchemaInput<Definition['output']>
  : unknown

type Nothing = undefined | void

type Keepable<Result> = Result extends Nothing ? unknown : JsonCompatible<Result>

/** A result as the later phases get it: nothing became null. */
type Kept<Result> = Result extends Nothing ? null : Result

/** The one result of a definition of one phase. */
type OnlyResult<Definition extends JobDefinition, Result> = {
  readonly [Phase in Definition['phases'][0] & string]: Kept<Result>
}

/** A definition of one phase, as far as the compiler can tell. */
type OnePhase<Definition extends JobDefinition> = number extends Definition['phases']['length']
  ? Definition
  : Definition['phases'] extends readonly [string]
    ? Definition
    : never

/**
 * The handler of a job type. For a definition of one phase it takes the function; for one of several it begins a chain, to which each phase
 * adds its function in the order of the definition. Only the service that owns the type needs to import it.
 *
 * @example
 *     const sendMailHandler = handle(sendMail, async ({ input, signal }) => { await smtp.send(input, { signal }) })
 *
 *     const exportMapHandler = handle(exportMap, { module: import.meta.url })
 *       .phase('load', ({ input }) => loadCountries(input.region))
 *       .phase('render', ({ results, artifact }) => artifact.write('map.png', draw(results.load)))
 * @throws MillraceError `isolation-unavailable` for an isolation that there is not
 */
export function handle<Definition extends JobDefinition, Result extends SchemaInput<Definition['output']>>(
  definition: OnePhase<Definition>,
  run: (context: ContextOf<Definition>) => Awaitable<Result & Keepable<Result>>,
): Handler<Definition, OnlyResult<Definition, Result>>
export function handle<Definition extends JobDefinition>(
  definition: Definition,
  options?: HandleOptions<Definition>,
): HandlerBuilder<Definition, Definition['phases'], object>
export function handle(definition: JobDefinition, runOrOptions: PhaseFunction | HandleOptions = {}): unknown {
  const empty = new Map<string, PhaseFunction>()
  if (typeof runOrOptions !== 'function') {
    checkIsolation(runOrOptions.isolation, definition.name)
    checkEntityStatus(runOrOptions.entityStatus, definition.name)
    return builder(definition, runOrOptions, empty)
  }
  const [only = '', ...others] = definition.phases
  if (others.length > 0) throw severalPhases(definition)
  return builder(definition, {}, new Map([[only, runOrOptions]]))
}

/** A builder as it is: what its phases are called is for the compiler alone. */
interface UntypedBuilder extends Omit<Handler, 'missing'> {
  readonly missing: readonly string[]
  readonly phase: (name: string, run: PhaseFunction) => UntypedBuilder
}

function builder(
  definition: JobDefinition,
  options: HandleOptions,
  functions: ReadonlyMap<string, PhaseFunction>,
): UntypedBuilder {
  const missing = Object.freeze(definition.phases.slice(functions.size))
  return Object.freeze({
    definition,
    module: options.module ?? null,
    isolation: options.isolation ?? 'inline',
    entityStatus: options.entityStatus ?? definition.entityStatus,
    missing,
    functions,
    phase: (name: string, run: PhaseFunction) => {
      checkNext(definition, missing, name, run)
      return builder(definition, options, new Map([...functions, [name, run]]))
    },
  })
}

function checkNext({ name: type }: JobDefinition, [next]: readonly string[], name: string, run: unknown): void {
  const path = `the handler of ${type}: phase`
  if (next === undefined) {
    throw new InvalidInputError({
      path,
      expected: 'no further phase, all have a function',
      received: JSON.stringify(name),
    })
  }
  if (name !== next) {
    const expected = `${JSON.stringify(next)}: phases are given in the order of the definition`
    throw new InvalidInputError({ path, expected, received: JSON.stringify(name) })
  }
  if (typeof run === 'function') return
  throw new InvalidInputError({ path: `${path} ${JSON.stringify(name)}`, expected: 'a function', received: typeof run })
}

function checkEntityStatus(entityStatus: unknown, type: string): void {
  if (entityStatus === undefined || typeof entityStatus === 'function') return
  const path = `the handler of ${type}: entityStatus`
  throw new InvalidInputError({ path, expected: 'a function', received: typeof entityStatus })
}

const ISOLATIONS: Readonly<Record<Isolation, true>> = { inline: true, thread: true, process: true }

/** @throws MillraceError `isolation-unavailable` unless there is such an isolation */
export function checkIsolation(isolation: Isolation = 'inline', type: string): void {
  if (Object.hasOwn(ISOLATIONS, isolation)) return
  throw new MillraceError(
    'isolation-unavailable',
    `The handler of ${type} asks for isolation '${isolation}', which there is not. Use 'inline', 'thread' or 'process'.`,
    { details: { type, isolation } },
  )
}

function severalPhases({ name, phases }: JobDefinition): InvalidInputError {
  return new InvalidInputError({
    path: `the handler of ${name}`,
    expected: `a function for each of its phases, as in handle(definition).phase('${phases[0] ?? ''}', …)`,
    received: 'one function for all',
  })
}
