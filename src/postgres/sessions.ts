import type { NewSession, SessionRecord } from '../store/sessions.ts'
import { NOW } from './database.ts'
import { sessionRecord } from '../store/records.ts'
import type { RunRows } from './driver.ts'

// Made again after a lost answer it changes nothing.
const OPEN =
  `WITH clock AS (SELECT ${NOW} AS now) INSERT INTO millrace.sessions (holder, service, host, pid, concurrency, lease_ms, started_at, beat_at, expires_at) ` +
  'SELECT $2, $3, $4, $5, $6, $7, now, now, now + $7 FROM clock ON CONFLICT (holder) DO NOTHING'

export async function openSession(run: RunRows, now: number | null, session: NewSession): Promise<void> {
  const { holder, service, host, pid, concurrency, leaseMs } = session
  await run(OPEN, now, holder, service, host, pid, concurrency, leaseMs)
}

/**
 * None of the rows: the session was ended, and what it held is somebody else's. A lease that ran out while nobody looked is simply taken up
 * again: every job the session holds is still its own, or its claim would be gone.
 */
const BEAT =
  `WITH clock AS (SELECT ${NOW} AS now) UPDATE millrace.sessions SET beat_at = now, expires_at = now + lease_ms FROM clock ` +
  'WHERE holder = $2 AND ended_at IS NULL RETURNING 1 AS alive'

export async function beat(run: RunRows, now: number | null, holder: number): Promise<boolean> {
  return (await run(BEAT, now, holder)).length === 1
}

const END = `UPDATE millrace.sessions SET ended_at = ${NOW} WHERE holder = $2 AND ended_at IS NULL`

export async function endSession(run: RunRows, now: number | null, holder: number): Promise<void> {
  await run(END, now, holder)
}

const SESSIONS =
  'SELECT s.service, s.host, s.pid, s.concurrency, s.started_at, s.beat_at, s.expires_at, s.ended_at, ' +
  '(SELECT count(*) FROM millrace.jobs AS j WHERE j.holder = s.holder) AS running FROM millrace.sessions AS s ORDER BY s.n'

export async function listSessions(run: RunRows): Promise<readonly SessionRecord[]> {
  return (await run(SESSIONS)).map(sessionRecord)
}
