import type { Role, Scope } from '../core/scope.ts'
import { FIRST_ID, isId } from './ids.ts'

/** What is written down of an act, in its transaction, if it applies. The act is the plan's name, the role that of the call's scope, the tenant the job's. */
export interface NewAudit {
  /** UUIDv7. */
  readonly id: string
  readonly actor: string
  readonly reason: string | null
  /** JSON text of an object; null: nothing more to tell. */
  readonly detail: string | null
}

export interface AuditRecord extends NewAudit {
  readonly at: number
  readonly role: Role
  /** Of the job. */
  readonly tenant: string
  readonly act: string
  readonly jobId: string
}

export interface AuditQuery {
  /** Members see nothing. */
  readonly scope: Scope
  /** Null: of all jobs. */
  readonly jobId: string | null
  readonly limit: number
  /** The cursor of an earlier page's end; null: from the newest. */
  readonly after: string | null
}

export interface AuditPage {
  /** Newest first. */
  readonly records: readonly AuditRecord[]
  /** Where the next page starts; null: there is none. */
  readonly next: string | null
}

/** It outlives the jobs that it tells of. Rows are added by `claims.apply`. */
export interface AuditStore {
  list(query: AuditQuery): Promise<AuditPage>
}

/** Where a page ended. It tells nothing but what stood in its last row. */
export interface AuditPlace {
  readonly at: number
  readonly id: string
}

const NEWEST: AuditPlace = { at: Number.MAX_SAFE_INTEGER, id: FIRST_ID }
const CURSOR = /^(?<at>[0-9a-z]{1,11})-(?<id>.+)$/

/** Null: the cursor is none of ours, and leads nowhere. */
export function auditPlace(cursor: string | null): AuditPlace | null {
  if (cursor === null) return NEWEST
  const { at = '', id = '' } = CURSOR.exec(cursor)?.groups ?? {}
  const instant = Number.parseInt(at, 36)
  return isId(id) && Number.isSafeInteger(instant) ? { at: instant, id } : null
}

/** @param records one more than the page holds, if there are more */
export function auditPage(records: readonly AuditRecord[], limit: number): AuditPage {
  const page = records.slice(0, limit)
  const last = page.at(-1)
  const next = records.length > limit && last !== undefined ? `${last.at.toString(36)}-${last.id}` : null
  return { records: page, next }
}
