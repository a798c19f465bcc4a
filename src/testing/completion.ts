/** Waiting for a job's good end, and proof of who brought it there. */
import type { DefinitionIn, JobReference } from '../client/job-values.ts'
import type { Job } from '../client/job.ts'
import { idOf } from '../client/read-jobs.ts'
import { MillraceError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Millrace } from '../open-millrace.ts'
import { settlesWithin } from '../runtime/pause.ts'
import { systemRuntime } from '../runtime/system-runtime.ts'
import { errorOf, failure, listed, whyOf } from './failure.ts'

/** The completed job. @throws AssertionError */
export async function waitForCompletion<Reference extends JobReference>(
  mill: Millrace,
  job: Reference,
  ms: number,
): Promise<Job<DefinitionIn<Reference>>> {
  const waiting = mill.waitFor(job, { timeout: 'none' })
  // It may be left waiting, and end with the Millrace.
  waiting.catch(() => undefined)
  if (!(await settlesWithin(systemRuntime(), ms, waiting))) throw await notInTime(mill, job, ms)
  const ended = await waiting
  if (ended.state === 'completed') return ended
  throw failure([`Expected job ${ended.id} (${ended.type}) to complete; it ${endOf(ended)}.`, ...errorOf(ended)], {
    operator: 'waitForJobCompletion',
    actual: ended.state,
    expected: 'completed',
    cause: ended.error,
  })
}

function endOf({ state, phase, cancelledBy, cancelReason }: Job): string {
  if (state !== 'cancelled') return phase === null ? 'failed' : `failed in the phase ${phase}`
  return `was cancelled by ${cancelledBy ?? 'somebody'}${cancelReason === null ? '' : `: ${cancelReason}`}`
}

async function notInTime(mill: Millrace, job: JobReference, ms: number): Promise<Error> {
  const explanation = await mill.explain(job)
  const { state: actual } = explanation
  const { id, type } = await mill.get(idOf(job))
  const lines = [`Expected job ${id} (${type}) to complete within ${ms} ms; it is ${actual}.`, ...whyOf(explanation)]
  return failure(lines, { operator: 'waitForJobCompletion', actual, expected: 'completed' })
}

/** An attempt that began while it was watched. */
export interface ProcessedJob {
  readonly jobId: string
  readonly type: string
  readonly attempt: number
  /** Of the worker that ran it; null: the store does not know it any more. */
  readonly service: string | null
  readonly host: string | null
  readonly pid: number | null
}

export interface Monitored<Result> {
  /** What the function returned. */
  readonly result: Result
  /** In the order in which the attempts began. */
  readonly processed: readonly ProcessedJob[]
}

/** @throws AssertionError; what the function throws */
export async function monitorProcessing<Result>(
  mill: Millrace,
  service: string,
  run: () => Result | Promise<Result>,
): Promise<Monitored<Result>> {
  const before = await latestPosition(mill)
  const result = await run()
  const processed = await attemptsAfter(mill, before)
  const others = processed.filter((attempt) => attempt.service !== service)
  const facts = { operator: 'monitorJobProcessing', actual: processed, expected: service }
  if (processed.length === 0) {
    throw failure([`Expected the service "${service}" to process jobs; no attempt began meanwhile.`], facts)
  }
  if (others.length === 0) return { result, processed }
  const lines = processed.map(
    ({ jobId, type, attempt, service: by }) => `${jobId} ${type}, attempt ${attempt}: ${by ?? 'unknown'}`,
  )
  throw failure([`Expected the service "${service}" alone to process jobs.`, ...listed('Processed:', lines)], facts)
}

/** By halves: a log is long, and nobody keeps its end for us. */
async function latestPosition(mill: Millrace): Promise<number> {
  const isBefore = async (position: number): Promise<boolean> =>
    (await mill.events({ after: position, limit: 1 })).length > 0
  let past = 1
  while (await isBefore(past)) past *= 2
  let reached = Math.floor(past / 2)
  if (reached === 0) return (await isBefore(0)) ? past : 0
  while (past - reached > 1) {
    const middle = Math.floor((past + reached) / 2)
    if (await isBefore(middle)) reached = middle
    else past = middle
  }
  return past
}

async function attemptsAfter(mill: Millrace, position: number): Promise<readonly ProcessedJob[]> {
  const processed: ProcessedJob[] = []
  for (let after = position; ;) {
    const events = await mill.events({ after, limit: LIMITS.listPage })
    for (const { name, jobId, type, attempt } of events) {
      if (name === 'job:started') processed.push({ jobId, type, attempt, ...(await workerOf(mill, jobId, attempt)) })
    }
    const last = events.at(-1)
    if (last === undefined) return processed
    after = last.position
  }
}

const NOBODY = { service: null, host: null, pid: null }

async function workerOf(
  mill: Millrace,
  jobId: string,
  attempt: number,
): Promise<Pick<ProcessedJob, 'service' | 'host' | 'pid'>> {
  try {
    const { attempts } = await mill.get(jobId)
    return attempts.find((one) => one.attempt === attempt)?.worker ?? NOBODY
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'job-not-found') return NOBODY
    throw error
  }
}
