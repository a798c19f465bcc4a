/** Who may clean up: of all processes one at a time, which gives a sign of life now and then until it has ended. */

export interface CleanupTurn {
  /** A random integer of 52 bits, by which whoever has the turn is known. */
  readonly key: number
  /** It looks at all jobs and the bytes of all artifacts, rather than at the next share of them. */
  readonly isWhole: boolean
  /** Epoch milliseconds by the store's clock. */
  readonly begunAt: number
  /** Until when it counts as under way without a further sign of life, epoch milliseconds. Null: it has ended. */
  readonly keptUntil: number | null
  /** What came of it, JSON text. Null: it has not ended, or not come to its end. */
  readonly report: string | null
}

export interface TurnRequest {
  /** A random integer of 52 bits. */
  readonly key: number
  readonly isWhole: boolean
  /** The latest turn must have begun at least so many milliseconds ago. */
  readonly apartMs: number
  /** How long it counts as under way without a sign of life. */
  readonly leaseMs: number
}

/** A turn that began in the future was taken by a clock that was wrong. */
function isUnderWay({ begunAt, keptUntil }: CleanupTurn, now: number): boolean {
  return keptUntil !== null && begunAt <= now && now < keptUntil
}

/** @returns the latest turn from now on: the one that is asked for, unless somebody else has it or the latest is too short a time ago */
export function beginTurn(latest: CleanupTurn | null, request: TurnRequest, now: number): CleanupTurn {
  const { key, isWhole, apartMs, leaseMs } = request
  const begun: CleanupTurn = { key, isWhole, begunAt: now, keptUntil: now + leaseMs, report: null }
  if (latest === null || latest.begunAt > now) return begun
  // Asked twice, where the first answer was lost.
  if (latest.key === key) return latest
  return isUnderWay(latest, now) || now - latest.begunAt < apartMs ? latest : begun
}

/** @returns the turn with a sign of life; null: it has ended, or another has begun */
export function keepTurn(latest: CleanupTurn | null, key: number, keptUntil: number): CleanupTurn | null {
  return latest?.key === key && latest.keptUntil !== null ? { ...latest, keptUntil } : null
}

/**
 * @param report JSON text; null: the cleanup did not come to its end
 * @returns the turn at its end; null: it has ended already, or another has begun
 */
export function endTurn(latest: CleanupTurn | null, key: number, report: string | null): CleanupTurn | null {
  return latest?.key === key && latest.keptUntil !== null ? { ...latest, keptUntil: null, report } : null
}
