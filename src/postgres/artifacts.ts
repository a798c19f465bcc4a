import type { JobRow } from '../core/job-row.ts'
import type { Scope } from '../core/scope.ts'
import type { ArtifactRecord } from '../store/artifacts.ts'
import type { Row, RunRows } from './driver.ts'
import { scopedRow } from '../store/columns.ts'
import { artifactRecordOf } from '../store/records.ts'
import { hiddenFrom } from '../core/scope.ts'
import { isId } from '../store/ids.ts'

const JOB = 'SELECT generation, tenant, owner FROM millrace.jobs WHERE id = $1'
const COLUMNS =
  "SELECT a.id, a.job, a.generation, a.attempt, a.phase, a.name, a.content_type, a.size_bytes, encode(a.sha256, 'hex') AS sha256, a.path, " +
  'a.created_at, a.expires_at, j.tenant, j.owner FROM'
const JOB_OF = 'AS a JOIN millrace.jobs AS j ON j.id = a.job'
// OFFSET 0: looked for first, joined and put in order then, not the other way round.
const OF_JOB = `${COLUMNS} (SELECT * FROM millrace.artifacts WHERE job = $1 AND generation = $2 OFFSET 0) ${JOB_OF} ORDER BY a.n`
const BY_ID = `${COLUMNS} (SELECT * FROM millrace.artifacts WHERE id = $1 OFFSET 0) ${JOB_OF}`

export async function listArtifacts(
  run: RunRows,
  jobId: string,
  scope: Scope,
): Promise<readonly ArtifactRecord[] | 'not-found' | 'forbidden'> {
  const [job] = isId(jobId) ? await run(JOB, jobId) : []
  if (job === undefined) return 'not-found'
  const hidden = hiddenFrom(scope, scopedRow(job))
  return hidden ?? (await run(OF_JOB, jobId, Number(job['generation']))).map(artifactRecord)
}

export async function getArtifact(
  run: RunRows,
  id: string,
  scope: Scope,
): Promise<ArtifactRecord | 'not-found' | 'forbidden'> {
  const [row] = isId(id) ? await run(BY_ID, id) : []
  if (row === undefined) return 'not-found'
  return hiddenFrom(scope, scopedRow(row)) ?? artifactRecord(row)
}

const TAKE_ALONG =
  'UPDATE millrace.artifacts SET generation = $2 WHERE job = $1 AND generation = $2::integer - 1 AND phase = ANY($3::text[])'

/**
 * What phases wrote whose results are kept belongs to the new generation too. Through the index of a job's artifacts.
 *
 * @param job as it is, in a generation that has just begun
 */
export async function takeArtifactsAlong(
  run: RunRows,
  { id, generation, phase }: Pick<JobRow, 'id' | 'generation' | 'phase'>,
  phaseNames: readonly string[],
): Promise<void> {
  if (phase > 0) await run(TAKE_ALONG, id, generation, phaseNames.slice(0, phase))
}

function artifactRecord(row: Row): ArtifactRecord {
  return artifactRecordOf(row, { id: String(row['id']), jobId: String(row['job']), sha256: String(row['sha256']) })
}
