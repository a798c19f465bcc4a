import type { StopNote } from '../store/attempt-stops.ts'
import { STOPPED_BY_CODES } from '../store/codes.ts'
import type { Transaction } from './database.ts'

/** Of the attempt's own session, and once. The row is found by its key. */
const NOTE_STOP =
  'UPDATE millrace.attempts SET stopped_at = $1, stopped_by = $2 WHERE job = $3 AND attempt = $4 AND stopped_at IS NULL ' +
  'AND session = (SELECT n FROM millrace.sessions WHERE holder = $5) RETURNING 1 AS noted'

export async function noteStop(tx: Transaction, { jobId, attempt, holder, stoppedBy }: StopNote): Promise<boolean> {
  const noted = await tx.rows(NOTE_STOP, tx.now, STOPPED_BY_CODES[stoppedBy], jobId, attempt, holder)
  return noted.length === 1
}
