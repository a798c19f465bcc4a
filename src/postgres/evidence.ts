import { FINAL_STATES } from '../core/states.ts'
import { STATE_CODES } from '../store/codes.ts'
import { ENTITY_NOTE_MS, endedRecord, entityEvidence, waitingOf } from '../store/evidence.ts'
import type { EntityNote, EvidenceQuery, EvidenceRecords } from '../store/evidence.ts'
import { NOW } from './database.ts'
import type { Transaction } from './database.ts'
import type { RunRows } from './driver.ts'

const WAITING =
  'SELECT t.name AS type, EXISTS (SELECT 1 FROM millrace.lanes AS l CROSS JOIN LATERAL (SELECT 1 FROM millrace.jobs AS j WHERE j.lane = l.n AND j.state = 2 LIMIT 1) AS x ' +
  'WHERE l.type = t.n) AS queued, (SELECT j.run_at FROM millrace.jobs AS j WHERE j.type = t.n AND j.state IN (1, 4) ORDER BY j.run_at LIMIT 1) AS next_due, ' +
  `${NOW} AS now FROM millrace.types AS t`

const ENDED =
  'SELECT j.id, t.name AS type, j.state, j.attempt, j.generation, j.started_at, j.finished_at, s.service AS worker_service, s.host, s.version, s.hand IS NOT NULL AS by_hand, ' +
  "coalesce(j.output <> 'null', (SELECT p.result <> 'null' FROM millrace.phases AS p WHERE p.job = j.id AND p.ordinal = j.phase_count - 1), false) AS has_output " +
  'FROM millrace.types AS t CROSS JOIN LATERAL (SELECT * FROM millrace.jobs AS i WHERE i.state = $1 AND i.type = t.n AND i.finished_at IS NOT NULL ' +
  'ORDER BY i.finished_at DESC LIMIT $2) AS j LEFT JOIN millrace.sessions AS s ON s.n = j.session'

const ENTITIES =
  'SELECT j.id, t.name AS type, j.finished_at, e.status FROM (SELECT job, status FROM millrace.entities ' +
  `WHERE noted_at > ${NOW} - $2::bigint ORDER BY noted_at DESC LIMIT $3) AS e ` +
  'CROSS JOIN LATERAL (SELECT id, type, finished_at FROM millrace.jobs WHERE id = e.job AND state + 0 >= 5) AS j JOIN millrace.types AS t ON t.n = j.type'

export async function readEvidence(
  run: RunRows,
  now: number | null,
  { endedLimit, entityLimit }: EvidenceQuery,
): Promise<EvidenceRecords> {
  const waiting = await run(WAITING, now)
  const ended = []
  for (const state of FINAL_STATES) ended.push(...(await run(ENDED, STATE_CODES[state], endedLimit)))
  const entities = await run(ENTITIES, now, ENTITY_NOTE_MS, entityLimit)
  return {
    waiting: waitingOf(waiting, Number(waiting[0]?.['now'])),
    ended: ended.map((row) => endedRecord(row, String(row['id']))),
    entities: entities.map((row) => entityEvidence(row, String(row['id']))),
  }
}

const PUT_ENTITIES =
  'INSERT INTO millrace.entities (job, status, noted_at) SELECT v.job, v.status, $1 FROM unnest($2::uuid[], $3::text[]) AS v (job, status) ' +
  'CROSS JOIN LATERAL (SELECT 1 FROM millrace.jobs AS j WHERE j.id = v.job OFFSET 0) AS x ORDER BY v.job ' +
  'ON CONFLICT (job) DO UPDATE SET status = excluded.status, noted_at = excluded.noted_at'
const DROP_ENTITIES = 'DELETE FROM millrace.entities WHERE job = ANY($1::uuid[]) OR noted_at <= $2'

export async function noteEntities(tx: Transaction, notes: readonly EntityNote[]): Promise<void> {
  const unfinished = new Map(notes.flatMap(({ jobId, status }) => (status === null ? [] : [[jobId, status] as const])))
  const final = notes.filter(({ status }) => status === null).map(({ jobId }) => jobId)
  await tx.rows(DROP_ENTITIES, final, tx.now - ENTITY_NOTE_MS)
  await tx.rows(PUT_ENTITIES, tx.now, [...unfinished.keys()], [...unfinished.values()])
}
