import type { QueueRecord } from '../store/queues.ts'
import type { Database } from './database.ts'
import { queueRecord } from '../store/records.ts'

const PAUSE =
  'INSERT INTO millrace_queues (name, paused_at, paused_by) VALUES (?, ?, ?) ' +
  'ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at, paused_by = excluded.paused_by, resumed_at = NULL, resumed_by = NULL ' +
  'WHERE paused_at IS NULL'
const RESUME =
  'UPDATE millrace_queues SET paused_at = NULL, paused_by = NULL, resumed_at = ?, resumed_by = ? WHERE name = ? AND paused_at IS NOT NULL'
const QUEUES = 'SELECT name, paused_at, paused_by, resumed_at, resumed_by FROM millrace_queues ORDER BY name'

export function pauseQueue(db: Database, name: string, actor: string): boolean {
  return db.run(PAUSE, name, db.now, actor) === 1
}

export function resumeQueue(db: Database, name: string, actor: string): boolean {
  return db.run(RESUME, db.now, actor, name) === 1
}

export function listQueues(db: Database): readonly QueueRecord[] {
  return db.all(QUEUES).map(queueRecord)
}
