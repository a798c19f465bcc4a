import type { EventName } from '../core/events.ts'
import type { Plan } from '../core/plan.ts'

/** The columns of a job's row that events tell of. */
type EventRow = Readonly<Record<string, unknown>>

export interface EventFacts {
  readonly event: EventName
  readonly plan: Plan
  readonly row: EventRow
  /** What the caller tells, JSON text of an object. */
  readonly given: string | null
}

/** What an event tells beside its name: the caller's words, and the facts that only the row knows. JSON text; null: nothing. */
export function eventDetail({ event, plan, row, given }: EventFacts): string | null {
  const facts = rowFacts(event, plan, row)
  if (facts === null) return given
  const told = given === null ? {} : (JSON.parse(given) as object)
  return JSON.stringify({ ...told, ...facts })
}

function rowFacts(event: EventName, plan: Plan, row: EventRow): object | null {
  if (event === 'job:cancelled' || event === 'job:cancel-requested') {
    return { cancelledBy: row['cancelled_by'], reason: row['cancel_reason'] }
  }
  if (event === 'job:completed') return row['cancel_requested_at'] === null ? null : { cancelRequested: true }
  return event === 'job:queued' ? { cause: plan.name } : null
}

/** What its start tells of a job, JSON text; null: a job of one phase starts where it has to, and one whose phases are done only completes. */
export function startedIn({
  phaseNames,
  phase,
}: {
  readonly phaseNames: readonly string[]
  readonly phase: number
}): string | null {
  const name = phaseNames[phase]
  return phaseNames.length === 1 || name === undefined ? null : JSON.stringify({ phase: name })
}
