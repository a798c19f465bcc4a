import type { JobDefinition } from '../core/definition.ts'
import { parseDuration } from '../core/duration.ts'
import type { Duration } from '../core/duration.ts'
import { JobCancelledError, MillraceError } from '../core/errors.ts'
import { DEFAULTS } from '../core/limits.ts'
import type { Scope } from '../core/scope.ts'
import { FINAL_STATES } from '../core/states.ts'
import type { JobState } from '../core/states.ts'
import type { ClientContext } from './client-context.ts'
import type { DefinitionIn, JobReference, OutputOf } from './job-values.ts'
import type { Job, JobError } from './job.ts'
import type { Watching } from './job-watcher.ts'
import { checkOptions } from './option-values.ts'
import { checkStates, idOf, readDetails, readJob } from './read-jobs.ts'

export interface WaitOptions {
  /** Wait for one of these states instead of any final one. A state that the job only passes through may be missed. */
  readonly state?: JobState | readonly JobState[]
  /** How long to wait. Default `'30s'`; `'none'`: as long as it takes. */
  readonly timeout?: Duration | 'none'
}

/** @throws MillraceError `wait-timeout`, NotFoundError, ForbiddenError */
export async function waitForJob<Reference extends JobReference>(
  context: ClientContext,
  scope: Scope,
  reference: Reference,
  options: WaitOptions,
): Promise<Job<DefinitionIn<Reference>>> {
  const jobId = idOf(reference)
  const { wanted, timeoutMs } = checkWait(options)
  const store = context.writer('waitFor')
  if (scope.role !== 'operator') await readDetails(store, scope, jobId)
  return context.hold(waitAndRead())

  async function waitAndRead(): Promise<Job<DefinitionIn<Reference>>> {
    context.reader()
    const watching = context.watcher.watch({ jobId, wanted })
    if (timeoutMs === null) await watching.reached
    else await within(context, watching, { jobId, wanted, timeoutMs })
    // The store, not the context: a job that ended while the Millrace is being closed is still read.
    return readJob(store, scope, reference)
  }
}

export interface Wait {
  readonly wanted: ReadonlySet<JobState>
  /** Null: as long as it takes. */
  readonly timeoutMs: number | null
}

/** @throws InvalidInputError */
export function checkWait(options: WaitOptions): Wait {
  const { state = FINAL_STATES, timeout = DEFAULTS.waitMs } = checkOptions(options, KNOWN_OPTIONS, 'options')
  const wanted = new Set(checkStates(state, 'state'))
  return { wanted, timeoutMs: timeout === 'none' ? null : parseDuration(timeout, 'timeout') }
}

const KNOWN_OPTIONS: Readonly<Record<keyof WaitOptions, true>> = { state: true, timeout: true }

interface Deadline {
  readonly jobId: string
  readonly wanted: ReadonlySet<JobState>
  readonly timeoutMs: number
}

async function within({ runtime }: ClientContext, watching: Watching, deadline: Deadline): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = runtime.after(deadline.timeoutMs, () => reject(timeoutError(watching, deadline)))
  try {
    await Promise.race([watching.reached, promise])
  } finally {
    timer.cancel()
    watching.stop()
  }
}

function timeoutError(watching: Watching, { jobId, wanted, timeoutMs }: Deadline): MillraceError {
  const state = watching.seen()
  const states = [...wanted]
  return new MillraceError(
    'wait-timeout',
    `Job ${jobId} was not ${states.join(' or ')} within ${timeoutMs} ms: it is ${state ?? 'not known yet'}. ` +
      'mill.explain(id) says why; wait longer with { timeout }.',
    { details: { jobId, state, wanted: states, timeoutMs } },
  )
}

/** The output of a job that completed. @throws JobCancelledError, MillraceError `job-failed` with the error of the job as its cause */
export function outputOf<Definition extends JobDefinition | undefined>(job: Job<Definition>): OutputOf<Definition> {
  if (job.state === 'cancelled') {
    throw new JobCancelledError({
      jobId: job.id,
      cancelledBy: job.cancelledBy ?? 'system',
      reason: job.cancelReason,
    })
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a completed job has an output; null may be one
  if (job.state === 'completed') return job.output as OutputOf<Definition>
  const message = job.error?.message ?? 'without an error'
  throw new MillraceError('job-failed', `Job ${job.id} (${job.type}) failed: ${message}`, {
    details: {
      jobId: job.id,
      type: job.type,
      failures: job.failures,
      phase: job.phase,
      rule: job.error?.verdict?.rule ?? null,
    },
    cause: job.error === null ? undefined : asError(job.error),
  })
}

/** The error as it was thrown, as far as a store can keep it. */
function asError({ name, message, stack, code }: JobError): Error {
  const error = new Error(message)
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  if (stack !== null) error.stack = stack
  return code === null ? error : Object.assign(error, { code })
}
