import type { Claim } from '../core/job-row.ts'
import type { Interruption } from '../store/claims.ts'
import { nullableText } from '../store/columns.ts'
import type { RunRows } from './driver.ts'

/** Those of the claims that are not current, or whose job is to stop, in the order they were named; most of the time none. */
const INTERRUPTIONS =
  'SELECT v.job, v.fence, j.cancel_requested_at IS NOT NULL AND j.holder = v.holder AND j.fence = v.fence AS cancel, j.cancelled_by, j.cancel_reason ' +
  'FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS v (job, holder, fence, place) LEFT JOIN LATERAL ' +
  '(SELECT * FROM millrace.jobs AS i WHERE i.id = v.job OFFSET 0) AS j ON true ' +
  'WHERE j.holder IS DISTINCT FROM v.holder OR j.fence IS DISTINCT FROM v.fence OR j.cancel_requested_at IS NOT NULL ORDER BY v.place'

export async function findInterruptions(run: RunRows, held: readonly Claim[]): Promise<readonly Interruption[]> {
  if (held.length === 0) return []
  const rows = await run(
    INTERRUPTIONS,
    held.map(({ jobId }) => jobId),
    held.map(({ holder }) => holder),
    held.map(({ fence }) => fence),
  )
  return rows.map((row): Interruption => {
    const jobId = String(row['job'])
    const fence = Number(row['fence'])
    if (row['cancel'] !== true) return { jobId, fence, kind: 'lease-lost', cancelledBy: null, reason: null }
    const cancelledBy = nullableText(row['cancelled_by'])
    return { jobId, fence, kind: 'cancel', cancelledBy, reason: nullableText(row['cancel_reason']) }
  })
}
