import type { Role, Scope } from '../core/scope.ts'
import { auditPage, auditPlace } from '../store/audit.ts'
import type { AuditPage, AuditQuery, NewAudit } from '../store/audit.ts'
import { isId } from '../store/ids.ts'
import { auditRecordOf } from '../store/records.ts'
import type { Database } from './database.ts'
import type { SqlValue } from './driver.ts'
import { idFromBytes, idToBytes } from './ids.ts'

const INSERT_AUDIT =
  'INSERT INTO millrace_audit (id, at, actor, role, tenant, act, job, reason, detail) ' +
  'SELECT ?, ?, ?, ?, j.tenant, ?, j.id, ?, ? FROM millrace_jobs AS j WHERE j.n = ?'

export interface Audited {
  /** Integer key of the job. */
  readonly n: number
  readonly act: string
  readonly role: Role
  readonly audit: NewAudit
}

/** In the transaction of the act. */
export function keepAudit(db: Database, { n, act, role, audit }: Audited): void {
  const { id, actor, reason, detail } = audit
  db.run(INSERT_AUDIT, idToBytes(id), db.now, actor, role, act, reason, detail, n)
}

const COLUMNS = 'SELECT id, at, actor, role, tenant, act, job, reason, detail FROM millrace_audit'
const BEFORE = '(at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT ?'

/** Each combination has an index that ends with the order of the page. */
export function listAudit(db: Database, { scope, jobId, limit, after }: AuditQuery): AuditPage {
  const place = auditPlace(after)
  if (place === null || scope.role === 'member' || (jobId !== null && !isId(jobId))) return { records: [], next: null }
  const { sql, values } = conditions(scope, jobId)
  const rows = db.all(`${COLUMNS} WHERE ${sql}${BEFORE}`, ...values, place.at, idToBytes(place.id), limit + 1)
  const records = rows.map((row) => auditRecordOf(row, { id: idFromBytes(row['id']), jobId: idFromBytes(row['job']) }))
  return auditPage(records, limit)
}

function conditions(
  scope: Exclude<Scope, { readonly role: 'member' }>,
  jobId: string | null,
): { readonly sql: string; readonly values: readonly SqlValue[] } {
  const ofJob = jobId === null ? '' : 'job = ? AND '
  const ofTenant = scope.role === 'operator' ? '' : 'tenant = ? AND '
  return {
    sql: ofJob + ofTenant,
    values: [...(jobId === null ? [] : [idToBytes(jobId)]), ...(scope.role === 'operator' ? [] : [scope.tenant])],
  }
}
