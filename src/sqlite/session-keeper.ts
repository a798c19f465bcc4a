/** Keeps this process's sessions alive from whatever thread the writer is in, so that a blocked main thread loses no lease. */
import { beatEveryMs } from '../store/sessions.ts'
import type { NewSession } from '../store/sessions.ts'
import { pulseReader } from '../runtime/pulse.ts'
import type { Database } from './database.ts'
import { beat } from './sessions.ts'

interface Kept {
  readonly everyMs: number
  beatAt: number
}

interface Beat {
  readonly holder: number
  readonly at: number
  readonly alive: boolean
}

export class SessionKeeper {
  readonly #blockedMs: ReturnType<typeof pulseReader>
  readonly #kept = new Map<number, Kept>()
  /** Of the transaction under way. */
  #beats: Beat[] = []
  #lost: number[] = []

  /** @param pulse of the main thread's event loop; null: nobody can tell whether it turns */
  constructor(pulse: SharedArrayBuffer | null) {
    this.#blockedMs = pulseReader(pulse)
  }

  keep({ holder, leaseMs }: NewSession, now: number): void {
    this.#kept.set(holder, { everyMs: beatEveryMs(leaseMs), beatAt: now })
  }

  drop(holder: number): void {
    this.#kept.delete(holder)
  }

  /** Beats for every session whose time it is; part of each transaction. It counts once the transaction is committed. */
  beatDue(db: Database): void {
    this.#beats = []
    for (const [holder, { beatAt, everyMs }] of this.#kept) {
      // A clock that has been put back must not hold up the beats until it has caught up.
      if (db.now >= beatAt && db.now < beatAt + everyMs) continue
      this.#beats.push({ holder, at: db.now, alive: beat(db, holder, this.#blockedMs(everyMs)) })
    }
  }

  /** Whether beats are part of the transaction under way: then it must not be undone for something else. */
  get hasBeaten(): boolean {
    return this.#beats.length > 0
  }

  committed(): void {
    for (const { holder, at, alive } of this.#beats) {
      const kept = this.#kept.get(holder)
      if (kept === undefined) continue
      kept.beatAt = at
      if (alive) continue
      this.#kept.delete(holder)
      this.#lost.push(holder)
    }
    this.#beats = []
  }

  /** Sessions found to be lost since this was last asked. */
  takeLost(): readonly number[] {
    const lost = this.#lost
    this.#lost = []
    return lost
  }

  /** When the next beat is due; null: there is nothing to keep. */
  get nextBeatAt(): number | null {
    const due = [...this.#kept.values()].map(({ beatAt, everyMs }) => beatAt + everyMs)
    return due.length === 0 ? null : Math.min(...due)
  }
}
