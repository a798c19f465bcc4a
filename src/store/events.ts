import type { EventName } from '../core/events.ts'
import type { Scope, Scoped } from '../core/scope.ts'

/** With whose job it is, so that one reader can serve many scopes. */
export interface EventRecord extends Scoped {
  /** Place in the whole log: grows, with gaps. */
  readonly position: number
  readonly jobId: string
  readonly type: string
  /** Place among the job's events: 1, 2, 3, … without a gap. */
  readonly seq: number
  readonly name: EventName
  readonly at: number
  readonly attempt: number
  /** JSON text of an object; null: nothing more to tell. */
  readonly detail: string | null
}

export interface EventQuery {
  readonly scope: Scope
  /** Events after this position; 0: from the first that is kept. */
  readonly after: number
  readonly limit: number
  readonly jobId: string | null
}

export interface EventStore {
  read(query: EventQuery): Promise<readonly EventRecord[]>
  /** The position of the latest event; 0: there is none. */
  latest(): Promise<number>
}
