/** Numbers for names, as the tables keep them. A number once given is never used for anything else. */
import type { EventName } from '../core/events.ts'
import type { AttemptOutcome } from '../core/plan.ts'
import type { JobState } from '../core/states.ts'
import type { StoppedBy } from './attempt-stops.ts'

export const STATE_CODES: Readonly<Record<JobState, number>> = {
  scheduled: 1,
  queued: 2,
  running: 3,
  retrying: 4,
  completed: 5,
  failed: 6,
  cancelled: 7,
}

export const EVENT_CODES: Readonly<Record<EventName, number>> = {
  'job:scheduled': 1,
  'job:queued': 2,
  'job:started': 3,
  'job:retrying': 4,
  'job:completed': 5,
  'job:failed': 6,
  'job:cancelled': 7,
  'job:cancel-requested': 8,
  'job:progress': 9,
  'job:log': 10,
  'job:deleted': 11,
  'phase:completed': 12,
  'artifact:written': 13,
}

/** A job begins with the event of its state: stores copy the one code from the other. */
const SAME_CODES =
  EVENT_CODES['job:queued'] === STATE_CODES.queued && EVENT_CODES['job:scheduled'] === STATE_CODES.scheduled
if (!SAME_CODES) throw new RangeError('states and their events differ in their codes')

export const OUTCOME_CODES: Readonly<Record<AttemptOutcome | 'completed', number>> = {
  failed: 1,
  'timed-out': 2,
  cancelled: 3,
  released: 4,
  lost: 5,
  forced: 6,
  completed: 7,
}

export const STOPPED_BY_CODES: Readonly<Record<StoppedBy, number>> = {
  handler: 1,
  terminate: 2,
  SIGTERM: 3,
  SIGKILL: 4,
}

function inverse<Name extends string>(codes: Readonly<Record<Name, number>>): ReadonlyMap<number, Name> {
  return new Map(Object.entries(codes).map(([name, code]) => [code as number, name as Name]))
}

const STATES = inverse(STATE_CODES)
const EVENTS = inverse(EVENT_CODES)
const OUTCOMES = inverse(OUTCOME_CODES)
const STOPPERS = inverse(STOPPED_BY_CODES)

function decode<Name>(names: ReadonlyMap<number, Name>, code: unknown, kind: string): Name {
  const name = names.get(Number(code))
  if (name === undefined) throw new RangeError(`${String(code)} is no ${kind}`)
  return name
}

export function stateOf(code: unknown): JobState {
  return decode(STATES, code, 'state')
}

export function eventOf(code: unknown): EventName {
  return decode(EVENTS, code, 'event')
}

export function outcomeOf(code: unknown): AttemptOutcome | 'completed' {
  return decode(OUTCOMES, code, 'outcome')
}

export function stoppedByOf(code: unknown): StoppedBy {
  return decode(STOPPERS, code, 'way to stop')
}
