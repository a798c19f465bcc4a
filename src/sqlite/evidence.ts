import { FINAL_STATES } from '../core/states.ts'
import { STATE_CODES } from '../store/codes.ts'
import { ENTITY_NOTE_MS, endedRecord, entityEvidence, waitingOf } from '../store/evidence.ts'
import type { EntityNote, EvidenceQuery, EvidenceRecords } from '../store/evidence.ts'
import type { Database } from './database.ts'
import { idFromBytes, idToBytes } from './ids.ts'

const WAITING =
  'SELECT t.name AS type, EXISTS (SELECT 1 FROM millrace_lanes AS l CROSS JOIN millrace_jobs AS j ON j.lane = l.n AND j.state = 2 WHERE l.type = t.n) AS queued, ' +
  '(SELECT min(run_at) FROM millrace_jobs WHERE state IN (1, 4) AND type = t.n) AS next_due FROM millrace_types AS t'

const TYPES = 'SELECT n FROM millrace_types'

const ENDED =
  'SELECT j.id, t.name AS type, j.state, j.attempt, j.generation, j.started_at, j.finished_at, s.service AS worker_service, s.host, s.version, s.hand IS NOT NULL AS by_hand, ' +
  "coalesce(j.output <> 'null', (SELECT p.result <> 'null' FROM millrace_phases AS p WHERE p.job = j.n AND p.ordinal = j.phase_count - 1), " +
  'EXISTS (SELECT 1 FROM millrace_bodies AS b WHERE b.job = j.n AND b.kind = 2)) AS has_output FROM ' +
  '(SELECT n FROM millrace_jobs WHERE state = ? AND type = ? AND finished_at IS NOT NULL ORDER BY n DESC LIMIT ?) AS latest ' +
  'CROSS JOIN millrace_jobs AS j ON j.n = latest.n CROSS JOIN millrace_types AS t ON t.n = j.type LEFT JOIN millrace_sessions AS s ON s.n = j.session'

const ENTITIES =
  'SELECT j.id, t.name AS type, j.finished_at, e.status FROM ' +
  '(SELECT job, status FROM millrace_entities WHERE noted_at > ? ORDER BY job DESC LIMIT ?) AS e CROSS JOIN millrace_jobs AS j ON j.n = e.job ' +
  'CROSS JOIN millrace_types AS t ON t.n = j.type WHERE j.state >= 5'

export function readEvidence(db: Database, { endedLimit, entityLimit }: EvidenceQuery): EvidenceRecords {
  return {
    waiting: waitingOf(db.all(WAITING), db.readClock()),
    ended: db
      .all(TYPES)
      .flatMap(({ n: type = null }) =>
        FINAL_STATES.flatMap((state) => db.all(ENDED, STATE_CODES[state], type, endedLimit)),
      )
      .map((row) => endedRecord(row, idFromBytes(row['id']))),
    entities: db
      .all(ENTITIES, db.readClock() - ENTITY_NOTE_MS, entityLimit)
      .map((row) => entityEvidence(row, idFromBytes(row['id']))),
  }
}

const PUT_ENTITY =
  'INSERT INTO millrace_entities (job, status, noted_at) SELECT n, ?, ? FROM millrace_jobs WHERE id = ? ' +
  'ON CONFLICT (job) DO UPDATE SET status = excluded.status, noted_at = excluded.noted_at'
const DROP_ENTITY = 'DELETE FROM millrace_entities WHERE job = (SELECT n FROM millrace_jobs WHERE id = ?)'
const DROP_OLD = 'DELETE FROM millrace_entities WHERE noted_at <= ?'

export function noteEntities(db: Database, notes: readonly EntityNote[]): void {
  for (const { jobId, status } of notes) {
    if (status === null) db.run(DROP_ENTITY, idToBytes(jobId))
    else db.run(PUT_ENTITY, status, db.now, idToBytes(jobId))
  }
  db.run(DROP_OLD, db.now - ENTITY_NOTE_MS)
}
