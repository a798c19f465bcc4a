/**
 * What is going to happen in a simulated world, in the order of its one clock. Nothing happens but by it: timers of processes, calls that
 * reach the store, answers, notices, beats, faults and people are all entries here.
 */

/** Somebody who may be stopped for a while, or for good: what is to happen to them waits, or never happens. */
export interface Owner {
  readonly life: 'going' | 'stopped' | 'gone'
}

export interface Entry {
  at: number
  readonly owner: Owner | null
  readonly run: () => void
  cancelled: boolean
}

export class Schedule {
  /** The next one stands last. Of those of one moment the one that was added first is next. */
  readonly #entries: Entry[] = []
  readonly #held = new Map<Owner, Entry[]>()
  #now = 0

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#now
  }

  /** Adds what happens at that moment, or now if that has passed. */
  add(at: number, run: () => void, owner: Owner | null = null): Entry {
    const entry: Entry = { at, owner, run, cancelled: false }
    this.#insert(entry)
    return entry
  }

  /** Takes out what may happen next, moving the clock to it; undefined: there is nothing until that moment. */
  next(until: number): Entry | undefined {
    for (let entry = this.#take(until); entry !== undefined; entry = this.#take(until)) {
      if (entry.cancelled || entry.owner?.life === 'gone') continue
      this.#now = entry.at
      if (entry.owner?.life !== 'stopped') return entry
      this.#hold(entry.owner, entry)
    }
    this.#now = Math.max(this.#now, until)
    return undefined
  }

  /** What came due while the owner was stopped happens now, in its order. */
  release(owner: Owner): void {
    const held = this.#held.get(owner) ?? []
    this.#held.delete(owner)
    for (const entry of held) this.#insert(entry)
  }

  #insert(entry: Entry): void {
    entry.at = Math.max(entry.at, this.#now)
    this.#entries.splice(this.#placeOf(entry.at), 0, entry)
  }

  #take(until: number): Entry | undefined {
    const entry = this.#entries.at(-1)
    return entry === undefined || entry.at > until ? undefined : this.#entries.pop()
  }

  #hold(owner: Owner, entry: Entry): void {
    const held = this.#held.get(owner)
    if (held === undefined) this.#held.set(owner, [entry])
    else held.push(entry)
  }

  /** Behind those that come later, before those that come sooner or at the same time. */
  #placeOf(at: number): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle]?.at ?? 0) > at) low = middle + 1
      else high = middle
    }
    return low
  }
}
