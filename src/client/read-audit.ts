import { ForbiddenError } from '../core/errors.ts'
import { decodeJson } from '../core/json.ts'
import { LIMITS } from '../core/limits.ts'
import type { Role, Scope } from '../core/scope.ts'
import type { AuditRecord } from '../store/audit.ts'
import type { Store } from '../store/store.ts'
import type { JobReference } from './job-values.ts'
import { asObject } from './job.ts'
import type { JsonObject } from './job.ts'
import { checkText } from './names.ts'
import { checkOptions, checkWhole } from './option-values.ts'
import { idOf } from './read-jobs.ts'

/** An act that was carried out by force. */
export interface AuditEntry {
  readonly id: string
  /** Epoch milliseconds by the store's clock. */
  readonly at: number
  readonly actor: string
  readonly role: Role
  /** Of the job; `''`: it has none. */
  readonly tenant: string
  /** `force-fail`, `force-reset`. */
  readonly act: string
  readonly jobId: string
  readonly reason: string | null
  /** What there is to tell beside. */
  readonly detail: JsonObject
}

export interface AuditOptions {
  /** Of this job alone, which may be gone by now. */
  readonly job?: JobReference
  /** At most this many, newest first: 1 to 500, default 50. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly after?: string
}

export interface AuditList {
  readonly entries: readonly AuditEntry[]
  /** Where the next page starts; null: this was the last. */
  readonly next: string | null
}

const KNOWN: Readonly<Record<keyof AuditOptions, true>> = { job: true, limit: true, after: true }

export async function readAudit(store: Store, scope: Scope, options: AuditOptions): Promise<AuditList> {
  const { job, limit = LIMITS.listPageDefault, after } = checkOptions(options, KNOWN, 'options')
  const query = {
    scope,
    jobId: job === undefined ? null : idOf(job),
    limit: checkWhole(limit, { path: 'limit', least: 1, most: LIMITS.listPage }),
    after: after === undefined ? null : checkText(after, { path: 'after', maxCharacters: LIMITS.reasonCharacters }),
  }
  if (scope.role === 'member')
    throw new ForbiddenError('forbidden', 'A member may not read the audit: ask an admin of the tenant.')
  const { records, next } = await store.audit.list(query)
  return { entries: records.map(toEntry), next }
}

function toEntry({ id, at, actor, role, tenant, act, jobId, reason, detail }: AuditRecord): AuditEntry {
  const told = detail === null ? {} : asObject(decodeJson(detail))
  return { id, at, actor, role, tenant, act, jobId, reason, detail: told }
}
