/** Reading jobs. */
import type { Scope } from '../core/scope.ts'
import { JOB_STATES } from '../core/states.ts'
import type { JobState } from '../core/states.ts'
import { INPUT_LOST } from '../store/claims.ts'
import { STATE_CODES, stateOf } from '../store/codes.ts'
import { latestAttempt, phasesOf } from '../store/job-details.ts'
import type { JobDetails, JobFilter, JobPage, JobQuery, StateCounts } from '../store/jobs.ts'
import type { Transaction } from './database.ts'
import type { PgValue, RunRows } from './driver.ts'
import { nullableText } from '../store/columns.ts'
import { endedAttempt, finishedPhase, workerIdentity } from '../store/records.ts'
import { BESIDE_JOB, SUMMARY_COLUMNS, jobSummary } from './rows.ts'
import { hiddenFrom } from '../core/scope.ts'
import { isId } from '../store/ids.ts'

const JOB_BY_ID =
  `SELECT ${SUMMARY_COLUMNS}, j.input, j.output, s.service AS worker_service, s.host, s.pid FROM millrace.jobs AS j ${BESIDE_JOB} ` +
  'LEFT JOIN millrace.sessions AS s ON s.n = j.session WHERE j.id = $1'
const PHASES =
  'SELECT ordinal, generation, attempt, started_at, finished_at, result FROM millrace.phases WHERE job = $1 ORDER BY ordinal'
const ATTEMPTS =
  'SELECT a.attempt, a.generation, a.outcome, a.phase, a.progress, a.started_at, a.ended_at, a.error, a.stopped_at, a.stopped_by, s.service AS worker_service, s.host, s.pid ' +
  'FROM millrace.attempts AS a LEFT JOIN millrace.sessions AS s ON s.n = a.session WHERE a.job = $1 ORDER BY a.attempt'

export async function getJob(
  tx: Transaction,
  id: string,
  scope: Scope,
): Promise<JobDetails | 'not-found' | 'forbidden'> {
  if (!isId(id)) return 'not-found'
  const [[row], phaseRows, attemptRows] = await Promise.all([
    tx.rows(JOB_BY_ID, id),
    tx.rows(PHASES, id),
    tx.rows(ATTEMPTS, id),
  ])
  if (row === undefined) return 'not-found'
  const summary = jobSummary(row)
  const hidden = hiddenFrom(scope, summary)
  if (hidden !== null) return hidden
  const ended = attemptRows.map(endedAttempt)
  const own = summary.state === 'completed' ? nullableText(row['output']) : null
  const finished = new Map(phaseRows.map((each) => [Number(each['ordinal']), finishedPhase(each)]))
  const phases = phasesOf(summary, finished, { ended, output: own })
  const worker = workerIdentity(row)
  return {
    ...summary,
    input: nullableText(row['input']) ?? INPUT_LOST,
    // Of a job of several phases it is the result of the last.
    output: summary.state === 'completed' ? (own ?? phases.at(-1)?.result ?? null) : null,
    phases,
    attempts: [...ended, ...latestAttempt(summary, ended, worker)],
    worker,
  }
}

/** A filter in a scope, as a condition with its values. */
class Conditions {
  readonly values: PgValue[] = []
  readonly #sql: string[] = []

  constructor(filter: JobFilter, scope: Scope) {
    for (const tenant of scope.role === 'operator' ? [filter.tenant] : [scope.tenant, filter.tenant]) {
      // Says what the partial index says, so that the planner may use it.
      if (tenant !== undefined) this.#add(tenant === '' ? 'j.tenant = ?' : "j.tenant = ? AND j.tenant <> ''", tenant)
    }
    if (scope.role === 'member') this.#add('j.owner = ?', scope.user)
    if (filter.owner !== undefined) this.#add('j.owner = ?', filter.owner)
    if (filter.states !== undefined) this.#add(stateCondition(filter.states))
    if (filter.type !== undefined) this.#add('j.type = (SELECT n FROM millrace.types WHERE name = ?)', filter.type)
    if (filter.queue !== undefined) {
      this.#add(
        'j.lane IN (SELECT l.n FROM millrace.lanes AS l JOIN millrace.queues AS q ON q.n = l.queue WHERE q.name = ?)',
        filter.queue,
      )
    }
    for (const [name, content] of Object.entries(filter.labels ?? {})) {
      this.#add(
        'EXISTS (SELECT 1 FROM millrace.labels AS o WHERE o.job = j.id AND o.name = ? AND o.content = ?)',
        name,
        content,
      )
    }
  }

  #add(condition: string, ...given: readonly PgValue[]): void {
    const places = given.map((value) => this.place(value))
    this.#sql.push(condition.replaceAll('?', () => places.shift() ?? ''))
  }

  /** The placeholder of a value. */
  place(value: PgValue): string {
    this.values.push(value)
    return `$${this.values.length}`
  }

  get sql(): string {
    return this.#sql.join(' AND ') || 'true'
  }
}

/** Says what the partial indexes say, so that the planner may use them. */
function stateCondition(states: readonly JobState[]): string {
  const codes = states.map((state) => STATE_CODES[state])
  if (codes.length === 0) return 'false'
  const among = `j.state IN (${codes.join(', ')})`
  if (codes.every((code) => code >= STATE_CODES.completed)) return `${among} AND j.finished_at IS NOT NULL`
  return codes.every((code) => code === STATE_CODES.running) ? `${among} AND j.holder IS NOT NULL` : among
}

/** Newest first: ids are made in the order of time. The cursor is the id of the last row shown. */
export async function listJobs(tx: Transaction, query: JobQuery): Promise<JobPage> {
  // A cursor that is none of ours leads nowhere.
  if (query.after !== null && !isId(query.after)) return { jobs: [], next: null }
  const conditions = new Conditions(query, query.scope)
  const { sql } = conditions
  const before = query.after === null ? '' : ` AND j.id < ${conditions.place(query.after)}`
  const limit = conditions.place(query.limit + 1)
  const text =
    `SELECT ${SUMMARY_COLUMNS} FROM (SELECT * FROM millrace.jobs AS j WHERE ${sql}${before} ORDER BY j.id DESC LIMIT ${limit}) AS j ` +
    `${BESIDE_JOB} ORDER BY j.id DESC`
  const rows = await tx.rows(text, ...conditions.values)
  const jobs = rows.slice(0, query.limit).map(jobSummary)
  return { jobs, next: rows.length > query.limit ? (jobs.at(-1)?.id ?? null) : null }
}

export async function countJobs(run: RunRows, filter: JobFilter & { readonly scope: Scope }): Promise<StateCounts> {
  const { sql, values } = new Conditions(filter, filter.scope)
  const text =
    sql === 'true'
      ? COUNT_ALL
      : `SELECT j.state, count(*) AS jobs FROM millrace.jobs AS j WHERE ${sql} GROUP BY j.state`
  const counts = new Map((await run(text, ...values)).map((row) => [stateOf(row['state']), Number(row['jobs'])]))
  return Object.fromEntries(JOB_STATES.map((state) => [state, counts.get(state) ?? 0])) as StateCounts
}

/** Each line goes through one partial index: the whole table is never read. */
const COUNT_ALL =
  'SELECT state, count(*) AS jobs FROM millrace.jobs WHERE finished_at IS NOT NULL GROUP BY state ' +
  'UNION ALL SELECT 2, count(*) FROM millrace.jobs WHERE state = 2 HAVING count(*) > 0 ' +
  'UNION ALL SELECT 3, count(*) FROM millrace.jobs WHERE holder IS NOT NULL HAVING count(*) > 0 ' +
  'UNION ALL SELECT state, count(*) FROM millrace.jobs WHERE state IN (1, 4) GROUP BY state'

const STATES = 'SELECT id, state FROM millrace.jobs WHERE id = ANY($1::uuid[])'

export async function jobStates(run: RunRows, ids: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
  const known = ids.filter(isId)
  const rows = known.length === 0 ? [] : await run(STATES, known)
  return new Map(rows.map((row) => [String(row['id']), stateOf(row['state'])]))
}
