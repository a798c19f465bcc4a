/** Reading jobs. */
import type { JobFilter, JobQuery, JobDetails, JobPage, StateCounts, WorkerIdentity } from '../store/jobs.ts'
import { isFinal, JOB_STATES } from '../core/states.ts'
import type { JobState } from '../core/states.ts'
import type { Scope } from '../core/scope.ts'
import { INPUT, OUTPUT, readBody } from './bodies.ts'
import { INPUT_LOST } from '../store/claims.ts'
import { STATE_CODES, stateOf } from '../store/codes.ts'
import { latestAttempt, phasesOf } from '../store/job-details.ts'
import type { Database } from './database.ts'
import type { SqlValue } from './driver.ts'
import { idToBytes } from './ids.ts'
import { endedAttempt, finishedPhase, workerIdentity } from '../store/records.ts'
import { openCursor, sealCursor } from './page-cursor.ts'
import { JOB_COLUMNS, jobSummary } from './rows.ts'
import { hiddenFrom } from '../core/scope.ts'
import { isId } from '../store/ids.ts'

const JOB_BY_ID = `SELECT ${JOB_COLUMNS}, j.input, j.output FROM millrace_jobs AS j WHERE j.id = ?`

export function getJob(db: Database, id: string, scope: Scope): JobDetails | 'not-found' | 'forbidden' {
  const row = isId(id) ? db.get(JOB_BY_ID, idToBytes(id)) : undefined
  if (row === undefined) return 'not-found'
  const summary = jobSummary(db, row)
  const hidden = hiddenFrom(scope, summary)
  if (hidden !== null) return hidden
  const n = Number(row['n'])
  const ended = db.all(ATTEMPTS, n).map(endedAttempt)
  const own = summary.state === 'completed' ? readBody(db, n, OUTPUT, row['output']) : null
  const finished = new Map(db.all(PHASES, n).map((each) => [Number(each['ordinal']), finishedPhase(each)]))
  const phases = phasesOf(summary, finished, { ended, output: own })
  const worker = workerOf(db, row['session'])
  return {
    ...summary,
    input: readBody(db, n, INPUT, row['input']) ?? INPUT_LOST,
    // Of a job of several phases it is the result of the last.
    output: summary.state === 'completed' ? (own ?? phases.at(-1)?.result ?? null) : null,
    phases,
    attempts: [...ended, ...latestAttempt(summary, ended, worker)],
    worker,
  }
}

const PHASES =
  'SELECT ordinal, generation, attempt, started_at, finished_at, result FROM millrace_phases WHERE job = ? ORDER BY ordinal'

const ATTEMPTS =
  'SELECT a.attempt, a.generation, a.outcome, a.phase, a.progress, a.started_at, a.ended_at, a.error, a.stopped_at, a.stopped_by, s.service AS worker_service, s.host, s.pid ' +
  'FROM millrace_attempts AS a LEFT JOIN millrace_sessions AS s ON s.n = a.session WHERE a.job = ? ORDER BY a.attempt'

const WORKER = 'SELECT service AS worker_service, host, pid FROM millrace_sessions WHERE n = ?'

function workerOf(db: Database, session: SqlValue | undefined): WorkerIdentity | null {
  const row = typeof session === 'number' ? db.get(WORKER, session) : undefined
  return row === undefined ? null : workerIdentity(row)
}

interface Conditions {
  readonly from: string
  readonly where: string
  readonly values: readonly SqlValue[]
}

/** A filter in a scope. */
function conditions(filter: JobFilter, scope: Scope): Conditions {
  const sql: string[] = []
  const values: SqlValue[] = []
  const add = (condition: string, ...given: readonly SqlValue[]): void => {
    sql.push(condition)
    values.push(...given)
  }
  const [first, ...others] = Object.entries(filter.labels ?? {})
  if (first !== undefined) add('b.name = ? AND b.content = ?', ...first)
  for (const [name, content] of others) {
    add('EXISTS (SELECT 1 FROM millrace_labels AS o WHERE o.job = j.n AND o.name = ? AND o.content = ?)', name, content)
  }
  for (const tenant of scope.role === 'operator' ? [filter.tenant] : [scope.tenant, filter.tenant]) {
    // Says what the partial index says, so that the planner may use it.
    if (tenant !== undefined) add(tenant === '' ? 'j.tenant = ?' : "j.tenant = ? AND j.tenant <> ''", tenant)
  }
  if (scope.role === 'member') add('j.owner = ?', scope.user)
  if (filter.owner !== undefined) add('j.owner = ?', filter.owner)
  if (filter.states !== undefined) add(stateCondition(filter.states))
  if (filter.type !== undefined) add('j.type = (SELECT n FROM millrace_types WHERE name = ?)', filter.type)
  if (filter.queue !== undefined) {
    add(
      'j.lane IN (SELECT l.n FROM millrace_lanes AS l JOIN millrace_queues AS q ON q.n = l.queue WHERE q.name = ?)',
      filter.queue,
    )
  }
  return { from: fromClause(filter), where: sql.join(' AND ') || 'TRUE', values }
}

/** Few jobs have a label, and few run: there the search begins, whatever the planner believes of the rest. */
function fromClause({ labels = {}, states = [] }: JobFilter): string {
  if (Object.keys(labels).length > 0)
    return 'millrace_labels AS b INDEXED BY millrace_labels_content CROSS JOIN millrace_jobs AS j ON j.n = b.job'
  const running = states.length > 0 && states.every((state) => state === 'running')
  return running ? 'millrace_jobs AS j INDEXED BY millrace_jobs_held' : 'millrace_jobs AS j'
}

/** Says what the partial indexes say, so that the planner may use them. */
function stateCondition(states: readonly JobState[]): string {
  const codes = states.map((state) => STATE_CODES[state])
  const among = `j.state IN (${codes.join(', ')})`
  if (codes.length === 0) return among
  if (codes.every((code) => code >= STATE_CODES.completed)) return `${among} AND j.finished_at IS NOT NULL`
  return codes.every((code) => code === STATE_CODES.running) ? `${among} AND j.holder IS NOT NULL` : among
}

/** Newest first; the cursor leads to the key of the last row shown. */
function listSql(filter: JobFilter, scope: Scope): { readonly sql: string; readonly values: readonly SqlValue[] } {
  const { from, where, values } = conditions(filter, scope)
  const ended = finalStatesAlone(filter, scope)
  if (ended !== null) return { sql: newestEndedSql(ended), values: [] }
  const key = from.startsWith('millrace_labels') ? 'b.job' : 'j.n'
  const sql = `SELECT ${JOB_COLUMNS} FROM ${from} WHERE ${where} AND ${key} < ? ORDER BY ${key} DESC LIMIT ?`
  return { sql, values }
}

/** The states, if jobs are asked for that have ended in one of them, and nothing else is asked of them. */
function finalStatesAlone({ states = [], ...rest }: JobFilter, scope: Scope): readonly JobState[] | null {
  const { labels = {}, tenant, owner, type, queue } = rest
  const isAlone = [tenant, owner, type, queue].every((each) => each === undefined) && Object.keys(labels).length === 0
  return isAlone && scope.role === 'operator' && states.length > 0 && states.every(isFinal) ? states : null
}

/** The index of finished jobs is in order within a state and a type: the newest of each of them are looked up, and the newest of those shown. */
function newestEndedSql(states: readonly JobState[]): string {
  const codes = [...new Set(states)].map((state) => `(${STATE_CODES[state]})`)
  return (
    `SELECT ${JOB_COLUMNS} FROM (VALUES ${codes.join(', ')}) AS s CROSS JOIN millrace_types AS t CROSS JOIN millrace_jobs AS j ` +
    'ON j.n IN (SELECT i.n FROM millrace_jobs AS i INDEXED BY millrace_jobs_finished WHERE i.state = s.column1 AND i.type = t.n ' +
    'AND i.finished_at IS NOT NULL AND i.n < ?1 ORDER BY i.n DESC LIMIT ?2) ORDER BY j.n DESC LIMIT ?2'
  )
}

export function listJobs(db: Database, query: JobQuery): JobPage {
  const before = query.after === null ? Number.MAX_SAFE_INTEGER : openCursor(db, query.after)
  if (before === null) return { jobs: [], next: null }
  const { sql, values } = listSql(query, query.scope)
  const rows = db.all(sql, ...values, before, query.limit + 1)
  const shown = rows.slice(0, query.limit)
  const last = shown.at(-1)
  const next = rows.length > query.limit && last !== undefined ? sealCursor(db, Number(last['n'])) : null
  return { jobs: shown.map((row) => jobSummary(db, row)), next }
}

/** Each line goes through one partial index: the whole table is never read. */
const COUNT_ALL =
  'SELECT state, count(*) AS jobs FROM millrace_jobs WHERE finished_at IS NOT NULL GROUP BY state ' +
  'UNION ALL SELECT 2, count(*) FROM millrace_jobs WHERE state = 2 ' +
  'UNION ALL SELECT 3, count(*) FROM millrace_jobs WHERE holder IS NOT NULL ' +
  'UNION ALL SELECT state, count(*) FROM millrace_jobs WHERE state IN (1, 4) GROUP BY state'

function countSql(filter: JobFilter, scope: Scope): { readonly sql: string; readonly values: readonly SqlValue[] } {
  const { from, where, values } = conditions(filter, scope)
  if (where === 'TRUE') return { sql: COUNT_ALL, values }
  return { sql: `SELECT j.state, count(*) AS jobs FROM ${from} WHERE ${where} GROUP BY j.state`, values }
}

export function countJobs(db: Database, filter: JobFilter & { readonly scope: Scope }): StateCounts {
  const { sql, values } = countSql(filter, filter.scope)
  const counts = new Map(db.all(sql, ...values).map((row) => [stateOf(row['state']), Number(row['jobs'])]))
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
