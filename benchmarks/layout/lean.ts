import type { DatabaseSync } from 'node:sqlite'
import { countRows } from './file.ts'
import { LANE, NOW, randomHolder, type Layout, type LayoutStore, type NewJob } from './layout.ts'
import { leanSchema, stateNames, type LeanOptions } from './lean-schema.ts'

interface LeanClaimed {
  readonly n: number
  readonly holder: number
  readonly fence: number
  readonly attempt: number
  readonly event_seq: number
}

export interface LeanEvent {
  readonly job: number
  readonly seq: number
  readonly attempt: number
}

interface InsertedJobs {
  readonly first: number
  readonly last: number
}

/** The lean store, with its single steps open for timing. */
export interface LeanStore extends LayoutStore<LeanClaimed> {
  insertJobs(jobs: readonly NewJob[]): InsertedJobs
  insertEvents(code: number, events: readonly LeanEvent[]): void
  settle(claimed: readonly LeanClaimed[]): LeanEvent[]
}

export const PLAIN: LeanOptions = {
  state: 'integer',
  bodies: 'inline',
  checks: true,
  events: 'unique',
  readyIndex: 'with-n',
  enqueueBy: 'rows',
  completeBy: 'json',
  eventsBy: 'select',
  returning: false,
  holder: 'batch',
}

const QUEUED = 1
const STARTED = 2
const COMPLETED = 3

type Extra = Pick<Layout, 'pragmas' | 'inputBytes'>

export function lean(name: string, changed: Partial<LeanOptions> = {}, extra: Extra = {}): Layout {
  const options = { ...PLAIN, ...changed }
  return { name, eventsPerJob: 3, ...extra, open: (db) => openLean(db, options) }
}

export function openLean(db: DatabaseSync, options: LeanOptions): LeanStore {
  db.exec(leanSchema(options))
  const insertJobs = options.enqueueBy === 'json' ? insertJobsByJson(db, options) : insertJobsByRow(db, options)
  const insertEvents = options.eventsBy === 'rows' ? insertEventsByRow(db) : insertEventsByJson(db)
  const settle = options.completeBy === 'json' ? settleByJson(db, options) : settleByRow(db, options)
  const claim = openClaim(db, options)
  const copyEvents = openCopyEvents(db)
  const copied = options.eventsBy === 'select'
  return {
    insertJobs,
    insertEvents,
    settle,
    enqueue(jobs) {
      const { first, last } = insertJobs(jobs)
      if (copied) return copyEvents.queued(first, last)
      insertEvents(
        QUEUED,
        Array.from({ length: last - first + 1 }, (_, index) => ({ job: first + index, seq: 1, attempt: 0 })),
      )
    },
    claim(limit) {
      const holder = randomHolder()
      const claimed = claim(holder, limit)
      // Only a holder of the whole batch finds its rows again.
      if (copied && options.holder === 'batch') copyEvents.started(holder)
      else insertEvents(STARTED, claimed.map(eventOf))
      return claimed
    },
    complete(claimed) {
      if (copied) copyEvents.completed(claimed)
      const settled = settle(claimed)
      if (!copied) insertEvents(COMPLETED, settled)
    },
    count: () => ({
      completed: countRows(db, 'SELECT count(*) AS n FROM millrace_jobs WHERE finished_at IS NOT NULL'),
      events: countRows(db, 'SELECT count(*) AS n FROM millrace_events'),
    }),
  }
}

function eventOf(job: LeanClaimed): LeanEvent {
  return { job: job.n, seq: job.event_seq, attempt: job.attempt }
}

const JOB_COLUMNS = 'id, lane, state, priority, run_at, tenant, owner, deadline_at, event_seq, created_at, input'

function insertJobsByJson(db: DatabaseSync, options: LeanOptions): LeanStore['insertJobs'] {
  const apart = options.bodies === 'apart'
  const insert = db.prepare(`INSERT INTO millrace_jobs (${JOB_COLUMNS})
    SELECT unhex(value ->> 0), value ->> 1, ${stateNames(options).queued}, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
      value ->> 6, 1, ?, ${apart ? 'NULL' : 'value ->> 7'} FROM json_each(?)`)
  const insertBodies = apart
    ? db.prepare('INSERT INTO millrace_bodies (job, input) SELECT ? + key, value FROM json_each(?)')
    : undefined
  return (jobs) => {
    const rows = jobs.map(({ id, input }) => [id, LANE, 5, NOW, 'acme', 'ann', null, ...(apart ? [] : [input])])
    const inserted = insert.run(NOW, JSON.stringify(rows))
    const last = Number(inserted.lastInsertRowid)
    const first = last - Number(inserted.changes) + 1
    insertBodies?.run(first, JSON.stringify(jobs.map((job) => job.input)))
    return { first, last }
  }
}

function insertJobsByRow(db: DatabaseSync, options: LeanOptions): LeanStore['insertJobs'] {
  const apart = options.bodies === 'apart'
  const insert = db.prepare(`INSERT INTO millrace_jobs (${JOB_COLUMNS})
    VALUES (?, ?, ${stateNames(options).queued}, ?, ?, ?, ?, ?, 1, ?, ?)`)
  const insertBody = apart ? db.prepare('INSERT INTO millrace_bodies (job, input) VALUES (?, ?)') : undefined
  return (jobs) => {
    let last = 0
    for (const { id, input } of jobs) {
      const bytes = Buffer.from(id, 'hex')
      last = Number(insert.run(bytes, LANE, 5, NOW, 'acme', 'ann', null, NOW, apart ? null : input).lastInsertRowid)
      insertBody?.run(last, input)
    }
    return { first: last - jobs.length + 1, last }
  }
}

function insertEventsByJson(db: DatabaseSync): LeanStore['insertEvents'] {
  const insert = db.prepare(`INSERT INTO millrace_events (job, seq, code, at, attempt)
    SELECT value ->> 0, value ->> 1, ?, ?, value ->> 2 FROM json_each(?)`)
  return (code, events) => {
    insert.run(code, NOW, JSON.stringify(events.map((event) => [event.job, event.seq, event.attempt])))
  }
}

function insertEventsByRow(db: DatabaseSync): LeanStore['insertEvents'] {
  const insert = db.prepare(
    'INSERT INTO millrace_events (job, seq, code, at, attempt, detail) VALUES (?, ?, ?, ?, ?, NULL)',
  )
  return (code, events) => {
    for (const event of events) insert.run(event.job, event.seq, code, NOW, event.attempt)
  }
}

interface CopyEvents {
  queued(first: number, last: number): void
  started(holder: number): void
  completed(claimed: readonly LeanClaimed[]): void
}

function openCopyEvents(db: DatabaseSync): CopyEvents {
  const into = 'INSERT INTO millrace_events (job, seq, code, at, attempt)'
  const queued = db.prepare(
    `${into} SELECT n, event_seq, ${QUEUED}, ?, attempt FROM millrace_jobs WHERE n BETWEEN ? AND ?`,
  )
  const started = db.prepare(`${into} SELECT n, event_seq, ${STARTED}, ?, attempt FROM millrace_jobs WHERE holder = ?`)
  // Written before the completion, under the same guard: afterwards the claim that selects these rows is gone.
  const completed = db.prepare(`${into} SELECT n, event_seq + 1, ${COMPLETED}, ?, attempt
    FROM json_each(?) AS s CROSS JOIN millrace_jobs AS j
    WHERE j.n = s.value ->> 0 AND j.holder = s.value ->> 1 AND j.fence = s.value ->> 2`)
  return {
    queued: (first, last) => void queued.run(NOW, first, last),
    started: (holder) => void started.run(NOW, holder),
    completed: (claimed) => void completed.run(NOW, claimsAsJson(claimed)),
  }
}

function openClaim(db: DatabaseSync, options: LeanOptions): (holder: number, limit: number) => LeanClaimed[] {
  const { queued, running } = stateNames(options)
  const holderSql = options.holder === 'batch' ? '?1' : '(random() & 0xFFFFFFFFFFFFF) + 0 * ?1'
  const apart = options.bodies === 'apart'
  const claim =
    db.prepare(`UPDATE millrace_jobs SET state = ${running}, holder = ${holderSql}, session = 1, fence = fence + 1,
      attempt = attempt + 1, event_seq = event_seq + 1, started_at = ?2, deadline_at = ?2 + 1800000
    WHERE n IN (SELECT n FROM millrace_jobs WHERE state = ${queued} AND lane = ?3 ORDER BY priority, run_at, n LIMIT ?4)
    RETURNING n, id, holder, fence, attempt, event_seq, tenant, owner${apart ? '' : ', input'}`)
  const readBodies = apart
    ? db.prepare('SELECT job, input FROM json_each(?) AS s CROSS JOIN millrace_bodies AS b WHERE b.job = s.value')
    : undefined
  return (holder, limit) => {
    const claimed = claim.all(holder, NOW, LANE, limit) as unknown as LeanClaimed[]
    readBodies?.all(JSON.stringify(claimed.map((job) => job.n)))
    return claimed
  }
}

function claimsAsJson(claimed: readonly LeanClaimed[]): string {
  return JSON.stringify(claimed.map((job) => [job.n, job.holder, job.fence, null]))
}

function settleSet(options: LeanOptions): string {
  return `state = ${stateNames(options).completed}, holder = NULL, session = NULL, deadline_at = NULL, event_seq = event_seq + 1,
    progress = 100, finished_at = ?1, strikes = 0`
}

function settleByJson(db: DatabaseSync, options: LeanOptions): LeanStore['settle'] {
  const update =
    db.prepare(`UPDATE millrace_jobs SET ${settleSet(options)}, output = s.value ->> 3 FROM json_each(?2) AS s
    WHERE n = s.value ->> 0 AND holder = s.value ->> 1 AND fence = s.value ->> 2
    ${options.returning ? 'RETURNING n AS job, event_seq AS seq, attempt' : ''}`)
  return (claimed) => {
    const json = claimsAsJson(claimed)
    if (options.returning) return update.all(NOW, json) as unknown as LeanEvent[]
    if (update.run(NOW, json).changes !== claimed.length) throw new Error('a claim was lost')
    return claimed.map(nextEvent)
  }
}

function settleByRow(db: DatabaseSync, options: LeanOptions): LeanStore['settle'] {
  const update =
    db.prepare(`UPDATE millrace_jobs SET ${settleSet(options)}, output = ?2 WHERE n = ?3 AND holder = ?4 AND fence = ?5
    ${options.returning ? 'RETURNING n AS job, event_seq AS seq, attempt' : ''}`)
  return (claimed) => {
    const settled: LeanEvent[] = []
    for (const job of claimed) {
      if (options.returning) {
        const row = update.get(NOW, null, job.n, job.holder, job.fence) as LeanEvent | undefined
        if (row !== undefined) settled.push(row)
        continue
      }
      if (update.run(NOW, null, job.n, job.holder, job.fence).changes === 1) settled.push(nextEvent(job))
    }
    return settled
  }
}

function nextEvent(job: LeanClaimed): LeanEvent {
  return { job: job.n, seq: job.event_seq + 1, attempt: job.attempt }
}
