/** Rows as the port's records, whose columns all stores name alike. */
import type { Role } from '../core/scope.ts'
import type { ArtifactRecord } from './artifacts.ts'
import type { AuditRecord } from './audit.ts'
import { outcomeOf, stoppedByOf } from './codes.ts'
import { nullableNumber, nullableText } from './columns.ts'
import type { Columns } from './columns.ts'
import type { FinishedPhase } from './job-details.ts'
import type { RefusalRecord, StoredType, TransferRecord, TypeRecord } from './job-types.ts'
import type { AttemptRecord, WorkerIdentity } from './jobs.ts'
import { decodePolicy } from './policy-text.ts'
import type { QueueRecord } from './queues.ts'
import type { LockHolder, ProcessSession, SessionRecord } from './sessions.ts'

export function finishedPhase(row: Columns): FinishedPhase {
  return {
    generation: Number(row['generation']),
    attempt: Number(row['attempt']),
    startedAt: nullableNumber(row['started_at']),
    finishedAt: nullableNumber(row['finished_at']),
    result: nullableText(row['result']),
  }
}

export function endedAttempt(row: Columns): AttemptRecord {
  return {
    attempt: Number(row['attempt']),
    generation: Number(row['generation']),
    startedAt: Number(row['started_at']),
    endedAt: Number(row['ended_at']),
    outcome: outcomeOf(row['outcome']),
    phase: String(row['phase']),
    progress: Number(row['progress']),
    error: nullableText(row['error']),
    stoppedAt: nullableNumber(row['stopped_at']),
    stoppedBy: row['stopped_by'] === null ? null : stoppedByOf(row['stopped_by']),
    worker: workerIdentity(row),
  }
}

/** Null: nobody. */
export function workerIdentity(row: Columns): WorkerIdentity | null {
  if (typeof row['worker_service'] !== 'string') return null
  return { service: row['worker_service'], host: String(row['host']), pid: Number(row['pid']) }
}

export function sessionRecord(row: Columns): SessionRecord {
  return {
    service: String(row['service']),
    host: String(row['host']),
    pid: Number(row['pid']),
    concurrency: Number(row['concurrency']),
    startedAt: Number(row['started_at']),
    beatAt: Number(row['beat_at']),
    expiresAt: Number(row['expires_at']),
    endedAt: nullableNumber(row['ended_at']),
    blockedSince: nullableNumber(row['blocked_since']),
    drainingSince: nullableNumber(row['draining_since']),
    running: Number(row['running']),
    types: namesOf(row['types']),
    epoch: Number(row['epoch']),
    version: nullableText(row['version']),
  }
}

export function processSession(row: Columns): ProcessSession {
  return { holder: Number(row['holder']), pid: Number(row['pid']), startTick: Number(row['start_tick']) }
}

export function lockHolder(row: Columns): LockHolder {
  return {
    by: nullableText(row['hand']),
    service: String(row['service']),
    host: String(row['host']),
    pid: Number(row['pid']),
    since: Number(row['started_at']),
    expiresAt: Number(row['expires_at']),
  }
}

/** Names that are kept as one text, JSON. */
function namesOf(column: unknown): readonly string[] {
  const names: unknown = JSON.parse(String(column))
  return Array.isArray(names) ? names.map(String) : []
}

export function typeRecord(row: Columns): TypeRecord {
  return {
    type: String(row['name']),
    service: nullableText(row['service']),
    queue: String(row['queue']),
    policy: decodePolicy(String(row['policy'])),
    registeredAt: nullableNumber(row['registered_at']),
    epoch: Number(row['epoch']),
    ownedSince: nullableNumber(row['owned_since']),
    transfer: transferRecord(row),
  }
}

/** Null: it was never handed over. */
function transferRecord(row: Columns): TransferRecord | null {
  if (typeof row['transferred_from'] !== 'string') return null
  const reason = nullableText(row['transfer_reason'])
  return { from: row['transferred_from'], by: String(row['transferred_by']), reason }
}

export function refusalRecord(row: Columns): RefusalRecord {
  return { type: String(row['type']), service: String(row['service']), refusedAt: Number(row['refused_at']) }
}

export function storedType(row: Columns): StoredType {
  const policyText = String(row['policy'])
  return {
    n: Number(row['n']),
    name: String(row['name']),
    service: nullableText(row['service']),
    queue: String(row['queue']),
    policy: decodePolicy(policyText),
    policyText,
  }
}

export function queueRecord(row: Columns): QueueRecord {
  return {
    name: String(row['name']),
    pausedAt: nullableNumber(row['paused_at']),
    pausedBy: nullableText(row['paused_by']),
    resumedAt: nullableNumber(row['resumed_at']),
    resumedBy: nullableText(row['resumed_by']),
  }
}

/** Ids and hashes are kept by each database in a way of its own. */
export function artifactRecordOf(row: Columns, own: Pick<ArtifactRecord, 'id' | 'jobId' | 'sha256'>): ArtifactRecord {
  return {
    ...own,
    generation: Number(row['generation']),
    attempt: Number(row['attempt']),
    phase: String(row['phase']),
    name: String(row['name']),
    contentType: String(row['content_type']),
    sizeBytes: Number(row['size_bytes']),
    path: String(row['path']),
    createdAt: Number(row['created_at']),
    expiresAt: nullableNumber(row['expires_at']),
  }
}

/** Ids are kept by each database in a way of its own. */
export function auditRecordOf(row: Columns, own: Pick<AuditRecord, 'id' | 'jobId'>): AuditRecord {
  return {
    ...own,
    at: Number(row['at']),
    actor: String(row['actor']),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else is ever written
    role: String(row['role']) as Role,
    tenant: String(row['tenant']),
    act: String(row['act']),
    reason: nullableText(row['reason']),
    detail: nullableText(row['detail']),
  }
}
