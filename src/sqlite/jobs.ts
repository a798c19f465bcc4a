/** Reading jobs. */
import { phaseState } from '../core/phases.ts'
import type {
  JobFilter,
  JobQuery,
  JobSummary,
  AttemptRecord,
  JobDetails,
  JobPage,
  PhaseRecord,
  StateCounts,
  WorkerIdentity,
} from '../store/jobs.ts'
import { JOB_STATES } from '../core/states.ts'
import type { JobState } from '../core/states.ts'
import type { Scope } from '../core/scope.ts'
import { INPUT, OUTPUT, readBody } from './bodies.ts'
import { STATE_CODES, outcomeOf, stateOf } from './codes.ts'
import type { Database } from './database.ts'
import type { Row, SqlValue } from './driver.ts'
import { idToBytes, isId } from './ids.ts'
import { JOB_COLUMNS, hiddenFrom, jobSummary, nullableNumber, nullableText } from './rows.ts'

export const JOB_BY_ID = `SELECT ${JOB_COLUMNS}, j.input, j.output FROM millrace_jobs AS j WHERE j.id = ?`

export function getJob(db: Database, id: string, scope: Scope): JobDetails | 'not-found' | 'forbidden' {
  const row = isId(id) ? db.get(JOB_BY_ID, idToBytes(id)) : undefined
  if (row === undefined) return 'not-found'
  const summary = jobSummary(db, row)
  const hidden = hiddenFrom(scope, summary)
  if (hidden !== null) return hidden
  const n = Number(row['n'])
  const ended = endedAttempts(db, n)
  const phases = phasesOf(db, n, summary, ended)
  const worker = workerOf(db, row['session'])
  return {
    ...summary,
    input: readBody(db, n, INPUT, row['input']) ?? 'null',
    output: summary.state === 'completed' ? outputOf(db, n, row, phases) : null,
    phases,
    attempts: [...ended, ...latestAttempt(summary, ended, worker)],
    worker,
  }
}

/** The output of a job of one phase is its own; of several, the result of the last. */
function outputOf(db: Database, n: number, row: Row, phases: readonly PhaseRecord[]): string | null {
  return readBody(db, n, OUTPUT, row['output']) ?? phases.at(-1)?.result ?? null
}

const PHASES = 'SELECT ordinal, started_at, finished_at, result FROM millrace_phases WHERE job = ? ORDER BY ordinal'

function phasesOf(db: Database, n: number, job: JobSummary, ended: readonly AttemptRecord[]): readonly PhaseRecord[] {
  const done = new Map(db.all(PHASES, n).map((row) => [Number(row['ordinal']), row]))
  const only = job.phaseNames.length === 1
  return job.phaseNames.map((name, index) => {
    const row = done.get(index)
    const state = phaseState({ jobState: job.state, phase: job.phase, index })
    const present = index === job.phase || (only && index === 0)
    const cutShort = ended.filter((attempt) => attempt.phase === name && attempt.generation === job.generation).length
    const entered = state === 'done' || state === 'running' ? 1 : 0
    return {
      name,
      state,
      startedAt: present ? job.phaseStartedAt : nullableNumber(row?.['started_at']),
      finishedAt: only && state === 'done' ? job.finishedAt : nullableNumber(row?.['finished_at']),
      attempts: cutShort + entered,
      result: nullableText(row?.['result']),
    }
  })
}

const ATTEMPTS =
  'SELECT a.attempt, a.generation, a.outcome, a.phase, a.progress, a.started_at, a.ended_at, a.error, s.service, s.host, s.pid ' +
  'FROM millrace_attempts AS a LEFT JOIN millrace_sessions AS s ON s.n = a.session WHERE a.job = ? ORDER BY a.attempt'

function endedAttempts(db: Database, n: number): readonly AttemptRecord[] {
  return db.all(ATTEMPTS, n).map((row) => ({
    attempt: Number(row['attempt']),
    generation: Number(row['generation']),
    startedAt: Number(row['started_at']),
    endedAt: Number(row['ended_at']),
    outcome: outcomeOf(row['outcome']),
    phase: String(row['phase']),
    progress: Number(row['progress']),
    error: nullableText(row['error']),
    worker: identity(row),
  }))
}

/** The attempt that runs or completed has no row of its own: it is the job's. */
function latestAttempt(
  job: JobSummary,
  ended: readonly AttemptRecord[],
  worker: WorkerIdentity | null,
): readonly AttemptRecord[] {
  if (job.attempt === 0 || job.startedAt === null || ended.some(({ attempt }) => attempt === job.attempt)) return []
  const running = job.state === 'running'
  return [
    {
      attempt: job.attempt,
      generation: job.generation,
      startedAt: job.startedAt,
      endedAt: running ? null : job.finishedAt,
      outcome: running ? 'running' : 'completed',
      phase: job.phaseNames[job.phase] ?? job.phaseNames.at(-1) ?? '',
      progress: job.progress,
      error: null,
      worker,
    },
  ]
}

const WORKER = 'SELECT service, host, pid FROM millrace_sessions WHERE n = ?'

function workerOf(db: Database, session: SqlValue | undefined): WorkerIdentity | null {
  const row = typeof session === 'number' ? db.get(WORKER, session) : undefined
  return row === undefined ? null : identity(row)
}

function identity(row: Row): WorkerIdentity | null {
  if (typeof row['service'] !== 'string') return null
  return { service: row['service'], host: String(row['host']), pid: Number(row['pid']) }
}

/** Conditions of a filter in a scope, and their values. */
function conditions(
  filter: JobFilter,
  scope: Scope,
): { readonly sql: readonly string[]; readonly values: readonly SqlValue[] } {
  const sql: string[] = []
  const values: SqlValue[] = []
  const add = (condition: string, ...given: readonly SqlValue[]): void => {
    sql.push(condition)
    values.push(...given)
  }
  if (scope.role !== 'operator') add('j.tenant = ?', scope.tenant)
  if (scope.role === 'member') add('j.owner = ?', scope.user)
  if (filter.states !== undefined) add(stateCondition(filter.states))
  if (filter.type !== undefined) add('j.type = (SELECT n FROM millrace_types WHERE name = ?)', filter.type)
  if (filter.queue !== undefined) {
    add(
      'j.lane IN (SELECT l.n FROM millrace_lanes AS l JOIN millrace_queues AS q ON q.n = l.queue WHERE q.name = ?)',
      filter.queue,
    )
  }
  if (filter.tenant !== undefined) add('j.tenant = ?', filter.tenant)
  if (filter.owner !== undefined) add('j.owner = ?', filter.owner)
  for (const [name, content] of Object.entries(filter.labels ?? {})) {
    add('EXISTS (SELECT 1 FROM millrace_labels AS b WHERE b.job = j.n AND b.name = ? AND b.content = ?)', name, content)
  }
  return { sql: sql.length === 0 ? ['TRUE'] : sql, values }
}

function stateCondition(states: readonly JobState[]): string {
  const codes = states.map((state) => STATE_CODES[state])
  const allFinal = codes.length > 0 && codes.every((code) => code >= STATE_CODES.completed)
  // Says what the partial index says, so that the planner may use it.
  return `j.state IN (${codes.join(', ')})${allFinal ? ' AND j.finished_at IS NOT NULL' : ''}`
}

/** Newest first; the cursor is the key of the last row shown. */
export function listSql(
  filter: JobFilter,
  scope: Scope,
): { readonly sql: string; readonly values: readonly SqlValue[] } {
  const { sql, values } = conditions(filter, scope)
  return {
    sql: `SELECT ${JOB_COLUMNS} FROM millrace_jobs AS j WHERE ${sql.join(' AND ')} AND j.n < ? ORDER BY j.n DESC LIMIT ?`,
    values,
  }
}

export function listJobs(db: Database, query: JobQuery): JobPage {
  const { sql, values } = listSql(query, query.scope)
  const before = query.after === null ? Number.MAX_SAFE_INTEGER : Number.parseInt(query.after, 36)
  const rows = db.all(sql, ...values, before, query.limit + 1)
  const shown = rows.slice(0, query.limit)
  const last = shown.at(-1)
  const next = rows.length > query.limit && last !== undefined ? Number(last['n']).toString(36) : null
  return { jobs: shown.map((row) => jobSummary(db, row)), next }
}

export function countJobs(db: Database, filter: JobFilter & { readonly scope: Scope }): StateCounts {
  const { sql, values } = conditions(filter, filter.scope)
  const rows = db.all(
    `SELECT j.state, count(*) AS jobs FROM millrace_jobs AS j WHERE ${sql.join(' AND ')} GROUP BY j.state`,
    ...values,
  )
  const counts = new Map(rows.map((row) => [stateOf(row['state']), Number(row['jobs'])]))
  return Object.fromEntries(JOB_STATES.map((state) => [state, counts.get(state) ?? 0])) as StateCounts
}

const STATE_BY_ID = 'SELECT state FROM millrace_jobs WHERE id = ?'

export function jobStates(db: Database, ids: readonly string[]): ReadonlyMap<string, JobState> {
  return new Map(
    ids.flatMap((id): readonly [string, JobState][] => {
      const row = isId(id) ? db.get(STATE_BY_ID, idToBytes(id)) : undefined
      return row === undefined ? [] : [[id, stateOf(row['state'])]]
    }),
  )
}
