/** What happened, as it is written: events, and the attempts that ended other than completed. */
import type { EventName } from '../core/events.ts'
import type { Apply, Plan } from '../core/plan.ts'
import { EVENT_CODES, OUTCOME_CODES, STOPPED_BY_CODES } from '../store/codes.ts'
import type { StoppedBy } from '../store/attempt-stops.ts'
import type { Database } from './database.ts'
import type { Row } from './driver.ts'
import { eventDetail } from '../store/event-detail.ts'
import { writeList } from './event-lists.ts'
import type { NewList } from './event-lists.ts'

/** A plan that was carried out: by which case, and the row as it left it. */
export interface Applied {
  readonly plan: Plan
  readonly apply: Apply
  readonly row: Row
}

export interface HistoryFacts {
  /** What the caller tells with the event, JSON text. */
  readonly detail: string | null
  /** Why the attempt ended, JSON text. */
  readonly error: string | null
  /** What ended the attempt's code before; null: it may still run. */
  readonly stoppedBy: StoppedBy | null
  /** The row that says where the attempt stood. */
  readonly cutOff: Row
}

const INSERT_EVENT = 'INSERT INTO millrace_events (job, seq, code, at, attempt, detail) VALUES (?, ?, ?, ?, ?, ?)'
const INSERT_ATTEMPT =
  'INSERT INTO millrace_attempts (job, attempt, generation, outcome, phase, progress, session, started_at, ended_at, error, stopped_at, stopped_by) ' +
  'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'

/** The event of the case, and the row of the attempt that it ended. */
export function writeHistory(
  db: Database,
  { plan, apply, row }: Applied,
  { detail, error, stoppedBy, cutOff }: HistoryFacts,
): void {
  const { n = null, event_seq: seq = null, attempt = null } = row
  if (apply.event !== undefined) {
    const told = eventDetail({ event: apply.event, plan, row, given: detail })
    db.run(INSERT_EVENT, n, seq, EVENT_CODES[apply.event], db.now, attempt, told)
  }
  if (apply.ends === undefined) return
  const names = db.phaseNames(Number(cutOff['phase_list']))
  const phase = names[Number(cutOff['phase'])] ?? names.at(-1) ?? ''
  const { generation = null } = cutOff
  const { session = null, started_at: startedAt = null } = row
  const progress = cutOff['progress'] ?? 0
  db.run(
    INSERT_ATTEMPT,
    n,
    attempt,
    generation,
    OUTCOME_CODES[apply.ends],
    phase,
    progress,
    session,
    startedAt,
    db.now,
    error,
    stoppedBy === null ? null : db.now,
    stoppedBy === null ? null : STOPPED_BY_CODES[stoppedBy],
  )
}

/** While a job is completed its last attempt needs no row; the next generation takes the job's columns, so then it does. */
export function keepCompletedAttempt(db: Database, row: Row): void {
  const phase = db.phaseNames(Number(row['phase_list'])).at(-1) ?? ''
  const { n = null, attempt = null, generation = null, session = null, started_at: startedAt = null } = row
  const endedAt = row['finished_at'] ?? null
  const began = [n, attempt, generation, OUTCOME_CODES.completed, phase, 100, session, startedAt]
  db.run(INSERT_ATTEMPT, ...began, endedAt, null, endedAt, STOPPED_BY_CODES.handler)
}

/** One event for each of many jobs, each of which has had its sequence raised for it and none since. */
export interface EventsOfJobs {
  readonly event: EventName
  /** Integer keys. */
  readonly jobs: readonly number[]
  /** JSON texts, one a job; null: none has anything to tell. */
  readonly details: readonly (string | null)[]
}

/** Copied from the rows, which costs half of a statement for each event. They are written in the order given. */
const COPY =
  'INSERT INTO millrace_events (job, seq, code, at, attempt, detail) SELECT j.n, j.event_seq, ?, ?, j.attempt, '
const COPY_SAME = `${COPY}? FROM json_each(?) AS s CROSS JOIN millrace_jobs AS j ON j.n = s.value`
const COPY_TOLD = `${COPY}s.value ->> 1 FROM json_each(?) AS s CROSS JOIN millrace_jobs AS j ON j.n = s.value ->> 0`

export function writeEvents(db: Database, { event, jobs, details }: EventsOfJobs): void {
  if (jobs.length === 0) return
  const code = EVENT_CODES[event]
  const [first = null] = details
  if (details.every((detail) => detail === first)) db.run(COPY_SAME, code, db.now, first, JSON.stringify(jobs))
  else db.run(COPY_TOLD, code, db.now, JSON.stringify(jobs.map((job, index) => [job, details[index] ?? null])))
}

export interface ListedEventsOfJobs extends EventsOfJobs, Pick<NewList, 'listed' | 'position'> {
  /** Of each job, whether its row says that the list tells of it. */
  readonly isListed: readonly boolean[]
}

const COPY_PLACED =
  'INSERT INTO millrace_events (position, job, seq, code, at, attempt, detail) SELECT s.value ->> 2, j.n, j.event_seq, ?, ?, j.attempt, ' +
  's.value ->> 1 FROM json_each(?) AS s CROSS JOIN millrace_jobs AS j ON j.n = s.value ->> 0'

/** The same where some or all stand in a list: the others' events have their places in it. */
export function writeListed(db: Database, { listed, position, isListed, ...rest }: ListedEventsOfJobs): void {
  const { event, jobs, details } = rest
  if (!isListed.includes(true)) {
    writeEvents(db, rest)
    return
  }
  writeList(db, { position, event, listed, jobs: jobs.map((job, index) => (isListed[index] === true ? job : null)) })
  if (!isListed.includes(false)) return
  const others = jobs.flatMap((job, index) =>
    isListed[index] === true ? [] : [[job, details[index] ?? null, position + index]],
  )
  db.run(COPY_PLACED, EVENT_CODES[event], db.now, JSON.stringify(others))
}
