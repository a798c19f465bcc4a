import type { Expectation } from './red-flags.ts'
import type { TypeRetention } from './retention.ts'
import type { Backoff } from './retry.ts'

/**
 * How a type's jobs are worked on, as plain data. The service that owns the type registers it with the store, where the reaper and other
 * processes read it without the handler's code; what a producer knows counts only until then.
 */
export interface JobPolicy {
  /** Names of the phases in order; one unnamed phase is `['run']`. */
  readonly phases: readonly string[]
  /** Failures after which the job has failed. Releases and lost sessions are not failures. */
  readonly maxAttempts: number
  readonly backoff: Backoff
  /** The longest an attempt may take; null: as long as it likes. */
  readonly timeoutMs: number | null
  /** How long a handler may go on after its signal, before the job is final without it. */
  readonly cancelGraceMs: number
  readonly maxStrikes: number
  /** What jobs that complete are like; those that are not raise a red flag. */
  readonly expect: Expectation
  /** For jobs that are driven by hand. */
  readonly lock: LockPolicy
  /** How long jobs that are over are kept. What is left out is as the process says that deletes. */
  readonly retention?: TypeRetention
}

/** A job driven by hand has a lock of its own instead of a worker's lease, and is stuck once that has run out and nothing is written any more. */
export interface LockPolicy {
  readonly durationMs: number
  readonly quietMs: number
  /** What becomes of a stuck job that had come some way, but has finished no phase. One without progress, or with a finished phase, is queued. */
  readonly progressed: 'fail' | 'requeue'
}
