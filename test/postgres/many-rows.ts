/** A schema with so many rows as only a long run would leave behind. */
import type pg from 'pg'

import { ONE_PHASE } from '../support/contract-bench.ts'

/** Those that grow with the jobs. */
export const GROWING: readonly string[] = [
  'jobs',
  'bundles',
  'events',
  'commits',
  'phases',
  'attempts',
  'keys',
  'labels',
  'artifacts',
]

export interface ManyRows {
  readonly jobs: number
  /**
   * `idle`: everything is done. `busy`: eight of a hundred wait, one runs, three are to come, the rest are done. `backlog`: nearly all wait, in
   * one lane, and one of a hundred runs.
   */
  readonly load: 'idle' | 'busy' | 'backlog'
}

const STATES: Readonly<Record<ManyRows['load'], string>> = {
  idle: 'CASE WHEN i % 100 < 90 THEN 5 ELSE 6 END',
  backlog: 'CASE WHEN i % 100 < 99 THEN 2 ELSE 3 END',
  busy: 'CASE WHEN i % 100 < 80 THEN 5 WHEN i % 100 < 88 THEN 6 WHEN i % 100 < 96 THEN 2 WHEN i % 100 < 97 THEN 3 ELSE 1 END',
}
const LANES: Readonly<Record<ManyRows['load'], number>> = { idle: 10, busy: 10, backlog: 1 }
const EVENTS_A_COMMIT = 10
/** Half of the jobs that are ready are in bundles, of one job each. */
const IS_BUNDLED = 's.state = 2 AND i % 2 = 0'
/** The first in a list, the other in a row. */
const EVENTS_A_JOB = 2

/** Ten types, twenty tenants, a thousand courses. Statistics are made by nobody but the test. */
export async function fillTables(client: pg.Client, schema: string, { jobs, load }: ManyRows): Promise<void> {
  const script = `
    ${GROWING.map((table) => `ALTER TABLE millrace.${table} SET (autovacuum_enabled = false)`).join('; ')};
    INSERT INTO millrace.types (name, queue, policy) SELECT 't' || i, 'q', '${JSON.stringify(ONE_PHASE)}' FROM generate_series(1, 10) AS i;
    INSERT INTO millrace.queues (name) VALUES ('q');
    INSERT INTO millrace.lanes (type, queue) SELECT t.n, q.n FROM millrace.types AS t, millrace.queues AS q;
    INSERT INTO millrace.phase_lists (names) VALUES ('["run"]');
    INSERT INTO millrace.jobs (id, created_in, type, lane, state, priority, run_at, holder, phase, phase_count, phase_list, created_at, updated_at,
      started_at, finished_at, tenant, owner, unique_key, event_seq, input, bundled)
      SELECT gen_random_uuid(), 1 + (i - 1) / ${EVENTS_A_COMMIT}, 1 + i % ${LANES[load]}, 1 + i % ${LANES[load]}, s.state, i % 3, i + CASE WHEN s.state = 1 THEN 4000000000000 ELSE 0 END,
        CASE WHEN s.state = 3 THEN i / 500 END, (s.state = 5)::integer, 1, 1, i, i, i, CASE WHEN s.state > 4 THEN i END,
        'tenant' || (i % 20), 'user' || (i % 500), 'k' || i, ${EVENTS_A_JOB}, '{}', ${IS_BUNDLED}
      FROM generate_series(1, ${jobs}) AS i CROSS JOIN LATERAL (SELECT ${STATES[load]} AS state) AS s;
    INSERT INTO millrace.bundles (run_at, n, created_in, lane, priority, start, size, places)
      SELECT run_at, n, created_in, lane, priority, (n - 1) % ${EVENTS_A_COMMIT}, 1, ARRAY[ctid] FROM millrace.jobs WHERE bundled;
    INSERT INTO millrace.labels SELECT id, 'course', 'c' || (n % 1000) FROM millrace.jobs UNION ALL SELECT id, 'level', 'a' FROM millrace.jobs;
    INSERT INTO millrace.commits (first, at, events, listed, living, code, seq, attempt, jobs)
      SELECT min(n), 1, ${EVENTS_A_COMMIT}, ${EVENTS_A_COMMIT}, ${EVENTS_A_COMMIT}, 2, 1, 0, array_agg(id ORDER BY n) FROM millrace.jobs GROUP BY created_in ORDER BY created_in;
    INSERT INTO millrace.commits (first, at, events)
      SELECT ${jobs} + 1 + ${EVENTS_A_COMMIT} * (i - 1), 1, ${EVENTS_A_COMMIT} FROM generate_series(1, ${jobs / EVENTS_A_COMMIT}) AS i;
    INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt)
      SELECT ${jobs / EVENTS_A_COMMIT} + created_in, (n - 1) % ${EVENTS_A_COMMIT}, id, ${EVENTS_A_JOB}, 3, 1, 1 FROM millrace.jobs;
    INSERT INTO millrace.phases (job, ordinal, generation, attempt, finished_at, result) SELECT id, 0, 1, 1, 1, '1' FROM millrace.jobs;
    INSERT INTO millrace.attempts (job, attempt, generation, outcome, phase, progress, started_at, ended_at)
      SELECT id, 1, 1, 1, 'run', 0, 1, 1 FROM millrace.jobs;
    INSERT INTO millrace.keys (tenant, type, key, job, input_hash, held_until) SELECT tenant, type, 'k' || n, id, '', 1 FROM millrace.jobs;
    INSERT INTO millrace.artifacts (id, job, generation, attempt, phase, name, content_type, size_bytes, sha256, path, created_at)
      SELECT gen_random_uuid(), id, 1, 1, 'run', 'map.png', 'image/png', 1, decode(repeat('ab', 32), 'hex'), 'p', 1 FROM millrace.jobs`
  await client.query(script.replaceAll('millrace.', `"${schema}".`))
}

export async function analyze(client: pg.Client, schema: string): Promise<void> {
  await client.query(`ANALYZE ${GROWING.map((table) => `"${schema}".${table}`).join(', ')}`)
}
