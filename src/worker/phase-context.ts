/** The context of one phase of an attempt. Its functions are made when they are asked for: most handlers use few of them. */
import { parseDuration } from '../core/duration.ts'
import type { Duration } from '../core/duration.ts'
import { InvalidInputError } from '../core/errors.ts'
import { decodeJson } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import { EXTEND } from '../core/plans.ts'
import { artifactWriter } from './artifact-writer.ts'
import type { Attempt } from './attempt.ts'
import type { ArtifactWriter, HandlerContext, JobLog } from './handler-context.ts'
import { jobLog } from './job-log.ts'

type Results = Readonly<Record<string, unknown>>

const NO_RESULTS: Results = Object.freeze({})

export class PhaseContext implements HandlerContext {
  readonly #attempt: Attempt
  readonly #phase: number
  #results: Results | null = null
  readonly input: unknown

  constructor(attempt: Attempt, input: unknown) {
    this.#attempt = attempt
    this.#phase = attempt.phase
    this.input = input
  }

  get results(): Results {
    this.#results ??= this.#phase === 0 ? NO_RESULTS : resultsOf(this.#attempt.namedResults.slice(0, this.#phase))
    return this.#results
  }

  get jobId(): string {
    return this.#attempt.job.claim.jobId
  }

  get type(): string {
    return this.#attempt.job.type
  }

  get tenant(): string {
    return this.#attempt.job.tenant
  }

  get owner(): string | null {
    return this.#attempt.job.owner
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#attempt.job.labels
  }

  get attempt(): number {
    return this.#attempt.job.attempt
  }

  get generation(): number {
    return this.#attempt.job.generation
  }

  get phase(): string {
    return this.#attempt.phaseNames[this.#phase] ?? ''
  }

  get fence(): number {
    return this.#attempt.job.claim.fence
  }

  get signal(): AbortSignal {
    return this.#attempt.signal
  }

  get progress(): HandlerContext['progress'] {
    const attempt = this.#attempt
    return (percent: number, context?: Json): void => {
      attempt.check('progress')
      attempt.progress.report(this.#phase, percent, context)
    }
  }

  get checkCancellation(): HandlerContext['checkCancellation'] {
    const attempt = this.#attempt
    return () => attempt.checkCancellation()
  }

  get log(): JobLog {
    return jobLog(this.#attempt)
  }

  get artifact(): ArtifactWriter {
    return artifactWriter(this.#attempt, this.phase)
  }

  get extend(): HandlerContext['extend'] {
    return async (duration: Duration) => extend(this.#attempt, duration)
  }
}

/** Results by the name of their phase, each parsed anew for each phase: what one phase changes in them, a restart would undo. */
export function resultsOf(texts: readonly (readonly [phase: string, text: string])[]): Results {
  const copies = {}
  for (const [name, text] of texts) {
    const get = (): Json => {
      const value = decodeJson(text)
      Object.defineProperty(copies, name, { value, enumerable: true })
      return value
    }
    Object.defineProperty(copies, name, { get, enumerable: true, configurable: true })
  }
  return copies
}

/** @throws InvalidInputError unless it is a duration above 0 */
export function extensionMs(duration: Duration): number {
  const timeoutMs = parseDuration(duration, 'extend')
  if (timeoutMs > 0) return timeoutMs
  throw new InvalidInputError({ path: 'extend', expected: 'a duration above 0', received: '0' })
}

async function extend(attempt: Attempt, duration: Duration): Promise<void> {
  const timeoutMs = extensionMs(duration)
  attempt.check('extend')
  if (attempt.stop !== null) throw attempt.stop.error
  await attempt.write('extend', { plan: EXTEND, values: { timeoutMs } })
  attempt.host.extended(attempt, timeoutMs)
}
