/**
 * A thread or process that runs the handlers of one module, one phase at a time. It is started once and used again and again; what ends it is
 * its pool, or the handler itself.
 */
import { MillraceError } from '../../core/errors.ts'
import { readText } from '../../core/classification/error-tree.ts'
import type { StoppedBy } from '../../store/attempt-stops.ts'
import type { Attempt } from '../attempt.ts'
import type { Handler, Isolation } from '../handler.ts'
import { JudgedError } from '../judged-error.ts'
import { HostedPhase } from './hosted-phase.ts'
import type { FromHandler, ToHandler } from './messages.ts'
import { unpackError } from './packed-error.ts'

export interface CellExit {
  /** `handler`: nobody else did. */
  readonly stoppedBy: StoppedBy
  readonly exitCode: number | null
  readonly signal: string | null
  /** What was thrown and not caught, as far as it is known. */
  readonly error: unknown
}

export interface CellEvents {
  readonly onMessage: (message: FromHandler) => void
  /** Nothing of it is executed any more. Told once. */
  readonly onExit: (exit: CellExit) => void
}

/** The thread or process itself. */
export interface CellBody {
  tell(message: ToHandler): void
  /** Whether it keeps this process alive: while it is at work. */
  hold(held: boolean): void
  /** Ends it by force: gently first, where it has a gentle way. */
  end(): void
  /** Ends it at once. */
  kill(): void
}

export interface CellPlace {
  readonly module: string
  readonly isolation: Exclude<Isolation, 'inline'>
}

export class Cell {
  readonly place: CellPlace
  readonly #body: CellBody
  readonly #ready = Promise.withResolvers<ReadonlySet<string>>()
  readonly #exited = Promise.withResolvers<CellExit>()
  #phase: HostedPhase | null = null
  #attempt: Attempt | null = null
  #runs = 0
  #usable = true
  #restsSince = 0

  constructor(place: CellPlace, open: (events: CellEvents) => CellBody) {
    this.place = place
    // Whoever waits for it is told; nobody may.
    this.#ready.promise.catch(() => {})
    this.#body = open({ onMessage: (message) => this.#take(message), onExit: (exit) => this.#end(exit) })
  }

  /** False: it has ended, or is being ended. */
  get usable(): boolean {
    return this.#usable
  }

  /** Since when it has nothing to do, by the monotonic clock. */
  get restsSince(): number {
    return this.#restsSince
  }

  /** It has nothing to do, and keeps no process alive. */
  rest(now: number): void {
    this.#restsSince = now
    this.#body.hold(false)
  }

  get exited(): Promise<CellExit> {
    return this.#exited.promise
  }

  /** @throws MillraceError `handler-unloadable` if its module can't be loaded or has no handler for the type */
  async check(type: string): Promise<void> {
    const types = await this.#ready.promise
    if (types.has(type)) return
    const found = types.size === 0 ? 'it exports none' : `it exports those of ${[...types].join(', ')}`
    throw unloadable(this.place, { type, problem: `it exports no handler of ${type}; ${found}` })
  }

  /** Runs the phase at hand of an attempt; resolves with its result as JSON text. Rejects with a JudgedError. */
  async run(attempt: Attempt): Promise<string> {
    this.#attempt = attempt
    // What ended the place of an earlier phase says nothing of this one.
    attempt.stoppedBy = null
    this.#body.hold(true)
    try {
      await this.check(attempt.job.type).catch((error: unknown) => {
        throw new JudgedError(error, DIED)
      })
      if (attempt.stop !== null) throw attempt.stop.error
      this.#runs += 1
      this.#phase = new HostedPhase(attempt, this.#runs, (message) => this.#body.tell(message))
      return await this.#phase.run()
    } finally {
      this.#phase = null
      this.#attempt = null
    }
  }

  end(): void {
    this.#usable = false
    this.#body.end()
  }

  kill(): void {
    this.#usable = false
    this.#body.kill()
  }

  #take(message: FromHandler): void {
    if (message.kind === 'ready') this.#ready.resolve(new Set(message.types))
    else if (message.kind === 'unloadable') {
      const cause = unpackError(message.error)
      this.#ready.reject(unloadable(this.place, { problem: readText(cause), cause }))
      this.end()
    } else this.#phase?.take(message)
  }

  #end(exit: CellExit): void {
    this.#usable = false
    if (this.#attempt !== null) this.#attempt.stoppedBy = exit.stoppedBy
    this.#ready.reject(
      unloadable(this.place, { problem: `it ended while it was loaded (${howOf(exit)})`, cause: exit.error }),
    )
    this.#phase?.died(new JudgedError(this.#died(exit), DIED))
    this.#exited.resolve(exit)
  }

  #died(exit: CellExit): MillraceError {
    const { isolation } = this.place
    const { jobId } = this.#attempt?.job.claim ?? { jobId: '' }
    const how = howOf(exit)
    return new MillraceError(
      'handler-died',
      `The ${isolation} that ran the handler of job ${jobId} has ended in the middle of it (${how}). ` +
        'The worker is unharmed. Look for an error that nobody catches, for process.exit(), and for too little memory.',
      { details: { jobId, isolation, exitCode: exit.exitCode, signal: exit.signal }, cause: exit.error ?? undefined },
    )
  }
}

/** Another try may go well. */
const DIED = { fatal: false, rule: 'handler-died' } as const

function howOf({ exitCode, signal, error }: CellExit): string {
  if (error !== null) return readText(error)
  return signal === null ? `exit code ${exitCode ?? 'unknown'}` : signal
}

interface Unloadable {
  readonly type?: string
  readonly problem: string
  readonly cause?: unknown
}

function unloadable({ module, isolation }: CellPlace, { type, problem, cause }: Unloadable): MillraceError {
  return new MillraceError(
    'handler-unloadable',
    `The ${isolation} that is to run handlers of ${module} cannot: ${problem}. The module must export its handlers, ` +
      'and neither open Millrace nor start a worker when it is imported: do that in another file.',
    { details: { module, isolation, problem, ...(type === undefined ? {} : { type }) }, cause: cause ?? undefined },
  )
}

/** @throws MillraceError `handler-unloadable` if the handler does not say where it is */
export function placeOf({ definition, module, isolation }: Handler): CellPlace | null {
  if (isolation === 'inline') return null
  if (module !== null) return { module, isolation }
  const { name: type } = definition
  const problem = `the handler of ${type} does not say its module`
  throw new MillraceError(
    'handler-unloadable',
    `A ${isolation} cannot run the handler of ${type}, which does not say where it is. Make it by handle(definition, ` +
      `{ module: import.meta.url, isolation: '${isolation}' }).`,
    { details: { type, isolation, problem } },
  )
}
