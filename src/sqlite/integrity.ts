/** What is sound in the store and what is not. Everything is read in pages; each repair looks again in its own transaction. */
import { repairJob } from '../core/repair.ts'
import type { JobRepair } from '../core/repair.ts'
import { hiddenFrom } from '../core/scope.ts'
import type { Scope } from '../core/scope.ts'
import type { IssueCode } from '../core/validation.ts'
import { auditedJob } from '../store/audited-job.ts'
import { EVENT_CODES, OUTCOME_CODES, STATE_CODES } from '../store/codes.ts'
import { isId } from '../store/ids.ts'
import type { ArtifactPage, AuditPage, AuditedJob, Belonging, Page, StrayPage } from '../store/integrity.ts'
import { INPUT } from './bodies.ts'
import type { Database } from './database.ts'
import type { Row } from './driver.ts'
import { RUN_FIRST, RUN_LAST } from './event-lists.ts'
import { idFromBytes, idToBytes } from './ids.ts'
import { JOB_COLUMNS } from './rows.ts'

const FINAL_CODES = [EVENT_CODES['job:completed'], EVENT_CODES['job:failed'], EVENT_CODES['job:cancelled']].join(', ')
/** Only what stands in the very lists that a job's row names counts for it, and each of its places once. */
const TOLD =
  'SELECT seq, code FROM millrace_events WHERE job = j.n UNION ALL SELECT list.seq, list.code ' +
  'FROM json_each(json_array(j.created_in, j.started_in, j.completed_in)) AS t CROSS JOIN millrace_event_lists AS list ON list.position = t.value ' +
  `WHERE EXISTS (SELECT 1 FROM json_each(list.jobs) AS r WHERE j.n BETWEEN ${RUN_FIRST} AND ${RUN_LAST})`
const SUMMED = `json_array(count(DISTINCT seq), ifnull(max(seq), 0), sum(code IN (${FINAL_CODES})))`
const BESIDE =
  'EXISTS (SELECT 1 FROM millrace_types AS t WHERE t.n = j.type) AS has_type, ' +
  'EXISTS (SELECT 1 FROM millrace_lanes AS l WHERE l.n = j.lane) AS has_lane, ' +
  'EXISTS (SELECT 1 FROM millrace_lanes AS l CROSS JOIN millrace_queues AS q ON q.n = l.queue WHERE l.n = j.lane) AS has_queue, ' +
  'EXISTS (SELECT 1 FROM millrace_phase_lists AS p WHERE p.n = j.phase_list) AS has_phase_list, ' +
  `(j.input IS NOT NULL OR EXISTS (SELECT 1 FROM millrace_bodies AS b WHERE b.job = j.n AND b.kind = ${INPUT})) AS has_input, ` +
  '(SELECT count(*) FROM millrace_phases AS r WHERE r.job = j.n) AS results'
const AUDIT = `SELECT ${JOB_COLUMNS}, ${BESIDE}, (SELECT ${SUMMED} FROM (${TOLD}) AS e) AS told FROM millrace_jobs AS j`
const AUDIT_PAGE = `${AUDIT} WHERE j.n > ? ORDER BY j.n LIMIT ?`
const AUDIT_ONE = `${AUDIT} WHERE j.id = ?`

function audited(row: Row): AuditedJob {
  const [events, last, finals] = JSON.parse(String(row['told'])) as (number | null)[]
  const counted = { ...row, events, last_seq: last, finals: finals ?? 0 }
  return auditedJob(counted, { id: idFromBytes(row['id']), suspect: row['suspect'] === 1 })
}

export function auditJobs(db: Database, { after, limit }: Page): AuditPage {
  const rows = db.all(AUDIT_PAGE, Number(after ?? 0), limit)
  return { jobs: rows.map(audited), next: rows.length < limit ? null : `${Number(rows.at(-1)?.['n'])}` }
}

export function auditJob(db: Database, id: string, scope: Scope): AuditedJob | 'not-found' | 'forbidden' {
  const row = isId(id) ? db.get(AUDIT_ONE, idToBytes(id)) : undefined
  if (row === undefined) return 'not-found'
  const job = audited(row)
  return hiddenFrom(scope, job) ?? job
}

const PUT_RIGHT =
  'UPDATE millrace_jobs SET state = ?, progress = ?, holder = ?, fence = ?, deadline_at = ?, finished_at = ?, cancel_requested_at = ?, ' +
  'cancelled_by = ?, cancel_reason = ?, event_seq = ?, updated_at = ? WHERE n = ?'
const TELL = 'INSERT INTO millrace_events (job, seq, code, at, attempt, detail) VALUES (?, ?, ?, ?, ?, ?)'
const END_ATTEMPT =
  'INSERT INTO millrace_attempts (job, attempt, generation, outcome, phase, progress, session, started_at, ended_at, error) ' +
  "SELECT n, attempt, generation, ?, ifnull((SELECT names ->> ('$[' || min(phase, phase_count - 1) || ']') FROM millrace_phase_lists WHERE n = phase_list), ''), " +
  'progress, session, started_at, ?, NULL FROM millrace_jobs WHERE n = ? AND started_at IS NOT NULL ON CONFLICT DO NOTHING'

export function repairStoredJob(db: Database, id: string): readonly IssueCode[] {
  const row = isId(id) ? db.get(AUDIT_ONE, idToBytes(id)) : undefined
  const repair = row === undefined ? null : repairJob(audited(row), db.now)
  if (row === undefined || repair === null || repair.fixed.length === 0) return []
  const n = Number(row['n'])
  if (repair.endsAttempt) db.run(END_ATTEMPT, OUTCOME_CODES.lost, db.now, n)
  putRight(db, n, repair)
  return repair.fixed
}

function putRight(db: Database, n: number, { row, event }: JobRepair): void {
  const { state, progress, holder, fence, deadlineAt, finishedAt, eventSeq } = row
  const { cancelRequestedAt, cancelledBy, cancelReason } = row
  const ends = [deadlineAt, finishedAt, cancelRequestedAt, cancelledBy, cancelReason]
  db.run(PUT_RIGHT, STATE_CODES[state], progress, holder, fence, ...ends, eventSeq, db.now, n)
  if (event === null) return
  const detail = event === 'job:queued' ? { cause: 'repair' } : { cancelledBy, reason: cancelReason }
  db.run(TELL, n, eventSeq, EVENT_CODES[event], db.now, row.attempt, JSON.stringify(detail))
}

const TABLES: Readonly<Record<Exclude<Belonging, 'key'>, string>> = {
  body: 'millrace_bodies',
  label: 'millrace_labels',
  phase: 'millrace_phases',
  attempt: 'millrace_attempts',
  event: 'millrace_events',
  artifact: 'millrace_artifacts',
  entity: 'millrace_entities',
}

/** The event that tells of a deletion outlives its job. */
function isLost(belonging: Belonging): string {
  const gone = 'NOT EXISTS (SELECT 1 FROM millrace_jobs AS j WHERE j.n = s.job)'
  return belonging === 'event'
    ? `${gone} AND NOT EXISTS (SELECT 1 FROM millrace_deleted_jobs AS d WHERE d.position = s.position)`
    : gone
}

const KEYS =
  'SELECT k.tenant, k.type, k.key, k.held_until <= ? AND NOT EXISTS (SELECT 1 FROM millrace_jobs AS j WHERE j.id = k.job) AS lost ' +
  'FROM millrace_keys AS k WHERE (k.tenant, k.type, k.key) > (?, ?, ?) ORDER BY k.tenant, k.type, k.key LIMIT ?'

export function findStrays(db: Database, belonging: Belonging, { after, limit }: Page): StrayPage {
  if (belonging === 'key') return strayKeys(db, { after, limit })
  const table = TABLES[belonging]
  // Job by job through the index that begins with it, as many as are asked for.
  const jobs = db.all(
    `SELECT job FROM ${table} WHERE job > ? GROUP BY job ORDER BY job LIMIT ?`,
    Number(after ?? -1),
    limit,
  )
  const [first, last] = [jobs[0]?.['job'] ?? null, jobs.at(-1)?.['job'] ?? null]
  const lost = db.all(
    `SELECT DISTINCT s.job AS job FROM ${table} AS s WHERE s.job BETWEEN ? AND ? AND ${isLost(belonging)} ORDER BY s.job`,
    first,
    last,
  )
  return {
    strays: lost.map((row) => String(row['job'])),
    next: jobs.length < limit ? null : String(last),
  }
}

function strayKeys(db: Database, { after, limit }: Page): StrayPage {
  const [tenant, type, key] = (after === null ? ['', 0, ''] : JSON.parse(after)) as [string, number, string]
  const rows = db.all(KEYS, db.readClock(), tenant, type, key, limit)
  const nameOf = (row: Row): string => JSON.stringify([row['tenant'], row['type'], row['key']])
  const last = rows.at(-1)
  return {
    strays: rows.filter((row) => row['lost'] === 1).map(nameOf),
    next: rows.length < limit || last === undefined ? null : nameOf(last),
  }
}

const DROP_KEY =
  'DELETE FROM millrace_keys WHERE tenant = ? AND type = ? AND key = ? AND held_until <= ? ' +
  'AND NOT EXISTS (SELECT 1 FROM millrace_jobs AS j WHERE j.id = millrace_keys.job)'

export function dropStrays(db: Database, belonging: Belonging, strays: readonly string[]): number {
  if (belonging === 'key') {
    return strays.reduce((sum, stray) => {
      const [tenant, type, key] = JSON.parse(stray) as [string, number, string]
      return sum + db.run(DROP_KEY, tenant, type, key, db.now)
    }, 0)
  }
  const sql = `DELETE FROM ${TABLES[belonging]} AS s WHERE s.job = ? AND ${isLost(belonging)}`
  return strays.reduce((sum, stray) => sum + db.run(sql, Number(stray)), 0)
}

const ARTIFACTS =
  'SELECT a.n, a.id, a.path, a.size_bytes, lower(hex(a.sha256)) AS sha256, j.id AS job FROM millrace_artifacts AS a JOIN millrace_jobs AS j ON j.n = a.job ' +
  'WHERE a.n > ? AND (a.expires_at IS NULL OR a.expires_at > ?) ORDER BY a.n LIMIT ?'

export function keptArtifacts(db: Database, { after, limit }: Page): ArtifactPage {
  const rows = db.all(ARTIFACTS, Number(after ?? 0), db.readClock(), limit)
  return {
    artifacts: rows.map((row) => ({
      id: idFromBytes(row['id']),
      jobId: idFromBytes(row['job']),
      path: String(row['path']),
      sizeBytes: Number(row['size_bytes']),
      sha256: String(row['sha256']),
    })),
    next: rows.length < limit ? null : `${Number(rows.at(-1)?.['n'])}`,
  }
}
