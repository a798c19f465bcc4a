import type { StopNote } from '../store/attempt-stops.ts'
import { STOPPED_BY_CODES } from '../store/codes.ts'
import type { Database } from './database.ts'
import { idToBytes } from './ids.ts'

/** Of the attempt's own session, and once. The row is found by its key. */
const NOTE_STOP =
  'UPDATE millrace_attempts SET stopped_at = ?, stopped_by = ? WHERE job = (SELECT n FROM millrace_jobs WHERE id = ?) AND attempt = ? ' +
  'AND stopped_at IS NULL AND session = (SELECT n FROM millrace_sessions WHERE holder = ?)'

export function noteStop(db: Database, { jobId, attempt, holder, stoppedBy }: StopNote): boolean {
  return db.run(NOTE_STOP, db.now, STOPPED_BY_CODES[stoppedBy], idToBytes(jobId), attempt, holder) === 1
}
