import { DEFAULTS } from '../core/limits.ts'
import type { ProcessSpace } from '../core/process-death.ts'
import type { LockHolder, NewLock, NewSession, ProcessSession, SessionRecord } from '../store/sessions.ts'
import { NOW } from './database.ts'
import type { Transaction } from './database.ts'
import { lockHolder, processSession, sessionRecord } from '../store/records.ts'
import type { RunRows } from './driver.ts'

// Made again after a lost answer it changes nothing.
const OPEN =
  `WITH clock AS (SELECT ${NOW} AS now) INSERT INTO millrace.sessions (holder, service, host, pid, concurrency, lease_ms, boot_id, namespaces, start_tick, ` +
  'types, version, epoch, started_at, beat_at, expires_at) SELECT $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, ' +
  'coalesce($13::integer, (SELECT greatest(max(epoch), 1) FROM millrace.types)), now, now, now + $7 FROM clock ON CONFLICT (holder) DO NOTHING'

export async function openSession(run: RunRows, now: number | null, session: NewSession): Promise<void> {
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
  const marks = [bootId, namespaces, startTick]
  await run(
    OPEN,
    now,
    holder,
    service,
    host,
    pid,
    concurrency,
    leaseMs,
    ...marks,
    JSON.stringify(types),
    version,
    epoch,
  )
}

/**
 * None of the rows: the session was ended, and what it held is somebody else's. A lease that ran out while nobody looked is simply taken up
 * again: every job the session holds is still its own, or its claim would be gone.
 */
const BEAT =
  `WITH clock AS (SELECT ${NOW} AS now) UPDATE millrace.sessions SET beat_at = now, expires_at = now + lease_ms, blocked_since = now - $3 FROM clock ` +
  'WHERE holder = $2 AND ended_at IS NULL RETURNING 1 AS alive'

/** @param blockedMs for how long the event loop of its process has stood still; null: it turns */
export async function beat(
  run: RunRows,
  now: number | null,
  holder: number,
  blockedMs: number | null = null,
): Promise<boolean> {
  return (await run(BEAT, now, holder, blockedMs)).length === 1
}

const DRAIN = `UPDATE millrace.sessions SET draining_since = ${NOW} WHERE holder = $2 AND ended_at IS NULL AND draining_since IS NULL`

export async function drainSession(run: RunRows, now: number | null, holder: number): Promise<void> {
  await run(DRAIN, now, holder)
}

const END = `UPDATE millrace.sessions SET ended_at = ${NOW} WHERE holder = $2 AND ended_at IS NULL`

export async function endSession(run: RunRows, now: number | null, holder: number): Promise<void> {
  await run(END, now, holder)
}

const SESSIONS =
  'SELECT s.service, s.host, s.pid, s.concurrency, s.started_at, s.beat_at, s.expires_at, s.ended_at, s.blocked_since, s.draining_since, s.types, s.epoch, s.version, ' +
  '(SELECT count(*) FROM millrace.jobs AS j WHERE j.holder = s.holder) AS running FROM millrace.sessions AS s WHERE s.hand IS NULL ORDER BY s.n'

export async function listSessions(run: RunRows): Promise<readonly SessionRecord[]> {
  return (await run(SESSIONS)).map(sessionRecord)
}

const OF_PROCESSES =
  'SELECT holder, pid, start_tick FROM millrace.sessions WHERE ended_at IS NULL AND boot_id = $1 AND namespaces = $2 AND host = $3'

export async function sessionsOfProcesses(
  run: RunRows,
  { bootId, namespaces, host }: ProcessSpace & { readonly host: string },
): Promise<readonly ProcessSession[]> {
  return (await run(OF_PROCESSES, bootId, namespaces, host)).map(processSession)
}

const HOLDER =
  'SELECT hand, service, host, pid, started_at, expires_at FROM millrace.sessions WHERE holder = $1 AND ended_at IS NULL'

export async function sessionHolder(run: RunRows, holder: number): Promise<LockHolder | null> {
  const [row] = await run(HOLDER, holder)
  return row === undefined ? null : lockHolder(row)
}

const OPEN_LOCK =
  'INSERT INTO millrace.sessions (holder, service, host, pid, concurrency, lease_ms, started_at, beat_at, expires_at, hand) ' +
  'VALUES ($2, $3, $4, $5, 1, $6, $1, $1, $1 + $6::bigint, $7) RETURNING n'

/** The number of the session that the lock is. */
export async function openLock(tx: Transaction, lock: NewLock, lockMs: number): Promise<number> {
  const { holder, service, host, pid, by } = lock
  const [row] = await tx.rows(OPEN_LOCK, tx.now, holder, service, host, pid, lockMs, by)
  return Number(row?.['n'])
}

/** What has become of a lock with a write under it. */
export interface LockWrite {
  readonly holder: number
  /** The attempt is over. */
  readonly over: boolean
  readonly lockMs: number | null
}

/** A lock only ever lasts longer, until the attempt is over. */
const KEEP_LOCKS =
  'UPDATE millrace.sessions AS s SET beat_at = $1, ended_at = CASE WHEN v.over THEN $1::bigint END, ' +
  'expires_at = greatest(s.expires_at, $1 + coalesce(v."lockMs", least(s.lease_ms, $3))) ' +
  'FROM json_to_recordset($2::json) AS v (holder bigint, over boolean, "lockMs" bigint) ' +
  'WHERE s.holder = v.holder AND s.ended_at IS NULL AND s.hand IS NOT NULL'

export async function keepLocks(tx: Transaction, writes: readonly LockWrite[]): Promise<void> {
  if (writes.length > 0) await tx.rows(KEEP_LOCKS, tx.now, JSON.stringify(writes), DEFAULTS.lockWriteMs)
}
