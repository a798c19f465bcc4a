import type { Scope } from '../core/scope.ts'
import type { ClientContext } from './client-context.ts'
import type { JobReference } from './job-values.ts'
import { checkFunction, checkOptions } from './option-values.ts'
import { checkPosition, toJobEvent } from './read-events.ts'
import type { JobEvent } from './read-events.ts'
import { idOf, readDetails } from './read-jobs.ts'

export interface SubscribeOptions {
  /** Events of this job alone. */
  readonly job?: JobReference
  /** Begin after this position, with what is in the log already. Default: with what is committed from now on. */
  readonly after?: number
}

export async function subscribe(
  context: ClientContext,
  scope: Scope,
  { listener, options }: { readonly listener: (event: JobEvent) => unknown; readonly options: SubscribeOptions },
): Promise<() => void> {
  const { job, after } = checkOptions(options, { job: true, after: true }, 'options')
  checkFunction(listener, 'listener')
  const store = context.reader()
  const jobId = job === undefined ? null : idOf(job)
  const from = after === undefined ? null : checkPosition(after)
  // To an operator a job that is not there yet, or not any more, is none that is hidden.
  if (jobId !== null && scope.role !== 'operator') await readDetails(store, scope, jobId)
  return context.followLog({ listener: (record) => listener(toJobEvent(record)), scope, jobId, after: from })
}
