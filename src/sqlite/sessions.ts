import { DEFAULTS } from '../core/limits.ts'
import type { ProcessSpace } from '../core/process-death.ts'
import type { WriteByHand } from '../store/claims.ts'
import type { LockHolder, NewLock, NewSession, ProcessSession, SessionRecord } from '../store/sessions.ts'
import type { Database } from './database.ts'
import { lockHolder, processSession, sessionRecord } from '../store/records.ts'

const INSERT_SESSION =
  'INSERT INTO millrace_sessions (holder, service, host, pid, boot_id, namespaces, start_tick, concurrency, lease_ms, started_at, ' +
  'beat_at, expires_at, types, version, epoch) ' +
  'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ifnull(?, (SELECT max(1, ifnull(max(epoch), 1)) FROM millrace_types)))'

export function openSession(db: Database, session: NewSession): void {
  const {
    holder,
    service,
    host,
    pid,
    concurrency,
    leaseMs,
    process,
    types = [],
    version = null,
    epoch = null,
  } = session
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

const DRAIN_SESSION =
  'UPDATE millrace_sessions SET draining_since = ? WHERE holder = ? AND ended_at IS NULL AND draining_since IS NULL'

export function drainSession(db: Database, holder: number): void {
  db.run(DRAIN_SESSION, db.now, holder)
}

const END_SESSION = 'UPDATE millrace_sessions SET ended_at = ? WHERE holder = ? AND ended_at IS NULL'

export function endSession(db: Database, holder: number): void {
  db.run(END_SESSION, db.now, holder)
}

const SESSIONS =
  'SELECT s.service, s.host, s.pid, s.concurrency, s.started_at, s.beat_at, s.expires_at, s.ended_at, s.blocked_since, s.draining_since, s.types, s.epoch, s.version, ' +
  '(SELECT count(*) FROM millrace_jobs AS j WHERE j.holder = s.holder) AS running FROM millrace_sessions AS s WHERE s.hand IS NULL ORDER BY s.n'

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

const HOLDER =
  'SELECT hand, service, host, pid, started_at, expires_at FROM millrace_sessions WHERE holder = ? AND ended_at IS NULL'

export function sessionHolder(db: Database, holder: number): LockHolder | null {
  const row = db.get(HOLDER, holder)
  return row === undefined ? null : lockHolder(row)
}

const INSERT_LOCK =
  'INSERT INTO millrace_sessions (holder, service, host, pid, concurrency, lease_ms, started_at, beat_at, expires_at, hand) ' +
  'VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?)'

/** The integer key of the session that the lock is. */
export function openLock(db: Database, { holder, service, host, pid, by }: NewLock, lockMs: number): number {
  return db.insert(INSERT_LOCK, holder, service, host, pid, lockMs, db.now, db.now, db.now + lockMs, by)
}

const EXTEND_LOCK =
  'UPDATE millrace_sessions SET beat_at = ?1, expires_at = max(expires_at, ?1 + ifnull(?2, min(lease_ms, ?3))) ' +
  'WHERE holder = ?4 AND ended_at IS NULL AND hand IS NOT NULL'

/** A lock only ever lasts longer. */
export function extendLock(db: Database, holder: number, { lockMs }: WriteByHand): void {
  db.run(EXTEND_LOCK, db.now, lockMs, DEFAULTS.lockWriteMs, holder)
}

const END_LOCK = 'UPDATE millrace_sessions SET ended_at = ? WHERE holder = ? AND ended_at IS NULL AND hand IS NOT NULL'

export function endLock(db: Database, holder: number): void {
  db.run(END_LOCK, db.now, holder)
}
