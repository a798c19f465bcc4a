/** Bringing a worker to rest, within one time. */
import { MillraceError } from '../core/errors.ts'
import { settlesWithin } from '../runtime/pause.ts'
import type { Runtime } from '../runtime/runtime.ts'

export interface DrainShares {
  /** Handlers are left alone for so long. */
  readonly waitMs: number
  /** Then they are told to stop, and have so long to do it. */
  readonly graceMs: number
  /** Then their jobs are given back, and the session is ended. */
  readonly releaseMs: number
}

const LONGEST_RELEASE_MS = 1_000
const RELEASE_SHARE = 0.2
const GRACE_SHARE = 0.4

/** How the time is divided: the end and the grace take what they need, but no more than their share; the rest is for waiting. */
export function drainShares(timeoutMs: number, longestGraceMs: number): DrainShares {
  const releaseMs = Math.min(LONGEST_RELEASE_MS, Math.floor(timeoutMs * RELEASE_SHARE))
  const graceMs = Math.min(longestGraceMs, Math.floor(timeoutMs * GRACE_SHARE))
  return { waitMs: timeoutMs - graceMs - releaseMs, graceMs, releaseMs }
}

/** What is brought to rest. */
export interface Draining {
  readonly runtime: Runtime
  /** When it fires, handlers are waited for no longer. */
  readonly hurry: AbortSignal
  readonly longestGraceMs: () => number
  /** Resolves when nothing more is going to be claimed. */
  stopClaiming(): Promise<void>
  /** Resolves when nothing runs and everything that ended is in the store. */
  rest(): Promise<void>
  /** Tells every handler to stop. */
  shutDown(): void
  /** Gives back the jobs whose handlers still run; answers how many. */
  abandonAll(): number
  /** What is not in the store by now is not tried again. */
  close(): void
  /** The last step: from here on nothing is held. */
  endSession(): Promise<void>
}

/**
 * Waits, tells, waits again, releases, and ends the session: each step comes, whatever happened in the one before.
 *
 * @throws MillraceError `drain-timeout` if handlers did not stop in time, or the store did not take what they left
 */
export async function drain(draining: Draining, timeoutMs: number): Promise<void> {
  const { runtime, hurry } = draining
  const shares = drainShares(timeoutMs, draining.longestGraceMs())
  const resting = draining.stopClaiming().then(() => draining.rest())
  let rested = await settlesWithin(runtime, shares.waitMs, resting, hurry)
  let abandoned = 0
  if (!rested) {
    draining.shutDown()
    rested = await settlesWithin(runtime, shares.graceMs, resting, hurry)
    if (!rested) {
      abandoned = draining.abandonAll()
      rested = await settlesWithin(runtime, shares.releaseMs, resting)
    }
  }
  draining.close()
  const ending = draining.endSession().then(
    () => null,
    (error: unknown) => ({ error }),
  )
  const ended = await settlesWithin(runtime, Math.max(shares.releaseMs, LEAST_END_MS), ending)
  const failure = ended ? await ending : { error: undefined }
  if (rested && abandoned === 0 && failure === null) return
  throw drainTimeout({ timeoutMs, abandoned, cause: failure?.error })
}

/** However short the time, ending the session is worth a moment: it spares everyone the wait for the lease. */
const LEAST_END_MS = 100

interface DrainFailure {
  readonly timeoutMs: number
  readonly abandoned: number
  readonly cause: unknown
}

function drainTimeout({ timeoutMs, abandoned, cause }: DrainFailure): MillraceError {
  const what =
    abandoned > 0
      ? `${abandoned} of its handlers did not stop; their jobs are back in the queue`
      : 'the store did not take all that was left; what is still held is free after its lease'
  return new MillraceError(
    'drain-timeout',
    `The worker did not come to rest within ${timeoutMs} ms: ${what}. ` +
      'Give it more time, or let its handlers heed their signal.',
    { details: { timeoutMs, abandoned }, ...(cause === undefined ? {} : { cause }) },
  )
}
