/**
 * May a reaper trust its own sense of time? After a laptop's sleep, a stopped virtual machine or a blocked event loop every session looks
 * dead, the reaper's own too, although each only needs a moment to beat again. So a reaper whose own passes were not on time waits one
 * lease, in which the living beat, and then until two passes in a row were on time.
 *
 * A wrong guess is never a wrong result: a job that was taken from a living worker is fenced. It only costs the work done.
 */
export interface ReaperTrust {
  /** Of the latest pass, epoch milliseconds: the clock that goes on while the machine sleeps. Null: there was none. */
  readonly lastPassAt: number | null
  /** Passes on time, one after another, up to the two that are enough. */
  readonly onTime: number
  /** No sweep before that, epoch milliseconds. */
  readonly heldUntil: number
}

/** Of a reaper that has just been started: nothing speaks against it. */
export const FRESH_TRUST: ReaperTrust = { lastPassAt: null, onTime: 2, heldUntil: 0 }

export interface ReaperPass {
  /** Epoch milliseconds. */
  readonly now: number
  /** How long the reaper meant to wait since its latest pass, at the most. */
  readonly everyMs: number
  readonly leaseMs: number
}

export interface ReaperJudgement {
  readonly sweep: boolean
  readonly trust: ReaperTrust
}

const ENOUGH_ON_TIME = 2
/** A pass is late after twice its wait: timers of a busy process are late by less, and sleep lasts longer. */
const LATE_FACTOR = 2

/** Whether this pass may take jobs from sessions that look dead. */
export function judgePass(trust: ReaperTrust, { now, everyMs, leaseMs }: ReaperPass): ReaperJudgement {
  const { lastPassAt, heldUntil } = trust
  const sinceMs = lastPassAt === null ? everyMs : now - lastPassAt
  // A clock that was set back says nothing about the sessions either.
  const isOnTime = sinceMs >= 0 && sinceMs <= everyMs * LATE_FACTOR
  const onTime = isOnTime ? Math.min(ENOUGH_ON_TIME, trust.onTime + 1) : 0
  const next: ReaperTrust = { lastPassAt: now, onTime, heldUntil: isOnTime ? heldUntil : now + leaseMs }
  return { sweep: onTime >= ENOUGH_ON_TIME && now >= next.heldUntil, trust: next }
}

/**
 * Whether somebody else may sweep between two passes: the latest was trusted, and the next is not late by now.
 *
 * @param pass `everyMs`: null where no passes are made by time, so that none can be late
 */
export function isTrusted(
  { lastPassAt, onTime, heldUntil }: ReaperTrust,
  { now, everyMs }: { readonly now: number; readonly everyMs: number | null },
): boolean {
  if (onTime < ENOUGH_ON_TIME || now < heldUntil) return false
  if (lastPassAt === null || everyMs === null) return true
  return now >= lastPassAt && now - lastPassAt <= everyMs * LATE_FACTOR
}
