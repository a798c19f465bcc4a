import type { EventName } from '../core/events.ts'
import { decodeJson } from '../core/json.ts'
import { LIMITS } from '../core/limits.ts'
import type { Scope } from '../core/scope.ts'
import type { EventRecord } from '../store/events.ts'
import type { Store } from '../store/store.ts'
import type { JobReference } from './job-values.ts'
import { asObject } from './job.ts'
import type { JsonObject } from './job.ts'
import { checkOptions, checkWhole } from './option-values.ts'
import { idOf, readDetails } from './read-jobs.ts'

/** Something that happened to a job. */
export interface JobEvent {
  /** Place in the whole log: grows, with gaps. */
  readonly position: number
  readonly jobId: string
  readonly type: string
  /** Place among the job's events: 1, 2, 3, … without a gap. */
  readonly seq: number
  readonly name: EventName
  /** Epoch milliseconds by the store's clock. */
  readonly at: number
  /** The job's attempt at that time; 0 before the first. */
  readonly attempt: number
  /** What there is to tell beside; see the events' page. */
  readonly detail: JsonObject
}

export interface EventOptions {
  /** Events after this position. Default 0: from the first that is kept. */
  readonly after?: number
  /** Of this job alone. */
  readonly job?: JobReference
  /** At most this many: 1 to 500, default 50. */
  readonly limit?: number
}

export async function readEvents(store: Store, scope: Scope, options: EventOptions): Promise<readonly JobEvent[]> {
  const { after, job, limit = LIMITS.listPageDefault } = checkOptions(options, KNOWN_OPTIONS, 'options')
  const query = {
    scope,
    after: checkPosition(after),
    limit: checkWhole(limit, { path: 'limit', least: 1, most: LIMITS.listPage }),
    jobId: job === undefined ? null : idOf(job),
  }
  // To an operator a job that is not there yet, or not any more, is none that is hidden.
  if (query.jobId !== null && scope.role !== 'operator') await readDetails(store, scope, query.jobId)
  const records = await store.events.read(query)
  return records.map(toJobEvent)
}

const KNOWN_OPTIONS: Readonly<Record<keyof EventOptions, true>> = { after: true, job: true, limit: true }

export function checkPosition(after: number = 0): number {
  return checkWhole(after, { path: 'after', least: 0, most: Number.MAX_SAFE_INTEGER })
}

export function toJobEvent({ detail, tenant: _tenant, owner: _owner, ...event }: EventRecord): JobEvent {
  return { ...event, detail: detail === null ? {} : asObject(decodeJson(detail)) }
}
