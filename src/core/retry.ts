import { MAX_RETRY_AFTER_MS } from './classification/retry-after.ts'

/** How long a job waits between a failure and its next attempt. */
export interface Backoff {
  /** `exponential`: the wait grows by `factor` with each failure. `fixed`: the wait is `baseMs` after every failure. */
  readonly kind: 'exponential' | 'fixed'
  /** The wait after the first failure, before jitter. Milliseconds, 0 or more. */
  readonly baseMs: number
  /** The longest wait. Milliseconds, 0 or more. */
  readonly maxMs: number
  /** What an exponential wait is multiplied by with each further failure, 1 or more. A fixed backoff does not read it. */
  readonly factor: number
  /** The share of the wait that is random: 0 none, 0.5 equal jitter, 1 full jitter. */
  readonly jitter: number
}

/** The backoff of a job type that names none: 1 s, 2 s, 4 s … up to 10 min, each shortened by a random part of up to a half. */
export const DEFAULT_BACKOFF: Backoff = { kind: 'exponential', baseMs: 1_000, maxMs: 600_000, factor: 2, jitter: 0.5 }

/**
 * The wait before the next attempt, in whole milliseconds.
 *
 *     ceiling = min(maxMs, baseMs · factor^(failures − 1))
 *     delay   = ceiling · (1 − jitter) + ceiling · jitter · random
 *
 * Jitter only ever shortens, so `maxMs` holds. With `jitter` 1 this is the full jitter and with 0.5 the equal jitter of Marc Brooker,
 * "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
 *
 * @param failures how often the job has failed, the failure just seen included: 1 is the first. Less than 1 counts as 1.
 * @param random a number from 0 up to, but not including, 1
 */
export function backoffDelayMs(backoff: Backoff, failures: number, random: number): number {
  const ceiling = Math.max(0, Math.min(backoff.maxMs, unlimitedDelayMs(backoff, failures)))
  return Math.floor(ceiling * (1 - backoff.jitter) + ceiling * backoff.jitter * random)
}

/** Infinity for many failures is right here: the cap follows. A base of 0 must not meet it, because 0 · ∞ is NaN. */
function unlimitedDelayMs({ kind, baseMs, factor }: Backoff, failures: number): number {
  if (kind === 'fixed' || baseMs === 0) return baseMs
  return baseMs * factor ** (Math.max(1, failures) - 1)
}

export interface RetryDelay {
  readonly backoff: Backoff
  /** How often the job has failed, the failure just seen included. */
  readonly failures: number
  /** From 0 up to, but not including, 1. */
  readonly random: number
  /** How long the other side asked to be left alone. */
  readonly retryAfterMs?: number | undefined
}

/**
 * The wait before the next attempt when the other side may have named one. `retryAfterMs` is a lower bound: the backoff's wait counts
 * where it is longer. It may exceed the backoff's `maxMs`, but never 24 h.
 */
export function retryDelayMs({ backoff, failures, random, retryAfterMs = 0 }: RetryDelay): number {
  return Math.max(backoffDelayMs(backoff, failures, random), Math.min(MAX_RETRY_AFTER_MS, Math.ceil(retryAfterMs)))
}
