/**
 * The names of what can happen. A move into a state is told as `job:<state>` (into `running`: `job:started`), whatever command made it;
 * where more than one command leads there, the event's detail names the `cause`.
 * `phase:completed` names the phase and the one that begins with it; `job:started` names the phase the attempt begins at.
 */
export const EVENT_NAMES = [
  'job:scheduled',
  'job:queued',
  'job:started',
  'job:retrying',
  'job:completed',
  'job:failed',
  'job:cancelled',
  'job:cancel-requested',
  'job:progress',
  'job:log',
  'job:deleted',
  'phase:completed',
  'artifact:written',
] as const

export type EventName = (typeof EVENT_NAMES)[number]

/** Exactly one of these closes each generation of a job. */
export const FINAL_EVENTS = ['job:completed', 'job:failed', 'job:cancelled'] as const satisfies readonly EventName[]
