/** One phase by itself: its function is called with a made context, and what it makes is recorded. There is no store. */
import { createHash } from 'node:crypto'
import type { InputOf } from '../client/job-values.ts'
import { encodeJson } from '../core/encode-json.ts'
import type { JobDefinition } from '../core/definition.ts'
import { decodeJson } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import { LIMITS } from '../core/limits.ts'
import { LOG } from '../core/plans.ts'
import { virtualRuntime } from '../runtime/virtual-runtime.ts'
import type { WrittenBytes } from '../store/artifacts.ts'
import type { ClaimedJob, NewArtifact, PlanCall, PlanResult } from '../store/claims.ts'
import { Attempt } from '../worker/attempt.ts'
import type { HandlerContext } from '../worker/handler-context.ts'
import type { Handler } from '../worker/handler.ts'
import { runPhase as runFunction } from '../worker/phase-runner.ts'
import { cancelStop } from '../worker/stop.ts'
import { TurnBudget } from '../worker/turn-budget.ts'
import { failure } from './failure.ts'
import { lineOf } from './recorded.ts'
import type { RecordedArtifact, RecordedLine, RecordedProgress } from './recorded.ts'

/** The name of a phase; of a handler whose type is not known, any. */
export type PhaseName<Results> = keyof Results extends never ? string : keyof Results & string

export type PhaseResult<Results, Name> = Name extends keyof Results ? Results[Name] : Json

interface Surroundings<Results> {
  /** What the earlier phases returned: those that the phase reads. */
  readonly results?: Partial<Results>
  readonly tenant?: string
  readonly owner?: string | null
  readonly labels?: Readonly<Record<string, string>>
  /** Default 1. */
  readonly attempt?: number
  /** When it fires, the job is cancelled: the handler's own signal fires, and `checkCancellation()` throws. */
  readonly signal?: AbortSignal
}

export type PhaseOptions<Definition extends JobDefinition, Results extends object> = Surroundings<Results> &
  (undefined extends Definition['input'] ? { readonly input?: unknown } : { readonly input: InputOf<Definition> })

export interface PhaseRun<Result> {
  /** What it returned, as the later phases get it. */
  readonly result: Result
  /** Each call that was not ignored, in its order. */
  readonly progress: readonly RecordedProgress[]
  readonly logs: readonly RecordedLine[]
  readonly artifacts: readonly RecordedArtifact[]
}

/**
 * Runs one phase of a handler: its input and result pass the schemas and limits that they would pass in a worker, and its context does what
 * it does there, but keeps nothing.
 *
 * @example
 *     const { result, progress } = await runPhase(exportMapHandler, 'load', { input: { region: 'FRA' } })
 * @throws what the handler throws; InvalidInputError `input-outdated`, `output-invalid`, `json-invalid`, `too-large`; AssertionError if the
 *   phase reads a result that was not given
 */
export async function runPhase<
  Definition extends JobDefinition,
  Results extends object,
  const Name extends PhaseName<Results>,
>(
  handler: Handler<Definition, Results>,
  name: Name,
  options: PhaseOptions<Definition, Results>,
): Promise<PhaseRun<PhaseResult<Results, Name>>> {
  const recorder = new Recorder()
  const result = await recorder.run(handler, name, options)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the handler says what its phase returns
  return { ...recorder.made, result: result as PhaseResult<Results, Name> }
}

interface PlainOptions extends Surroundings<object> {
  readonly input?: unknown
}

/** Stands where the store would, and takes everything. */
class Recorder {
  readonly #runtime = virtualRuntime()
  readonly #progress: RecordedProgress[] = []
  readonly #logs: RecordedLine[] = []
  readonly #artifacts: NewArtifact[] = []
  /** By the path of their artifact. */
  readonly #bytes = new Map<string, Uint8Array>()

  async run(handler: Handler, name: string, options: PlainOptions): Promise<Json> {
    const { phases } = handler.definition
    const phase = phases.indexOf(name)
    if (phase < 0) {
      throw failure([`runPhase: ${handler.definition.name} has no phase "${name}", but ${phases.join(', ')}.`], {
        operator: 'runPhase',
        actual: name,
        expected: phases,
      })
    }
    const attempt = new Attempt(
      claimedJob(handler.definition, phase, options),
      this.#observed(handler, name, options),
      this.#host(),
      0,
    )
    const stop = (): void =>
      attempt.interrupt(cancelStop({ jobId: JOB_ID, cancelledBy: 'test', reason: 'the signal of the test fired' }))
    if (options.signal?.aborted === true) stop()
    options.signal?.addEventListener('abort', stop)
    try {
      return decodeJson(await runFunction(attempt, new TurnBudget(this.#runtime)))
    } finally {
      options.signal?.removeEventListener('abort', stop)
      attempt.end()
    }
  }

  get made(): Omit<PhaseRun<unknown>, 'result'> {
    const artifacts = this.#artifacts.map(({ name, contentType, path }) => ({
      name,
      contentType,
      bytes: this.#bytes.get(path) ?? new Uint8Array(),
    }))
    return { progress: this.#progress, logs: this.#logs, artifacts }
  }

  /** The handler, called with a context that records what it is told. */
  #observed(handler: Handler, name: string, { results = {} }: PlainOptions): Handler {
    const run = handler.functions.get(name)
    if (run === undefined) return handler
    const given = resultsOf(handler.definition, name, results)
    const observe = (context: HandlerContext): HandlerContext =>
      new Proxy(context, {
        get: (target, member): unknown => {
          if (member === 'results') return given
          if (member === 'progress') return this.#recordProgress(target)
          return Reflect.get(target, member, target)
        },
      })
    return { ...handler, functions: new Map([[name, (context: HandlerContext) => run(observe(context))]]) }
  }

  #recordProgress(context: HandlerContext): HandlerContext['progress'] {
    return (percent, told) => {
      context.progress(percent, told)
      if (percent < (this.#progress.at(-1)?.percent ?? 0)) return
      this.#progress.push({ percent, context: told === undefined ? null : copyOf(told, 'progress context') })
    }
  }

  #host(): Attempt['host'] {
    return {
      store: {
        claims: { apply: async (call) => this.#take(call), noteStop: async () => true },
        artifacts: {
          get: async (id) => this.#artifact(id),
          bytes: {
            write: (path, chunks) => this.#keep(path, chunks),
            remove: async (path) => void this.#bytes.delete(path),
            fileOf: () => null,
          },
        },
      },
      runtime: this.#runtime,
      logger: { info: () => {}, warn: () => {}, error: () => {} },
      within: (run) => run(),
      stopped: () => {},
      extended: () => {},
      deafSince: null,
      lookNow: () => {},
    }
  }

  #take({ plan, detail, artifact }: PlanCall): PlanResult {
    if (artifact !== undefined) {
      if (this.#artifacts.some(({ name }) => name === artifact.name)) {
        return { applied: false, refusal: 'artifact-exists', row: null }
      }
      this.#artifacts.push(artifact)
    }
    if (plan === LOG && detail !== null) this.#logs.push(lineOf(decodeJson(detail)))
    return { applied: true, row: { state: 'running', cancelRequestedAt: null, cancelledBy: null, cancelReason: null } }
  }

  async #keep(path: string, chunks: AsyncIterable<Uint8Array>): Promise<WrittenBytes> {
    const parts: Uint8Array[] = []
    for await (const chunk of chunks) parts.push(chunk)
    const bytes = Buffer.concat(parts)
    this.#bytes.set(path, bytes)
    return { sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  }

  #artifact(id: string): Awaited<ReturnType<Attempt['host']['store']['artifacts']['get']>> {
    const artifact = this.#artifacts.find((one) => one.id === id)
    if (artifact === undefined) return 'not-found'
    const createdAt = this.#runtime.now()
    const { expiresInMs, ...rest } = artifact
    const expiresAt = expiresInMs === null ? null : createdAt + expiresInMs
    return { ...rest, jobId: JOB_ID, generation: 1, attempt: 1, createdAt, expiresAt }
  }
}

const JOB_ID = '01900000-0000-7000-8000-000000000000'

function claimedJob(definition: JobDefinition, phase: number, options: PlainOptions): ClaimedJob {
  const { input, tenant = '', owner = null, labels = {}, attempt = 1 } = options
  const { name: type, queue, policy, phases: phaseNames } = definition
  const path = { path: 'input', limitBytes: LIMITS.inputBytes }
  return {
    claim: { jobId: JOB_ID, holder: 1, fence: attempt },
    type,
    queue,
    tenant,
    owner,
    labels,
    policy,
    input: encodeJson(input === undefined && definition.input === undefined ? null : input, path),
    attempt,
    generation: 1,
    failures: attempt - 1,
    phaseNames,
    phase,
    results: [],
    progress: 0,
    createdAt: 0,
    runAt: 0,
    startedAt: 0,
    deadlineAt: null,
  }
}

/** The results of the phases before, as JSON gives them back. One that is read and was not given is a mistake of the test. */
function resultsOf({ name: type, phases }: JobDefinition, name: string, results: object): object {
  const earlier = phases.slice(0, phases.indexOf(name))
  const given: Readonly<Record<string, unknown>> = { ...results }
  const stranger = Object.keys(given).find((phase) => !earlier.includes(phase))
  if (stranger !== undefined) {
    throw failure([`runPhase: "${stranger}" is no phase of ${type} before "${name}", whose result it could read.`], {
      operator: 'runPhase',
      actual: Object.keys(given),
      expected: earlier,
    })
  }
  const copies = {}
  for (const phase of earlier) {
    const get = (): Json => {
      if (Object.hasOwn(given, phase)) return copyOf(given[phase], `results.${phase}`)
      throw failure([`runPhase: the phase "${name}" of ${type} reads the result of "${phase}", which was not given.`], {
        operator: 'runPhase',
      })
    }
    Object.defineProperty(copies, phase, { get, enumerable: Object.hasOwn(given, phase) })
  }
  return copies
}

function copyOf(value: unknown, path: string): Json {
  return decodeJson(encodeJson(value ?? null, { path, limitBytes: LIMITS.resultBytes }))
}
