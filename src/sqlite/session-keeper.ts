/** Keeps this process's sessions alive from whatever thread the writer is in, so that a blocked main thread loses no lease. */
import type { NewSession } from '../store/sessions.ts'
import type { Database } from './database.ts'
import { beat } from './sessions.ts'

interface Kept {
  readonly everyMs: number
  beatAt: number
}

/** A lease outlives two missed beats. */
const BEATS_PER_LEASE = 3

export class SessionKeeper {
  readonly #kept = new Map<number, Kept>()
  readonly #onLost: (holder: number) => void

  constructor(onLost: (holder: number) => void) {
    this.#onLost = onLost
  }

  keep({ holder, leaseMs }: NewSession, now: number): void {
    this.#kept.set(holder, { everyMs: Math.max(1, Math.floor(leaseMs / BEATS_PER_LEASE)), beatAt: now })
  }

  drop(holder: number): void {
    this.#kept.delete(holder)
  }

  /** Beats for every session whose time it is; part of each transaction. */
  beatDue(db: Database): void {
    for (const [holder, kept] of this.#kept) {
      if (db.now - kept.beatAt < kept.everyMs) continue
      kept.beatAt = db.now
      if (beat(db, holder)) continue
      this.#kept.delete(holder)
      this.#onLost(holder)
    }
  }

  /** How often somebody has to look after the beats; null: there is nothing to keep. */
  get intervalMs(): number | null {
    const intervals = [...this.#kept.values()].map(({ everyMs }) => everyMs)
    return intervals.length === 0 ? null : Math.min(...intervals)
  }
}
