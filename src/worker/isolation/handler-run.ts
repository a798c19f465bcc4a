/** One phase where it runs: whether it must stop, what it has told and asked. The attempt itself is the worker's. */
import { LeaseLostError } from '../../core/errors.ts'
import type { Duration } from '../../core/duration.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { WrittenArtifact } from '../handler-context.ts'
import { MOST_UNDER_WAY } from '../job-log.ts'
import type { Line } from '../job-log.ts'
import type { ChunkReader } from './artifact-chunks.ts'
import type { HandlerEnd } from './handler-end.ts'
import { HandlerProgress } from './handler-progress.ts'
import type { JobFacts, NewArtifact, Order, Outcome, ToHandler } from './messages.ts'
import { unpackError } from './packed-error.ts'

interface Asked {
  readonly resolve: (artifact: WrittenArtifact | null) => void
  readonly reject: (error: unknown) => void
  /** The worker wants the next bytes. */
  readonly more: () => void
}

export class HandlerRun {
  readonly run: number
  readonly order: Order
  readonly progress: HandlerProgress
  readonly #end: HandlerEnd
  readonly #asked = new Map<number, Asked>()
  #lastAsked = 0
  #stop: { readonly error: unknown } | null = null
  #over = false
  #controller: AbortController | null = null
  #linesUnderWay = 0
  #linesDropped = false

  constructor(run: number, order: Order, end: HandlerEnd, runtime: Runtime) {
    this.run = run
    this.order = order
    this.#end = end
    this.progress = new HandlerProgress(runtime, (percent, context) => {
      end.tell({ kind: 'progress', run, percent, context })
    })
  }

  get facts(): JobFacts {
    return this.order.facts
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#stop !== null) this.#controller.abort(this.#stop.error)
    }
    return this.#controller.signal
  }

  /** From here on whatever the handler writes is refused. */
  close(): void {
    this.#over = true
    this.progress.close()
    for (const { reject } of this.#asked.values())
      reject(new LeaseLostError(this.facts.jobId, 'a call of a phase that is over'))
    this.#asked.clear()
  }

  take(message: ToHandler): void {
    if (message.kind === 'stop') this.#interrupt(unpackError(message.error))
    else if (message.kind === 'taken') this.#linesUnderWay -= 1
    else if (message.kind === 'more') this.#asked.get(message.asked)?.more()
    else if (message.kind === 'answer') this.#answered(message.asked, message.outcome)
  }

  #interrupt(error: unknown): void {
    this.#stop = { error }
    if (error instanceof LeaseLostError) this.close()
    this.#controller?.abort(error)
  }

  #answered(number: number, outcome: Outcome): void {
    const asked = this.#asked.get(number)
    this.#asked.delete(number)
    if ('error' in outcome) asked?.reject(unpackError(outcome.error))
    else asked?.resolve(outcome.artifact)
  }

  /** @throws LeaseLostError if nothing may be written any more */
  check(act: string): void {
    this.#end.lookIfRung()
    if (this.#over) throw new LeaseLostError(this.facts.jobId, act)
  }

  checkCancellation(): void {
    this.check('checkCancellation')
    this.throwIfStopped()
  }

  throwIfStopped(): void {
    if (this.#stop !== null) throw this.#stop.error
  }

  log(line: Line): void {
    // In a handler that computes without a pause no message comes in by itself.
    if (this.#linesUnderWay >= MOST_UNDER_WAY) this.#end.look()
    if (this.#linesUnderWay < MOST_UNDER_WAY) {
      this.#linesUnderWay += 1
      this.#end.tell({ kind: 'log', run: this.run, line })
    } else if (!this.#linesDropped) {
      this.#linesDropped = true
      this.#end.tell({ kind: 'lines-dropped', run: this.run })
    }
  }

  async extend(duration: Duration): Promise<void> {
    await this.#ask((asked) => this.#end.tell({ kind: 'extend', run: this.run, asked, duration }))
  }

  /** The worker asks for the bytes as it writes them; resolves once they are kept. */
  async writeArtifact(artifact: NewArtifact, chunks: ChunkReader): Promise<WrittenArtifact> {
    const { run } = this
    try {
      const written = await this.#ask(
        (asked) => this.#end.tell({ kind: 'artifact', run, asked, artifact }),
        (asked) => void this.#sendChunk(asked, chunks),
      )
      if (written === null) throw new RangeError('the worker has not said what it has written')
      return written
    } catch (error) {
      throw chunks.broken === null ? error : chunks.broken.error
    } finally {
      await chunks.close()
    }
  }

  async #sendChunk(asked: number, chunks: ChunkReader): Promise<void> {
    const { run } = this
    const bytes = await chunks.next()
    if (this.#over) return
    if (bytes === 'broken') this.#end.tell({ kind: 'chunks-broken', run, asked })
    else if (bytes === null) this.#end.tell({ kind: 'chunks-end', run, asked })
    else this.#end.tell({ kind: 'chunk', run, asked, bytes })
  }

  #ask(tell: (asked: number) => void, more: (asked: number) => void = () => {}): Promise<WrittenArtifact | null> {
    this.#lastAsked += 1
    const number = this.#lastAsked
    return new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject, more: () => more(number) })
      tell(number)
    })
  }

  /** A result, or what was thrown, may be told now: nothing is held back. */
  flush(): void {
    if (!this.#over) this.progress.flush()
  }
}
