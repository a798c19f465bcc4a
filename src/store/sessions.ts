import type { WorkerIdentity } from './jobs.ts'

/** One running worker process. Its lease covers every job it holds. */
export interface NewSession extends WorkerIdentity {
  /** A random integer of 52 bits, the key that claims carry. */
  readonly holder: number
  readonly leaseMs: number
  readonly concurrency: number
}

export interface SessionRecord extends WorkerIdentity {
  readonly startedAt: number
  readonly beatAt: number
  readonly expiresAt: number
  readonly endedAt: number | null
  readonly concurrency: number
  readonly running: number
}

export interface SessionStore {
  /**
   * Opens the session and keeps it alive by beats from off the main thread until it is ended or abandoned (with a
   * virtual clock: by every write of this store, before anything else in its transaction). `onLost` fires once if the lease could not be kept.
   */
  open(session: NewSession, onLost: () => void): Promise<void>
  /** The session's jobs, if any are left, are free to be taken over at once. */
  end(holder: number): Promise<void>
  /** Stops the beats without ending the session, as the death of its process would. For crash tests. */
  abandon(holder: number): Promise<void>
  list(): Promise<readonly SessionRecord[]>
}
