/** One phase that runs in a thread or process, as its worker sees it: everything that the handler tells is carried out here, under the claim. */
import { LeaseLostError } from '../../core/errors.ts'
import type { Attempt } from '../attempt.ts'
import { LINES_DROPPED } from '../job-log.ts'
import { JudgedError } from '../judged-error.ts'
import { PhaseContext } from '../phase-context.ts'
import { ChunkSource } from './artifact-chunks.ts'
import { isObject } from './json-object.ts'
import type { FromRun, JobFacts, NewArtifact, Order, Outcome, ToHandler } from './messages.ts'
import { packError, unpackError } from './packed-error.ts'

export class HostedPhase {
  readonly #attempt: Attempt
  readonly #run: number
  readonly #tell: (message: ToHandler) => void
  readonly #context: PhaseContext
  readonly #sources = new Map<number, ChunkSource>()
  readonly #ended = Promise.withResolvers<string>()

  constructor(attempt: Attempt, run: number, tell: (message: ToHandler) => void) {
    this.#attempt = attempt
    this.#run = run
    this.#tell = tell
    this.#context = new PhaseContext(attempt, null)
  }

  /** Resolves with the result as JSON text; rejects with a JudgedError. */
  async run(): Promise<string> {
    const attempt = this.#attempt
    attempt.onStop = ({ error }) => this.#tell({ kind: 'stop', run: this.#run, error: packError(error) })
    try {
      this.#tell({ kind: 'run', run: this.#run, order: orderOf(attempt, this.#context) })
      return await this.#ended.promise
    } finally {
      attempt.onStop = null
      const { jobId } = attempt.job.claim
      for (const source of this.#sources.values()) source.fail(new LeaseLostError(jobId, 'artifact.write'))
    }
  }

  /** Its thread or process is gone. */
  died(error: unknown): void {
    this.#ended.reject(error)
  }

  take(message: FromRun): void {
    if (message.run !== this.#run) return
    try {
      this.#carryOut(message)
    } catch (error) {
      // It may not go on, and learns it by itself.
      if (!(error instanceof LeaseLostError)) this.#attempt.warnOnce('What a handler told was not understood.', error)
    }
  }

  #carryOut(message: FromRun): void {
    switch (message.kind) {
      case 'result':
        return this.#ended.resolve(message.result)
      case 'failed':
        return this.#ended.reject(new JudgedError(unpackError(message.error), message.verdict))
      case 'progress':
        return this.#context.progress(message.percent, message.context)
      case 'log':
        this.#tell({ kind: 'taken', run: this.#run })
        return this.#log(message.line)
      case 'lines-dropped':
        return this.#attempt.warnOnce(LINES_DROPPED)
      case 'extend':
        return void this.#answer(
          message.asked,
          this.#context.extend(message.duration).then(() => ({ artifact: null })),
        )
      case 'artifact':
        return void this.#answer(message.asked, this.#write(message.asked, message.artifact))
      case 'chunk':
        return this.#sources.get(message.asked)?.give(message.bytes)
      case 'chunks-end':
        return this.#sources.get(message.asked)?.give(null)
      case 'chunks-broken':
        return this.#sources.get(message.asked)?.fail(new Error("the artifact's stream of bytes broke off"))
    }
  }

  #log({ level, message, fields }: Extract<FromRun, { readonly kind: 'log' }>['line']): void {
    this.#context.log[level](message, isObject(fields) ? fields : undefined)
  }

  async #write(asked: number, { name, options }: NewArtifact): Promise<Outcome> {
    const source = new ChunkSource(() => this.#tell({ kind: 'more', run: this.#run, asked }))
    this.#sources.set(asked, source)
    try {
      return { artifact: await this.#context.artifact.write(name, source, options) }
    } finally {
      this.#sources.delete(asked)
    }
  }

  async #answer(asked: number, outcome: Promise<Outcome>): Promise<void> {
    const answered = await outcome.catch((error: unknown) => ({ error: packError(error) }))
    this.#tell({ kind: 'answer', run: this.#run, asked, outcome: answered })
  }
}

function orderOf(attempt: Attempt, context: PhaseContext): Order {
  const { jobId, type, tenant, owner, labels, generation, phase, fence } = context
  const facts: JobFacts = { jobId, type, tenant, owner, labels, attempt: context.attempt, generation, phase, fence }
  const isLast = attempt.phase === attempt.phaseNames.length - 1
  return { facts, input: attempt.job.input, results: attempt.namedResults, isLast }
}
