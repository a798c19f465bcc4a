import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { countRows } from './file.ts'
import { NOW, type Layout, type LayoutStore } from './layout.ts'

interface Claimed {
  readonly id: string
  readonly attempt: number
  readonly lease_token: string
}

/** What grows by itself: text ids everywhere, a row for everything, events as finished JSON. */
export const heavy: Layout = { name: 'C heavy', eventsPerJob: 5, open: openHeavy }

const SCHEMA = `
  CREATE TABLE jobs (id TEXT PRIMARY KEY, type TEXT NOT NULL, queue TEXT NOT NULL, state TEXT NOT NULL, priority INTEGER NOT NULL,
    run_at INTEGER NOT NULL, tenant TEXT NOT NULL, owner TEXT, attempt INTEGER NOT NULL, lease_token TEXT, lease_expires_at INTEGER,
    created_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER) STRICT;
  CREATE INDEX jobs_ready ON jobs (queue, priority, run_at, id) WHERE state = 'queued';
  CREATE INDEX jobs_leased ON jobs (lease_expires_at) WHERE lease_token IS NOT NULL;
  CREATE INDEX jobs_finished ON jobs (state, finished_at) WHERE finished_at IS NOT NULL;
  CREATE TABLE bodies (job_id TEXT PRIMARY KEY, input TEXT NOT NULL, output TEXT) STRICT;
  CREATE TABLE attempts (id TEXT PRIMARY KEY, job_id TEXT NOT NULL, number INTEGER NOT NULL, worker TEXT NOT NULL,
    started_at INTEGER NOT NULL, finished_at INTEGER, outcome TEXT, UNIQUE (job_id, number)) STRICT;
  CREATE TABLE phases (job_id TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, started_at INTEGER, finished_at INTEGER,
    PRIMARY KEY (job_id, name)) STRICT;
  CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL,
    at INTEGER NOT NULL, payload TEXT NOT NULL, UNIQUE (job_id, seq)) STRICT;
`

function openHeavy(db: DatabaseSync): LayoutStore<Claimed> {
  db.exec(SCHEMA)
  const insertJob =
    db.prepare(`INSERT INTO jobs (id, type, queue, state, priority, run_at, tenant, owner, attempt, created_at)
    VALUES (?, 'map.export', 'map.export', 'queued', ?, ?, ?, ?, 0, ?)`)
  const insertBody = db.prepare('INSERT INTO bodies (job_id, input) VALUES (?, ?)')
  const insertPhase = db.prepare(`INSERT INTO phases (job_id, name, state) VALUES (?, 'run', 'pending')`)
  const claim =
    db.prepare(`UPDATE jobs SET state = 'running', attempt = attempt + 1, lease_token = ?, lease_expires_at = ?, started_at = ?
    WHERE id IN (SELECT id FROM jobs WHERE state = 'queued' AND queue = 'map.export' ORDER BY priority, run_at, id LIMIT ?)
    RETURNING id, attempt, lease_token`)
  const readBody = db.prepare('SELECT input FROM bodies WHERE job_id = ?')
  const insertAttempt = db.prepare(
    'INSERT INTO attempts (id, job_id, number, worker, started_at) VALUES (?, ?, ?, ?, ?)',
  )
  const startPhase = db.prepare(`UPDATE phases SET state = 'running', started_at = ? WHERE job_id = ? AND name = 'run'`)
  const endPhase = db.prepare(`UPDATE phases SET state = 'done', finished_at = ? WHERE job_id = ? AND name = 'run'`)
  const endAttempt = db.prepare(
    `UPDATE attempts SET finished_at = ?, outcome = 'completed' WHERE job_id = ? AND number = ?`,
  )
  const writeOutput = db.prepare(`UPDATE bodies SET output = 'null' WHERE job_id = ?`)
  const complete =
    db.prepare(`UPDATE jobs SET state = 'completed', lease_token = NULL, lease_expires_at = NULL, finished_at = ?
    WHERE id = ? AND lease_token = ?`)
  const writeEvent = openEventWriter(db)
  return {
    enqueue(jobs) {
      for (const job of jobs) {
        const id = dashed(job.id)
        insertJob.run(id, 5, NOW, 'acme', 'ann', NOW)
        insertBody.run(id, job.input)
        insertPhase.run(id)
        writeEvent({ id, seq: 1, type: 'job:queued', state: 'queued', attempt: 0 })
      }
    },
    claim(limit) {
      const claimed = claim.all(randomUUID(), NOW + 30_000, NOW, limit) as unknown as Claimed[]
      for (const job of claimed) {
        readBody.get(job.id)
        insertAttempt.run(randomUUID(), job.id, job.attempt, 'worker-1', NOW)
        startPhase.run(NOW, job.id)
        writeEvent({ id: job.id, seq: 2, type: 'job:started', state: 'running', attempt: job.attempt })
        writeEvent({ id: job.id, seq: 3, type: 'phase:started', state: 'running', attempt: job.attempt })
      }
      return claimed
    },
    complete(claimed) {
      for (const job of claimed) {
        if (complete.run(NOW, job.id, job.lease_token).changes !== 1) continue
        endPhase.run(NOW, job.id)
        endAttempt.run(NOW, job.id, job.attempt)
        writeOutput.run(job.id)
        writeEvent({ id: job.id, seq: 4, type: 'phase:completed', state: 'running', attempt: job.attempt })
        writeEvent({ id: job.id, seq: 5, type: 'job:completed', state: 'completed', attempt: job.attempt })
      }
    },
    count: () => countHeavy(db),
  }
}

function countHeavy(db: DatabaseSync): { completed: number; events: number } {
  return {
    completed: countRows(db, `SELECT count(*) AS n FROM jobs WHERE state = 'completed'`),
    events: countRows(db, 'SELECT count(*) AS n FROM events'),
  }
}

interface HeavyEvent {
  readonly id: string
  readonly seq: number
  readonly type: string
  readonly state: string
  readonly attempt: number
}

function openEventWriter(db: DatabaseSync): (event: HeavyEvent) => void {
  const insert = db.prepare('INSERT INTO events (job_id, seq, type, at, payload) VALUES (?, ?, ?, ?, ?)')
  return ({ id, seq, type, state, attempt }) => {
    const payload = { jobId: id, type: 'map.export', tenant: 'acme', owner: 'ann', state, attempt, at: NOW }
    insert.run(id, seq, type, NOW, JSON.stringify(payload))
  }
}

function dashed(id: string): string {
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`
}
