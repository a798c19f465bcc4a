import type { Claim } from '../core/job-row.ts'
import type { Interruption } from '../store/claims.ts'
import type { Database } from './database.ts'
import { idToBytes } from './ids.ts'
import { nullableText } from '../store/columns.ts'

const HELD = 'SELECT holder, fence, cancel_requested_at, cancelled_by, cancel_reason FROM millrace_jobs WHERE id = ?'

/** Looks up each claim by the job's id: as many look-ups as the session has slots. */
export function findInterruptions(db: Database, held: readonly Claim[]): readonly Interruption[] {
  return held.flatMap(({ jobId, holder, fence }): readonly Interruption[] => {
    const row = db.get(HELD, idToBytes(jobId))
    if (row === undefined || row['holder'] !== holder || row['fence'] !== fence) {
      return [{ jobId, fence, kind: 'lease-lost', cancelledBy: null, reason: null }]
    }
    if (row['cancel_requested_at'] === null) return []
    const cancelledBy = nullableText(row['cancelled_by'])
    return [{ jobId, fence, kind: 'cancel', cancelledBy, reason: nullableText(row['cancel_reason']) }]
  })
}
