import type { ProcessMark, ProcessSpace } from '../core/process-death.ts'
import type { WorkerIdentity } from './jobs.ts'

/** One running worker process. Its lease covers every job it holds. */
export interface NewSession extends WorkerIdentity {
  /** A random integer of 52 bits, the key that claims carry. */
  readonly holder: number
  readonly leaseMs: number
  readonly concurrency: number
  /** What its process is recognised by. Absent: the death of a process does not end the session, its lease alone does. */
  readonly process?: ProcessMark
  /** What it works on. Default: nothing is known of it. */
  readonly types?: readonly string[]
  /** Of the registration of its types: what has been handed over since is not its own. Default: the present one. */
  readonly epoch?: number
  /** Of the service's program. Default: none is known. */
  readonly version?: string | null
}

/** A session of its own for one job that is driven by hand. Nobody beats for it: what is written under its claim keeps it, for a while. */
export interface NewLock extends WorkerIdentity {
  /** A random integer of 52 bits, the key that the claim carries. */
  readonly holder: number
  /** Who drives the job. */
  readonly by: string
}

/** Who holds a job, for whoever would have it. */
export interface LockHolder extends WorkerIdentity {
  /** Who drives the job by hand; null: a worker runs it. */
  readonly by: string | null
  readonly since: number
  /** When the lock, or the worker's lease, runs out, unless it is renewed. */
  readonly expiresAt: number
}

export interface SessionRecord extends WorkerIdentity {
  readonly startedAt: number
  readonly beatAt: number
  readonly expiresAt: number
  readonly endedAt: number | null
  /** Since when the event loop of its process has stood still, as the latest beat saw it; null: it turned. */
  readonly blockedSince: number | null
  /** Since when it takes no more jobs, because its worker is being stopped; null: it takes them. */
  readonly drainingSince: number | null
  readonly concurrency: number
  readonly running: number
  readonly types: readonly string[]
  readonly epoch: number
  readonly version: string | null
}

/** An open session whose process can be looked at. */
export interface ProcessSession {
  readonly holder: number
  readonly pid: number
  readonly startTick: number
}

export interface SessionStore {
  /**
   * Opens the session and keeps it alive by beats from off the main thread until it is ended or abandoned (with a
   * virtual clock: by every write of this store, before anything else in its transaction). `onLost` fires once if the lease could not be kept.
   */
  open(session: NewSession, onLost: () => void): Promise<void>
  /** Notes that it claims nothing from now on, for whoever asks; what it holds stays its own, and beats go on. Once more changes nothing. */
  drain(holder: number): Promise<void>
  /** The session's jobs, if any are left, are free to be taken over at once. */
  end(holder: number): Promise<void>
  /** Stops the beats without ending the session, as the death of its process would. For crash tests. */
  abandon(holder: number): Promise<void>
  /** The open sessions of processes of that host whose pids count in the same space. */
  ofProcesses(space: ProcessSpace & { readonly host: string }): Promise<readonly ProcessSession[]>
  /** Those of workers: locks taken by hand are none. */
  list(): Promise<readonly SessionRecord[]>
  /** The session that holds a job, by its key; null: there is none, or it has ended. */
  holder(holder: number): Promise<LockHolder | null>
}

/** A lease outlives two missed beats. */
const BEATS_PER_LEASE = 3

/** How often whoever keeps a session alive beats for it. */
export function beatEveryMs(leaseMs: number): number {
  return Math.max(1, Math.floor(leaseMs / BEATS_PER_LEASE))
}
