import type { QueueRecord } from '../store/queues.ts'
import type { Transaction } from './database.ts'
import { queueRecord } from '../store/records.ts'
import type { RunRows } from './driver.ts'

const PAUSE =
  'INSERT INTO millrace.queues AS q (name, paused_at, paused_by) VALUES ($2, $1, $3) ' +
  'ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at, paused_by = excluded.paused_by, resumed_at = NULL, resumed_by = NULL ' +
  'WHERE q.paused_at IS NULL RETURNING 1'
const RESUME =
  'UPDATE millrace.queues SET paused_at = NULL, paused_by = NULL, resumed_at = $1, resumed_by = $3 ' +
  'WHERE name = $2 AND paused_at IS NOT NULL RETURNING 1'
const QUEUES =
  'SELECT name, paused_at, paused_by, resumed_at, resumed_by FROM millrace.queues ORDER BY name COLLATE "C"'

export async function pauseQueue(tx: Transaction, name: string, actor: string): Promise<boolean> {
  return (await tx.rows(PAUSE, tx.now, name, actor)).length === 1
}

export async function resumeQueue(tx: Transaction, name: string, actor: string): Promise<boolean> {
  return (await tx.rows(RESUME, tx.now, name, actor)).length === 1
}

export async function listQueues(run: RunRows): Promise<readonly QueueRecord[]> {
  return (await run(QUEUES)).map(queueRecord)
}
