/** Why a handler must stop, with the error that its signal carries and its calls throw. */
import { formatDuration } from '../core/duration.ts'
import { JobCancelledError, LeaseLostError, MillraceError } from '../core/errors.ts'
import type { JobCancelled } from '../core/errors.ts'

type StopCause = 'cancel' | 'time-out' | 'lease-lost' | 'shutdown'

export interface Stop {
  readonly cause: StopCause
  readonly error: MillraceError
}

export function cancelStop(cancelled: JobCancelled): Stop {
  return { cause: 'cancel', error: new JobCancelledError(cancelled) }
}

export function leaseLostStop(jobId: string, act: string): Stop {
  return { cause: 'lease-lost', error: new LeaseLostError(jobId, act) }
}

export function timeOutStop(jobId: string, timeoutMs: number): Stop {
  const error = new MillraceError(
    'time-out',
    `The attempt at job ${jobId} took longer than ${formatDuration(timeoutMs)}. ` +
      "Give its type a longer timeout, or call the context's extend() while it works.",
    { details: { jobId, timeoutMs } },
  )
  return { cause: 'time-out', error }
}

export function shutdownStop(jobId: string): Stop {
  const error = new MillraceError(
    'shutting-down',
    `The worker shuts down. Job ${jobId} goes back into the queue, and no failure is counted: stop working on it.`,
    { details: { jobId } },
  )
  return { cause: 'shutdown', error }
}

/** For a job that was taken ahead and is given back unbegun: nothing has failed. */
export function notBegunStop(jobId: string): Stop {
  const error = new MillraceError(
    'not-begun',
    `The worker had taken job ${jobId} ahead of its slots, and then handlers kept theirs for longer than before. ` +
      'The job goes back into the queue, and no failure is counted.',
    { details: { jobId } },
  )
  return { cause: 'shutdown', error }
}

/** A cancel outranks what came before it, because it decides what the job becomes; a lost claim outranks everything. */
export function outranks(next: Stop, present: Stop | null): boolean {
  if (present === null) return true
  return RANK[next.cause] > RANK[present.cause]
}

const RANK: Readonly<Record<StopCause, number>> = { shutdown: 1, 'time-out': 1, cancel: 2, 'lease-lost': 3 }
