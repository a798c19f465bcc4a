/** What is written beside the rows of jobs, for many of them at once: events, attempts, results of phases, artifacts. */
import type { EventName } from '../core/events.ts'
import type { AttemptOutcome } from '../core/plan.ts'
import { EVENT_CODES, OUTCOME_CODES, STOPPED_BY_CODES } from '../store/codes.ts'
import type { StoppedBy } from '../store/attempt-stops.ts'
import type { NewArtifact } from '../store/claims.ts'
import type { Transaction } from './database.ts'
import { numberedSql } from './tell-sql.ts'

export interface NewEvent {
  readonly job: string
  readonly seq: number
  readonly event: EventName
  readonly attempt: number
  readonly detail: string | null
}

const TELL =
  'WITH told AS MATERIALIZED (SELECT * FROM json_to_recordset($2::json) AS v (idx integer, job uuid, seq integer, code smallint, ' +
  `attempt integer, detail text)), ${numberedSql('told')} ` +
  'INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt, detail) ' +
  'SELECT numbered.n, v.idx, v.job, v.seq, v.code, $1, v.attempt, v.detail FROM told AS v, numbered'

/** One event for each of many jobs, whose rows are locked. */
export async function writeEvents(tx: Transaction, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return
  const rows = events.map(({ event, ...rest }, idx) => ({ idx, ...rest, code: EVENT_CODES[event] }))
  await tx.rows(TELL, tx.now, JSON.stringify(rows))
}

export interface EndedAttempt {
  readonly job: string
  readonly attempt: number
  readonly generation: number
  readonly ends: AttemptOutcome | 'completed'
  readonly phase: string
  readonly progress: number
  readonly session: number | null
  readonly startedAt: number | null
  readonly endedAt: number
  readonly error: string | null
  /** What ended its code by then; null: it may still run. */
  readonly stoppedBy: StoppedBy | null
}

const KEEP_ATTEMPTS =
  'INSERT INTO millrace.attempts (job, attempt, generation, outcome, phase, progress, session, started_at, ended_at, error, stopped_at, stopped_by) ' +
  'SELECT v.job, v.attempt, v.generation, v.outcome, v.phase, v.progress, v.session, v."startedAt", v."endedAt", v.error, ' +
  'CASE WHEN v."stoppedBy" IS NOT NULL THEN v."endedAt" END, v."stoppedBy" ' +
  'FROM json_to_recordset($1::json) AS v (job uuid, attempt integer, generation integer, outcome smallint, phase text, ' +
  'progress double precision, session integer, "startedAt" bigint, "endedAt" bigint, error text, "stoppedBy" smallint)'

export async function keepAttempts(tx: Transaction, attempts: readonly EndedAttempt[]): Promise<void> {
  if (attempts.length === 0) return
  const rows = attempts.map(({ ends, stoppedBy, ...rest }) => ({
    ...rest,
    outcome: OUTCOME_CODES[ends],
    stoppedBy: stoppedBy === null ? null : STOPPED_BY_CODES[stoppedBy],
  }))
  await tx.rows(KEEP_ATTEMPTS, JSON.stringify(rows))
}

export interface FinishedPhase {
  readonly job: string
  readonly ordinal: number
  readonly generation: number
  readonly attempt: number
  readonly startedAt: number | null
  readonly result: string
}

const KEEP_PHASES =
  'INSERT INTO millrace.phases (job, ordinal, generation, attempt, started_at, finished_at, result) ' +
  'SELECT v.job, v.ordinal, v.generation, v.attempt, v."startedAt", $1, v.result FROM json_to_recordset($2::json) AS v ' +
  '(job uuid, ordinal integer, generation integer, attempt integer, "startedAt" bigint, result text)'

export async function keepPhases(tx: Transaction, phases: readonly FinishedPhase[]): Promise<void> {
  if (phases.length > 0) await tx.rows(KEEP_PHASES, tx.now, JSON.stringify(phases))
}

const DROP_PHASES = 'DELETE FROM millrace.phases WHERE job = $1 AND ordinal >= $2'

export async function dropPhasesFrom(tx: Transaction, job: string, ordinal: number): Promise<void> {
  await tx.rows(DROP_PHASES, job, ordinal)
}

export interface ArtifactOf {
  readonly job: string
  readonly generation: number
  readonly attempt: number
  readonly artifact: NewArtifact
}

/** An attempt that goes through a phase again replaces what an earlier one had written. */
const KEEP_ARTIFACT =
  'INSERT INTO millrace.artifacts (id, job, generation, attempt, phase, name, content_type, size_bytes, sha256, path, created_at, expires_at) ' +
  "VALUES ($2, $3, $4, $5, $6, $7, $8, $9, decode($10, 'hex'), $11, $1, $1 + $12::bigint) " +
  'ON CONFLICT (job, generation, name) DO UPDATE SET id = excluded.id, attempt = excluded.attempt, phase = excluded.phase, ' +
  'content_type = excluded.content_type, size_bytes = excluded.size_bytes, sha256 = excluded.sha256, path = excluded.path, ' +
  'created_at = excluded.created_at, expires_at = excluded.expires_at, n = DEFAULT'

export async function keepArtifact(tx: Transaction, { job, generation, attempt, artifact }: ArtifactOf): Promise<void> {
  const { id, phase, name, contentType, sizeBytes, sha256, path, expiresInMs } = artifact
  const values = [id, job, generation, attempt, phase, name, contentType, sizeBytes, sha256, path, expiresInMs]
  await tx.rows(KEEP_ARTIFACT, tx.now, ...values)
}
