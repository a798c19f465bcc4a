import type { ProcessSpace } from '../core/process-death.ts'
import type { NewSession, ProcessSession, SessionRecord } from '../store/sessions.ts'
import type { Database } from './database.ts'
import { processSession, sessionRecord } from '../store/records.ts'

const INSERT_SESSION =
  'INSERT INTO millrace_sessions (holder, service, host, pid, boot_id, namespaces, start_tick, concurrency, lease_ms, started_at, ' +
  'beat_at, expires_at, types, version, epoch) ' +
  'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ifnull(?, (SELECT max(1, ifnull(max(epoch), 1)) FROM millrace_types)))'

export function openSession(db: Database, session: NewSession): void {
  const { holder, service, host, pid, concurrency, leaseMs, process, types = [], version = null, epoch = null } = session
  const { bootId, namespaces, startTick } = process ?? { bootId: null, namespaces: null, startTick: null }
  const who = [holder, service, host, pid, bootId, namespaces, startTick]
  const times = [db.now, db.now, db.now + leaseMs]
  db.run(INSERT_SESSION, ...who, concurrency, leaseMs, ...times, JSON.stringify(types), version, epoch)
}

const BEAT =
  'UPDATE millrace_sessions SET beat_at = ?, expires_at = ? + lease_ms, blocked_since = ? WHERE holder = ? AND ended_at IS NULL'

/**
 * False: the session was ended, and what it held is somebody else's. A lease that ran out while nobody looked is simply taken up again:
 * every job the session holds is still its own, or its claim would be gone.
 *
 * @param blockedMs for how long the event loop of its process has stood still; null: it turns
 */
export function beat(db: Database, holder: number, blockedMs: number | null = null): boolean {
  return db.run(BEAT, db.now, db.now, blockedMs === null ? null : db.now - blockedMs, holder) === 1
}

const END_SESSION = 'UPDATE millrace_sessions SET ended_at = ? WHERE holder = ? AND ended_at IS NULL'

export function endSession(db: Database, holder: number): void {
  db.run(END_SESSION, db.now, holder)
}

const SESSIONS =
  'SELECT s.service, s.host, s.pid, s.concurrency, s.started_at, s.beat_at, s.expires_at, s.ended_at, s.blocked_since, s.types, s.epoch, s.version, ' +
  '(SELECT count(*) FROM millrace_jobs AS j WHERE j.holder = s.holder) AS running FROM millrace_sessions AS s ORDER BY s.n'

export function listSessions(db: Database): readonly SessionRecord[] {
  return db.all(SESSIONS).map(sessionRecord)
}

/** Ended sessions are kept; the open ones stand in an index of their own. */
const OF_PROCESSES =
  'SELECT holder, pid, start_tick FROM millrace_sessions WHERE ended_at IS NULL AND boot_id = ? AND namespaces = ? AND host = ?'

export function sessionsOfProcesses(
  db: Database,
  { bootId, namespaces, host }: ProcessSpace & { readonly host: string },
): readonly ProcessSession[] {
  return db.all(OF_PROCESSES, bootId, namespaces, host).map(processSession)
}
