import type { NewSession, SessionRecord } from '../store/sessions.ts'
import type { Database } from './database.ts'
import { sessionRecord } from '../store/records.ts'

const INSERT_SESSION =
  'INSERT INTO millrace_sessions (holder, service, host, pid, concurrency, lease_ms, started_at, beat_at, expires_at) ' +
  'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'

export function openSession(db: Database, { holder, service, host, pid, concurrency, leaseMs }: NewSession): void {
  db.run(INSERT_SESSION, holder, service, host, pid, concurrency, leaseMs, db.now, db.now, db.now + leaseMs)
}

const BEAT = 'UPDATE millrace_sessions SET beat_at = ?, expires_at = ? + lease_ms WHERE holder = ? AND ended_at IS NULL'

/**
 * False: the session was ended, and what it held is somebody else's. A lease that ran out while nobody looked is simply taken up again:
 * every job the session holds is still its own, or its claim would be gone.
 */
export function beat(db: Database, holder: number): boolean {
  return db.run(BEAT, db.now, db.now, holder) === 1
}

const END_SESSION = 'UPDATE millrace_sessions SET ended_at = ? WHERE holder = ? AND ended_at IS NULL'

export function endSession(db: Database, holder: number): void {
  db.run(END_SESSION, db.now, holder)
}

const SESSIONS =
  'SELECT s.service, s.host, s.pid, s.concurrency, s.started_at, s.beat_at, s.expires_at, s.ended_at, ' +
  '(SELECT count(*) FROM millrace_jobs AS j WHERE j.holder = s.holder) AS running FROM millrace_sessions AS s ORDER BY s.n'

export function listSessions(db: Database): readonly SessionRecord[] {
  return db.all(SESSIONS).map(sessionRecord)
}
