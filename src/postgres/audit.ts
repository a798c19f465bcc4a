import type { Role } from '../core/scope.ts'
import { auditPage, auditPlace } from '../store/audit.ts'
import type { AuditPage, AuditQuery, NewAudit } from '../store/audit.ts'
import { isId } from '../store/ids.ts'
import { auditRecordOf } from '../store/records.ts'
import type { Transaction } from './database.ts'
import type { PgValue, RunRows } from './driver.ts'

const KEEP_AUDIT =
  'INSERT INTO millrace.audit (at, id, actor, role, tenant, act, job, reason, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)'

export interface Audited {
  readonly job: string
  readonly tenant: string
  readonly act: string
  readonly role: Role
  readonly audit: NewAudit
}

/** In the transaction of the act. */
export async function keepAudit(tx: Transaction, { job, tenant, act, role, audit }: Audited): Promise<void> {
  const { id, actor, reason, detail } = audit
  await tx.rows(KEEP_AUDIT, tx.now, id, actor, role, tenant, act, job, reason, detail)
}

const COLUMNS = 'SELECT id, at, actor, role, tenant, act, job, reason, detail FROM millrace.audit'

/** Each combination has an index that ends with the order of the page. */
export async function listAudit(run: RunRows, { scope, jobId, limit, after }: AuditQuery): Promise<AuditPage> {
  const place = auditPlace(after)
  if (place === null || scope.role === 'member' || (jobId !== null && !isId(jobId))) return { records: [], next: null }
  const values: PgValue[] = [place.at, place.id, limit + 1]
  const conditions = ['(at, id) < ($1, $2)']
  if (jobId !== null) conditions.push(`job = $${values.push(jobId)}`)
  if (scope.role === 'admin') conditions.push(`tenant = $${values.push(scope.tenant)}`)
  const sql = `${COLUMNS} WHERE ${conditions.join(' AND ')} ORDER BY at DESC, id DESC LIMIT $3`
  const rows = await run(sql, ...values)
  const records = rows.map((row) => auditRecordOf(row, { id: String(row['id']), jobId: String(row['job']) }))
  return auditPage(records, limit)
}
