/** The threads and processes of a worker: started when a handler needs one, used again, and no more of them than jobs may run. */
import { MillraceError } from '../../core/errors.ts'
import { pause, settlesWithin } from '../../runtime/pause.ts'
import type { Runtime, Timer } from '../../runtime/runtime.ts'
import type { Attempt } from '../attempt.ts'
import type { Handler } from '../handler.ts'
import { Cell, placeOf } from './cell.ts'
import type { CellEvents, CellPlace, CellBody } from './cell.ts'
import { ProcessBody } from './process-body.ts'
import { ThreadBody } from './thread-body.ts'

/** One that has had nothing to do for so long is ended. */
const REST_MS = 60_000
/** An end by force takes no longer, or it is not counted on. */
export const FORCED_END_MS = 1_000

export interface CellsOptions {
  readonly runtime: Runtime
  /** What threads and processes run. */
  readonly file: URL
  /** How many at most, besides those that are being ended. */
  readonly most: number
}

export class Cells {
  readonly #options: CellsOptions
  readonly #all = new Set<Cell>()
  /** The one that was at work last comes last. */
  #idle: Cell[] = []
  readonly #busy = new Map<Attempt, Cell>()
  #timer: Timer | null = null
  #closed = false

  constructor(options: CellsOptions) {
    this.#options = options
  }

  /**
   * Starts what each handler needs, and keeps it for the first job.
   *
   * @throws MillraceError `handler-unloadable`
   */
  async check(handlers: readonly Handler[]): Promise<void> {
    const started = new Map<string, Cell>()
    const checks: Promise<void>[] = []
    for (const handler of handlers) {
      const place = placeOf(handler)
      if (place === null) continue
      const key = `${place.isolation} ${place.module}`
      const cell = started.get(key) ?? this.#start(place)
      started.set(key, cell)
      const checking = cell.check(handler.definition.name)
      // Should a later handler be refused at once, nobody waits for this one.
      checking.catch(() => {})
      checks.push(checking)
    }
    await Promise.all(checks)
    for (const cell of started.values()) this.#rest(cell)
  }

  /** Runs the phase at hand; resolves with its result as JSON text. Rejects with a JudgedError, also if it was ended. */
  async run(attempt: Attempt): Promise<string> {
    const place = placeOf(attempt.handler)
    if (place === null) throw new RangeError('an inline handler needs no cell')
    const cell = this.#take(place)
    this.#busy.set(attempt, cell)
    try {
      return await cell.run(attempt)
    } finally {
      this.#busy.delete(attempt)
      if (this.#closed) cell.kill()
      else if (cell.usable) this.#rest(cell)
    }
  }

  /** Ends what runs the attempt's handler by force. */
  end(attempt: Attempt): void {
    this.#busy.get(attempt)?.end()
  }

  /** Ends all of them at once; resolves when they are gone. */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    for (const cell of this.#all) cell.kill()
    await Promise.all([...this.#all].map((cell) => cell.exited))
    // Until then those who ran something there have learned of it.
    await pause(this.#options.runtime, 0)
  }

  /** As `close`, for a worker that does not start: what a module holds up by a system call is not waited for. */
  async giveUp(): Promise<void> {
    await settlesWithin(this.#options.runtime, FORCED_END_MS, this.close())
  }

  #take(place: CellPlace): Cell {
    if (this.#closed) throw new MillraceError('shutting-down', 'The worker has ended its threads and processes.')
    const index = this.#idle.findLastIndex((cell) => cell.usable && isSame(cell.place, place))
    const [kept] = index === -1 ? [] : this.#idle.splice(index, 1)
    if (kept !== undefined) return kept
    // A place for it, at the cost of the one that has rested longest.
    if (this.#busy.size + this.#idle.length >= this.#options.most) this.#idle.shift()?.kill()
    return this.#start(place)
  }

  #start(place: CellPlace): Cell {
    const { file, runtime } = this.#options
    const open = (events: CellEvents): CellBody =>
      place.isolation === 'thread'
        ? new ThreadBody(file, place.module, events)
        : new ProcessBody(file, place.module, { events, runtime })
    const cell = new Cell(place, open)
    this.#all.add(cell)
    void this.#forget(cell)
    return cell
  }

  async #forget(cell: Cell): Promise<void> {
    await cell.exited
    this.#all.delete(cell)
    this.#idle = this.#idle.filter((idle) => idle !== cell)
  }

  #rest(cell: Cell): void {
    cell.rest(this.#options.runtime.monotonic())
    this.#idle.push(cell)
    // The ones that have rested longest go first. Handlers whose claims are lost may have been at work beside `most` others.
    const tooMany = this.#busy.size + this.#idle.length - this.#options.most
    for (const spare of this.#idle.splice(0, Math.max(0, tooMany))) spare.kill()
    this.#timer ??= this.#options.runtime.after(REST_MS, () => this.#endRested(), { idle: true })
  }

  #endRested(): void {
    const { runtime } = this.#options
    const before = runtime.monotonic() - REST_MS
    const rested = this.#idle.filter(({ restsSince }) => restsSince <= before)
    this.#idle = this.#idle.filter((cell) => !rested.includes(cell))
    for (const cell of rested) cell.kill()
    this.#timer = this.#idle.length === 0 ? null : runtime.after(REST_MS, () => this.#endRested(), { idle: true })
  }
}

function isSame(one: CellPlace, other: CellPlace): boolean {
  return one.isolation === other.isolation && one.module === other.module
}
