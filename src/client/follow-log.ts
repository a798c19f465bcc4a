import type { Scope } from '../core/scope.ts'
import type { EventRecord } from '../store/events.ts'

/** Someone who wants to hear of what is committed. */
interface Follow {
  readonly listener: (event: EventRecord) => unknown
  readonly scope: Scope
  /** Of this job alone; null: of all that the scope may touch. */
  readonly jobId: string | null
  /** Begin after this position; null: with what is committed from now on. */
  readonly after: number | null
}

/** Follows the log for all clients of a process; answers the way out. */
export type FollowLog = (follow: Follow) => Promise<() => void>
