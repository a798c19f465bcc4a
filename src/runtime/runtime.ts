/**
 * Time, timers, randomness and ids, handed in to whoever needs them, so that a test moves the clock and a failure replays from its seed.
 * No other room reads a clock, sets a timer or draws a random number.
 */
export interface Runtime {
  /** Epoch milliseconds on this machine. A job's times are the store's; this clock is for logs and for waiting. */
  now(): number
  /** Milliseconds from some fixed point; it never jumps. */
  monotonic(): number
  /** Calls back once after at least `ms`; waits beyond 24 days are split. The timer keeps the process alive unless `idle`. */
  after(ms: number, callback: () => void, options?: { readonly idle?: boolean }): Timer
  /** In [0, 1). */
  random(): number
  /** A new UUIDv7 as text; those of one process sort in the order they were made. */
  uuid(): string
  /** A random integer of 52 bits, for keys that must not be met twice. */
  key(): number
}

export interface Timer {
  cancel(): void
}
