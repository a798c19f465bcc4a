import { createHash } from 'node:crypto'
import { canonicalJson, decodeJson } from '../core/json.ts'
import { DEFAULTS } from '../core/limits.ts'
import type { Enqueued, NewJob } from '../store/jobs.ts'
import { INPUT, inlineBody, keepLongBody } from './bodies.ts'
import { EVENT_CODES, STATE_CODES, stateOf } from './codes.ts'
import type { Database, TypeEntry } from './database.ts'
import type { Row } from './driver.ts'
import { idFromBytes, idToBytes } from './ids.ts'

/** Adds the jobs in their order. Must run in a transaction; the caller undoes it where an outcome is `key-reused`. */
export function enqueueJobs(db: Database, jobs: readonly NewJob[]): readonly Enqueued[] {
  return jobs.map((job) => enqueueJob(db, job))
}

function enqueueJob(db: Database, job: NewJob): Enqueued {
  const type = db.internType(job.type, job.queue, job.policy)
  return byKey(db, type, job) ?? byUniqueKey(db, type, job) ?? insertJob(db, type, job)
}

const FIND_KEY =
  'SELECT k.job, k.input_hash, k.held_until, j.state FROM millrace_keys AS k LEFT JOIN millrace_jobs AS j ON j.id = k.job ' +
  'WHERE k.tenant = ? AND k.type = ? AND k.key = ?'

function byKey(db: Database, type: TypeEntry, job: NewJob): Enqueued | null {
  if (job.key === null) return null
  const row = db.get(FIND_KEY, job.tenant, type.n, job.key)
  if (row === undefined || isFree(row, db.now)) return null
  const id = idFromBytes(row['job'])
  const sameInput = inputHash(job.input).equals(row['input_hash'] as Uint8Array)
  if (!sameInput) return { outcome: 'key-reused', id }
  return { outcome: 'duplicate', id, state: row['state'] === null ? 'deleted' : stateOf(row['state']) }
}

function isFree(row: Row, now: number): boolean {
  return row['state'] === null && Number(row['held_until']) <= now
}

/** Two inputs are the same if they are the same JSON, in whatever order their keys stand. */
function inputHash(input: string): Buffer {
  return createHash('sha256')
    .update(canonicalJson(decodeJson(input)))
    .digest()
}

const FIND_UNIQUE =
  'SELECT id, state FROM millrace_jobs WHERE type = ? AND tenant = ? AND unique_key = ? AND unique_key IS NOT NULL AND finished_at IS NULL'

function byUniqueKey(db: Database, type: TypeEntry, job: NewJob): Enqueued | null {
  if (job.uniqueKey === null) return null
  const row = db.get(FIND_UNIQUE, type.n, job.tenant, job.uniqueKey)
  return row === undefined ? null : { outcome: 'duplicate', id: idFromBytes(row['id']), state: stateOf(row['state']) }
}

const INSERT_JOB =
  'INSERT INTO millrace_jobs (id, type, lane, state, priority, run_at, phase_count, phase_list, created_at, updated_at, tenant, owner, ' +
  'unique_key, idempotency_key, input) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
const INSERT_EVENT = 'INSERT INTO millrace_events (job, seq, code, at, attempt) VALUES (?, 1, ?, ?, 0)'
const INSERT_LABEL = 'INSERT INTO millrace_labels (job, name, content) VALUES (?, ?, ?)'
const PUT_KEY =
  'INSERT INTO millrace_keys (tenant, type, key, job, input_hash, held_until) VALUES (?, ?, ?, ?, ?, ?) ' +
  'ON CONFLICT (tenant, type, key) DO UPDATE SET job = excluded.job, input_hash = excluded.input_hash, held_until = excluded.held_until'

function insertJob(db: Database, type: TypeEntry, job: NewJob): Enqueued {
  const { now } = db
  const runAt = job.runAt ?? now + job.delayMs
  const state = runAt > now ? 'scheduled' : 'queued'
  const bytes = idToBytes(job.id)
  const { phases } = type.policy
  const n = db.insert(
    INSERT_JOB,
    bytes,
    type.n,
    db.internLane(type.n, job.queue),
    STATE_CODES[state],
    job.priority,
    runAt,
    phases.length,
    db.internPhaseList(phases),
    now,
    now,
    job.tenant,
    job.owner,
    job.uniqueKey,
    job.key,
    inlineBody(job.input),
  )
  keepLongBody(db, n, INPUT, job.input)
  db.run(INSERT_EVENT, n, EVENT_CODES[`job:${state}`], now)
  for (const [name, content] of Object.entries(job.labels)) {
    db.run(INSERT_LABEL, n, name, content)
    db.noteLabels()
  }
  if (job.key !== null) {
    db.run(PUT_KEY, job.tenant, type.n, job.key, bytes, inputHash(job.input), now + DEFAULTS.keyHoldMs)
  }
  return { outcome: 'created', id: job.id, state }
}
