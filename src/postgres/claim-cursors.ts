/**
 * Where claims begin to look.
 *
 * A job that was taken leaves an entry in the index of ready jobs, which is cleared away once nobody can see the job as it was. While a
 * transaction elsewhere stays open for minutes, nothing is cleared away, and a claim that begins at the first entry reads past every job
 * taken meanwhile. So a claim that took long to find its first job leaves cursors: the next ones begin where it has come to in each lane.
 * What is more urgent than a cursor is looked for besides; what has come to lie before it in the same priority (a job that a dead worker gave
 * back, say) waits until a claim begins from the front again, which is made as often as a tenth of the time allows.
 */
import type { Runtime } from '../runtime/runtime.ts'
import type { PgValue } from './driver.ts'

/** In the order of claims. */
export interface LanePlace {
  readonly priority: number
  readonly runAt: number
  readonly n: number
}

export function inLaneOrder(one: LanePlace, other: LanePlace): number {
  return one.priority - other.priority || one.runAt - other.runAt || one.n - other.n
}

/** As columns of the statement: lanes, priorities, run-ats, numbers. */
type CursorColumns = readonly [PgValue, PgValue, PgValue, PgValue]

export const NO_CURSORS: CursorColumns = [[], [], [], []]

export interface ClaimStart {
  readonly columns: CursorColumns
  readonly fromFront: boolean
}

export const FROM_FRONT: ClaimStart = { columns: NO_CURSORS, fromFront: true }

export interface ClaimEnd {
  /** How long the statement took to find the first job. */
  readonly foundAfterMs: number
  readonly last: ReadonlyMap<number, LanePlace>
  /** Fewer jobs than were asked for. */
  readonly isShort: boolean
}

/** A claim that finds its first job within this time has nothing to skip. */
const SOON_MS = 10
/** Once may be an accident. */
const SLOW_IN_A_ROW = 2
/** Whoever got too little may look from the front at once, if that took no longer the last time. */
const CHEAP_MS = 25
/** A claim from the front is made again after so many times what the last one took. */
const REST = 10

/** How often claims that have found no bundles look whether any has left jobs behind: none should have. */
const STRAYS_MS = 60_000
/** And for the first time after the first bundles. */
const FIRST_STRAYS_MS = 5_000
/** How long jobs are taken one by one after somebody has kept one of a bundle locked. */
const HELD_UP_MS = 1_000

export class ClaimCursors {
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #cursors = new Map<number, LanePlace>()
  /** How many claims from the front were slow, one after the other. */
  #slow = 0
  /** What the last claim from the front took. */
  #frontMs = 0
  /** Until when claims begin at the cursors. */
  #until = Number.NEGATIVE_INFINITY
  #heldUpUntil = Number.NEGATIVE_INFINITY
  /** By the types that were asked for: when their claims look for strays again. */
  readonly #strayLooks = new Map<string, number>()

  constructor(runtime: Pick<Runtime, 'monotonic'>) {
    this.#runtime = runtime
  }

  /** Whether claims take their time: nobody else should have to wait for one. */
  get isSlow(): boolean {
    return this.#slow > 0
  }

  start(): ClaimStart {
    if (this.#runtime.monotonic() >= this.#until) return FROM_FRONT
    const cursors = [...this.#cursors]
    const places = cursors.map(([, place]) => place)
    const lanes = cursors.map(([lane]) => lane)
    const columns: CursorColumns = [
      lanes,
      places.map(({ priority }) => priority),
      places.map(({ runAt }) => runAt),
      places.map(({ n }) => n),
    ]
    return { columns, fromFront: false }
  }

  /** Whether somebody keeps a job of a bundle locked. */
  get isHeldUp(): boolean {
    return this.#runtime.monotonic() < this.#heldUpUntil
  }

  noteHeldUp(): void {
    this.#heldUpUntil = this.#runtime.monotonic() + HELD_UP_MS
  }

  /**
   * Jobs were taken from bundles. What they leave in the index is not cleared away at once, and a look for strays would read past it: the first
   * is not made before some seconds have passed.
   */
  noteOpened(types: readonly string[]): void {
    const key = types.join('\n')
    if (!this.#strayLooks.has(key)) this.#strayLooks.set(key, this.#runtime.monotonic() + FIRST_STRAYS_MS)
  }

  /** Whether to look now for bundled jobs of these types that no bundle leads to: whatever may have become of it, none is lost. */
  beginStrayLook(types: readonly string[]): boolean {
    const [key, now] = [types.join('\n'), this.#runtime.monotonic()]
    if (now < (this.#strayLooks.get(key) ?? now)) return false
    this.#strayLooks.set(key, now + STRAYS_MS)
    return true
  }

  /** Answers whether the claim is to be made again from the front, since it got less than it asked for. */
  note({ fromFront }: ClaimStart, { foundAfterMs, last, isShort }: ClaimEnd): boolean {
    if (fromFront) {
      this.#frontMs = foundAfterMs
      this.#slow = foundAfterMs > SOON_MS ? this.#slow + 1 : 0
      if (this.#slow < SLOW_IN_A_ROW) return false
      this.#until = this.#runtime.monotonic() + REST * foundAfterMs
    }
    for (const [lane, place] of last) {
      const known = this.#cursors.get(lane)
      // What was more urgent than the cursor is no reason to go back to it.
      if (fromFront || known === undefined || inLaneOrder(place, known) > 0) this.#cursors.set(lane, place)
    }
    if (fromFront || !isShort || this.#frontMs > CHEAP_MS) return false
    this.#until = Number.NEGATIVE_INFINITY
    return true
  }
}
