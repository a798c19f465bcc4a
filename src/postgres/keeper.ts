/** Who keeps sessions alive: a thread of its own, or, where there is no URL to connect it by, timers of the main loop. */
import { Worker } from 'node:worker_threads'
import { MillraceError } from '../core/errors.ts'
import type { Claim } from '../core/job-row.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { SyncLine, openLine } from '../runtime/sync-line.ts'
import type { Interruption } from '../store/claims.ts'
import { beatEveryMs } from '../store/sessions.ts'
import type { NewSession } from '../store/sessions.ts'
import type { Database } from './database.ts'
import { beat } from './sessions.ts'
import type { FromThread, ThreadData, ToThread } from './thread-messages.ts'

export type KeptSession = Pick<NewSession, 'holder' | 'leaseMs'>

export interface Keeper {
  /** It keeps nothing alive any more, and never will again. */
  readonly gone: boolean
  /** From now on the session is kept alive, until `drop`. */
  keep(session: KeptSession): void
  drop(holder: number): void
  /** Asked in the middle of a turn; null: there was no answer in time, or there is nobody to ask. */
  interruptionsNow(held: readonly Claim[]): readonly Interruption[] | null
  close(): Promise<void>
}

export interface ThreadEvents {
  readonly onLost: (holder: number) => void
  /** The thread has died: nobody keeps sessions alive any more. */
  readonly onBroken: (error: unknown) => void
}

/** The thread beats on its own connection, so that a blocked main thread loses no lease. */
export class ThreadKeeper implements Keeper {
  readonly #worker: Worker
  readonly #line: SyncLine
  readonly #held = new Set<number>()
  readonly #onLost: (holder: number) => void
  /** The thread has died. */
  #gone = false
  #closed = false

  constructor(threadFile: URL, data: Omit<ThreadData, 'line'>, { onLost, onBroken }: ThreadEvents) {
    this.#onLost = onLost
    const { near, far } = openLine()
    this.#line = new SyncLine(near)
    // Flags of the main thread (a loader, a debugger) have no business in this one.
    this.#worker = new Worker(threadFile, {
      workerData: { ...data, line: far } satisfies ThreadData,
      execArgv: [],
      name: 'millrace keeper',
      transferList: [far.port],
    })
    this.#worker.on('message', ({ holder }: FromThread) => {
      this.#held.delete(holder)
      onLost(holder)
    })
    this.#worker.on('error', onBroken)
    // Nobody beats any more for the sessions of a thread that has died.
    this.#worker.on('exit', () => {
      if (this.#closed) return
      this.#gone = true
      for (const holder of this.#held) onLost(holder)
    })
    // Last, since whoever listens for messages keeps the process alive.
    this.#worker.unref()
  }

  get gone(): boolean {
    return this.#gone
  }

  keep({ holder, leaseMs }: KeptSession): void {
    if (this.#gone) return this.#onLost(holder)
    this.#held.add(holder)
    this.#tell({ kind: 'keep', holder, everyMs: beatEveryMs(leaseMs) })
  }

  drop(holder: number): void {
    this.#held.delete(holder)
    this.#tell({ kind: 'drop', holder })
  }

  #tell(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  interruptionsNow(held: readonly Claim[]): readonly Interruption[] | null {
    if (this.#closed || this.#gone) return null
    return (this.#line.ask(held) as readonly Interruption[] | null | undefined) ?? null
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#line.close()
    this.#worker.ref()
    await this.#worker.terminate()
  }
}

interface Kept {
  readonly everyMs: number
  timer: Timer | null
}

/** A beat that could not be made is tried again soon: a lease outlives some that are missed. */
const RETRY_MS = 100

/** Beats from the main loop: a handler that blocks it for longer than a lease loses its job. */
export class LoopKeeper implements Keeper {
  readonly gone = false
  readonly #db: Database
  readonly #runtime: Runtime
  readonly #onLost: (holder: number) => void
  readonly #kept = new Map<number, Kept>()

  constructor(db: Database, runtime: Runtime, onLost: (holder: number) => void) {
    this.#db = db
    this.#runtime = runtime
    this.#onLost = onLost
  }

  keep({ holder, leaseMs }: KeptSession): void {
    const kept: Kept = { everyMs: beatEveryMs(leaseMs), timer: null }
    this.#kept.set(holder, kept)
    this.#beatIn(holder, kept, kept.everyMs)
  }

  #beatIn(holder: number, kept: Kept, ms: number): void {
    if (this.#kept.get(holder) !== kept) return
    kept.timer = this.#runtime.after(ms, () => void this.#beat(holder, kept), { idle: true })
  }

  async #beat(holder: number, kept: Kept): Promise<void> {
    try {
      const alive = await beat(this.#db.rows, null, holder)
      if (alive) return this.#beatIn(holder, kept, kept.everyMs)
      if (this.#kept.delete(holder)) this.#onLost(holder)
    } catch {
      this.#beatIn(holder, kept, Math.min(RETRY_MS, kept.everyMs))
    }
  }

  drop(holder: number): void {
    this.#kept.get(holder)?.timer?.cancel()
    this.#kept.delete(holder)
  }

  interruptionsNow(): null {
    return null
  }

  close(): Promise<void> {
    for (const holder of this.#kept.keys()) this.drop(holder)
    return Promise.resolve()
  }
}

/** With a virtual clock nobody waits: beats come before whatever else is written. */
export class VirtualKeeper implements Keeper {
  readonly gone = false
  readonly #db: Database
  readonly #kept = new Map<number, { readonly everyMs: number; beatAt: number }>()
  readonly #onLost: (holder: number) => void

  constructor(db: Database, onLost: (holder: number) => void) {
    this.#db = db
    this.#onLost = onLost
    db.onBegin = () => this.#beatDue()
  }

  async #beatDue(): Promise<void> {
    const now = this.#db.virtualNow ?? 0
    for (const [holder, kept] of this.#kept) {
      if (now >= kept.beatAt && now < kept.beatAt + kept.everyMs) continue
      const alive = await beat(this.#db.rows, now, holder)
      kept.beatAt = now
      if (alive) continue
      this.#kept.delete(holder)
      this.#onLost(holder)
    }
  }

  keep({ holder, leaseMs }: KeptSession): void {
    this.#kept.set(holder, { everyMs: beatEveryMs(leaseMs), beatAt: this.#db.virtualNow ?? 0 })
  }

  drop(holder: number): void {
    this.#kept.delete(holder)
  }

  interruptionsNow(): null {
    return null
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

export function keeperGone(): MillraceError {
  return new MillraceError(
    'internal',
    "The thread that keeps this process's workers alive has died, and no worker can be started any more: restart the process.",
  )
}
