import type { Scope } from '../core/scope.ts'
import type { ArtifactRecord } from '../store/artifacts.ts'
import type { Database } from './database.ts'
import type { Row } from './driver.ts'
import { idFromBytes, idToBytes } from './ids.ts'
import { scopedRow } from '../store/columns.ts'
import { artifactRecordOf } from '../store/records.ts'
import { hiddenFrom } from '../core/scope.ts'
import { isId } from '../store/ids.ts'

const JOB = 'SELECT n, generation, tenant, owner FROM millrace_jobs WHERE id = ?'
const COLUMNS =
  'SELECT a.id, a.generation, a.attempt, a.phase, a.name, a.content_type, a.size_bytes, a.sha256, a.path, a.created_at, a.expires_at, ' +
  'j.id AS job_id, j.tenant, j.owner FROM millrace_artifacts AS a JOIN millrace_jobs AS j ON j.n = a.job'
const OF_JOB = `${COLUMNS} WHERE a.job = ? AND a.generation = ? ORDER BY a.n`
const BY_ID = `${COLUMNS} WHERE a.id = ?`

export function listArtifacts(
  db: Database,
  jobId: string,
  scope: Scope,
): readonly ArtifactRecord[] | 'not-found' | 'forbidden' {
  const job = isId(jobId) ? db.get(JOB, idToBytes(jobId)) : undefined
  if (job === undefined) return 'not-found'
  const hidden = hiddenFrom(scope, scopedRow(job))
  return hidden ?? db.all(OF_JOB, job['n'] ?? null, job['generation'] ?? null).map(artifactRecord)
}

export function getArtifact(db: Database, id: string, scope: Scope): ArtifactRecord | 'not-found' | 'forbidden' {
  const row = isId(id) ? db.get(BY_ID, idToBytes(id)) : undefined
  if (row === undefined) return 'not-found'
  return hiddenFrom(scope, scopedRow(row)) ?? artifactRecord(row)
}

const TAKE_ALONG =
  'UPDATE millrace_artifacts SET generation = ?1 WHERE job = ?2 AND generation = ?1 - 1 AND phase IN (SELECT value FROM json_each(?3))'

/**
 * What phases wrote whose results are kept belongs to the new generation too. Through the index of a job's artifacts.
 *
 * @param row the job as it is, in a generation that has just begun
 */
export function takeArtifactsAlong(db: Database, row: Row): void {
  const { n = null, generation = null } = row
  const kept = db.phaseNames(Number(row['phase_list'])).slice(0, Number(row['phase']))
  if (kept.length > 0) db.run(TAKE_ALONG, generation, n, JSON.stringify(kept))
}

function artifactRecord(row: Row): ArtifactRecord {
  const sha256 = Buffer.from(row['sha256'] as Uint8Array).toString('hex')
  return artifactRecordOf(row, { id: idFromBytes(row['id']), jobId: idFromBytes(row['job_id']), sha256 })
}
