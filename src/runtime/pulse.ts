/**
 * Whether the event loop of the main thread turns, for a thread beside it to see: a timer of the loop leaves in shared memory when it last
 * fired. The thread can only note that the loop stands still; the logger lives on the main thread, so the log says it once the loop goes on.
 */
import type { Runtime, Timer } from './runtime.ts'

export interface PulseOptions {
  readonly runtime: Runtime
  /** The loop turns again after it stood still for longer than it should. */
  readonly onReturn: (stoodStillMs: number) => void
}

const LONGEST_TICK_MS = 500
const TICKS_PER_PATIENCE = 4
/** Anything shorter is the business of whoever measures latencies. */
const LEAST_PATIENCE_MS = 1_000

/** For how long a loop may stand still between two beats before it counts as blocked. */
function patienceMs(beatEveryMs: number): number {
  return Math.max(LEAST_PATIENCE_MS, beatEveryMs)
}

export class Pulse {
  /** For the thread that looks at it. */
  readonly memory: SharedArrayBuffer = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)
  readonly #tickedAt = new BigInt64Array(this.memory)
  readonly #options: PulseOptions
  /** Who wants it, and for how long each lets the loop stand still. */
  readonly #patience = new Map<number, number>()
  #timer: Timer | null = null

  constructor(options: PulseOptions) {
    this.#options = options
  }

  /** It beats while anybody wants it to. */
  want(by: number, beatEveryMs: number): void {
    this.#patience.set(by, patienceMs(beatEveryMs))
    if (this.#timer === null) this.#tick()
  }

  unwant(by: number): void {
    this.#patience.delete(by)
    if (this.#patience.size > 0) return
    this.#timer?.cancel()
    this.#timer = null
    Atomics.store(this.#tickedAt, 0, NEVER)
  }

  close(): void {
    for (const by of this.#patience.keys()) this.unwant(by)
  }

  #tick(): void {
    const stoodStillMs = standstillMs(this.#tickedAt)
    Atomics.store(this.#tickedAt, 0, sharedMs())
    const patience = Math.min(...this.#patience.values())
    const everyMs = Math.min(LONGEST_TICK_MS, Math.ceil(patience / TICKS_PER_PATIENCE))
    this.#timer = this.#options.runtime.after(everyMs, () => this.#tick(), { idle: true })
    if (stoodStillMs > patience) this.#options.onReturn(stoodStillMs)
  }
}

const NEVER = 0n
const NS_PER_MS = 1_000_000n

/** By the one clock that all threads of a process share, and that never jumps. */
function sharedMs(): bigint {
  return process.hrtime.bigint() / NS_PER_MS
}

/** For how long the loop has not turned, as it is now; 0 where nobody wants to know. */
function standstillMs(tickedAt: BigInt64Array): number {
  const at = Atomics.load(tickedAt, 0)
  return at === NEVER ? 0 : Number(sharedMs() - at)
}

/** For a thread: for how long the loop of the main thread has been blocked, by the patience of a session; null: it is not. */
export function pulseReader(memory: SharedArrayBuffer | null): (beatEveryMs: number) => number | null {
  if (memory === null) return () => null
  const tickedAt = new BigInt64Array(memory)
  return (beatEveryMs) => {
    const ms = standstillMs(tickedAt)
    return ms > patienceMs(beatEveryMs) ? ms : null
  }
}
